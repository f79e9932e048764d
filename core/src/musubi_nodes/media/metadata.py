"""The workflow in a file, where ComfyUI looks for it."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

MODEL, MAKE = 0x0110, 0x010F
"""Of the prompt and others, counting down (nodes_images.py, 0.3.64)."""

_EXTENDED, _HAS_EXIF = b"VP8X", 0x08


def texts(workflow: Mapping[str, object]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in workflow.items()}


def write_container(workflow: Mapping[str, object], path: Path) -> list[str]:
    """Write ffmpeg's metadata file, as command lines are too short."""
    lines = [f"{_escaped(name)}={_escaped(text)}" for name, text in texts(workflow).items()]
    path.write_text("\n".join([";FFMETADATA1", *lines, ""]), "utf-8")
    return ["-f", "ffmetadata", "-i", path.name]


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text)


def write_text(workflow: Mapping[str, object], path: Path) -> None:
    data = path.read_bytes()
    chunks = [_chunk(f"{name}\0{text}".encode("latin-1")) for name, text in texts(workflow).items()]
    path.write_bytes(data[:33] + b"".join(chunks) + data[33:])


def _chunk(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))


def write_exif(workflow: Mapping[str, object], path: Path) -> None:
    """Append EXIF to a WebP, extending a plain one."""
    from PIL import Image

    exif, others = Image.Exif(), [(name, text) for name, text in texts(workflow).items() if name != "prompt"]
    if "prompt" in workflow:
        exif[MODEL] = f"prompt:{texts(workflow)['prompt']}"
    for number, (name, text) in enumerate(others):
        exif[MAKE - number] = f"{name}:{text}"
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunks = path.read_bytes()[12:]
    if chunks[:4] != _EXTENDED:
        with Image.open(path) as picture:
            width, height = picture.size
        canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        chunks = _riff(_EXTENDED, bytes(4) + canvas) + chunks
    flags = bytes([chunks[8] | _HAS_EXIF])
    path.write_bytes(_riff(b"RIFF", b"WEBP" + chunks[:8] + flags + chunks[9:] + _riff(b"EXIF", body)))


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
