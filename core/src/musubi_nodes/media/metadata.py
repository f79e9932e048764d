"""The workflow inside a file, where ComfyUI looks for it when the file is dropped on the canvas."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODEL, MAKE = 0x0110, 0x010F
"""The EXIF tags of the prompt, and of the first other entry; further ones count down (nodes_images.py, 0.3.64)."""

_ANIMATED = b"VP8X"


def texts(workflow: Mapping[str, Any]) -> dict[str, str]:
    """Each entry as JSON in ASCII."""
    return {name: json.dumps(value) for name, value in workflow.items()}


def write_container(workflow: Mapping[str, Any], path: Path) -> list[str]:
    """Write ffmpeg's own metadata file; returns the options that read it. A command line would be too short for it."""
    lines = [f"{_escaped(name)}={_escaped(text)}" for name, text in texts(workflow).items()]
    path.write_text("\n".join([";FFMETADATA1", *lines, ""]), "utf-8")
    return ["-f", "ffmetadata", "-i", path.name]


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text)


def write_text(workflow: Mapping[str, Any], path: Path) -> None:
    """Put ``tEXt`` chunks behind the header of a PNG."""
    data = path.read_bytes()
    chunks = [_chunk(f"{name}\0{text}".encode("latin-1")) for name, text in texts(workflow).items()]
    path.write_bytes(data[:33] + b"".join(chunks) + data[33:])


def _chunk(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))


def write_exif(workflow: Mapping[str, Any], path: Path) -> None:
    """Append an EXIF chunk to an animated WebP."""
    from PIL import Image

    exif, others = Image.Exif(), [(name, text) for name, text in texts(workflow).items() if name != "prompt"]
    if "prompt" in workflow:
        exif[MODEL] = f"prompt:{texts(workflow)['prompt']}"
    for number, (name, text) in enumerate(others):
        exif[MAKE - number] = f"{name}:{text}"
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    with path.open("r+b") as file:
        head = file.read(21)
        if head[12:16] != _ANIMATED:
            return  # one frame only: a plain picture has no place for it
        file.seek(20)
        file.write(bytes([head[20] | 0x08]))  # the flag that says there is EXIF
        end = file.seek(0, 2)
        file.write(b"EXIF" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2))
        file.seek(4)
        file.write(struct.pack("<I", end + len(body) + len(body) % 2))
