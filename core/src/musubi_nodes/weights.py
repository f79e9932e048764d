"""Headers of safetensors files, validated without loading a tensor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from musubi_nodes.budget import spend
from musubi_nodes.errors import MusubiError, is_one_line
from musubi_nodes.files import WEIGHTS_HEADER, open_file, unreadable
from musubi_nodes.i18n import translate
from musubi_nodes.parsing import MOST_LISTS, parse_json

_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
_DIMENSIONS, _LARGEST, _DIGITS = 16, 1 << 48, 20
_QUOTES = 500_000
_DOWNLOAD = "Download the file again and compare its size with the download page."


@dataclass(frozen=True)
class TensorInfo:
    """A tensor: ``dtype`` as safetensors spells it, shape, place in the file."""

    dtype: str
    shape: tuple[int, ...]
    place: range = field(default=range(0), compare=False)


@dataclass(frozen=True)
class Header:
    """Tensors and metadata."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Read and validate the header; MusubiError if it is damaged."""
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(64)
            length = int.from_bytes(start[:8], "little")
            _check_start(path, start, length, size)
            spend(length * WEIGHTS_HEADER.cost)
            file.seek(8)
            text = file.read(length)
    except (OSError, ValueError) as error:
        raise MusubiError(unreadable(error), f"{path} cannot be read", why=str(error), fix="Check the path.") from error
    try:
        if text.count(b'"') > _QUOTES:
            raise ValueError(f"it holds more than {_QUOTES // 2} texts")
        return _checked(parse_json(text.decode(), MOST_LISTS, parse_int=_short_number), 8 + length, size)
    except _TooShort as error:
        raise MusubiError("file-truncated", f"{path} is cut off", why=str(error), fix=_DOWNLOAD) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise MusubiError(
            "header-damaged",
            f"{path} is not a safetensors file",
            why=translate("Its header is damaged: {error}", error=error),
            fix=_DOWNLOAD,
        ) from error


def _check_start(path: Path, start: bytes, length: int, size: int) -> None:
    if size == 0:
        raise MusubiError("file-empty", f"{path} is empty (0 bytes)", fix=_DOWNLOAD)
    if start[8:9] != b"{" or length > WEIGHTS_HEADER.most:
        _refuse_other_files(path, start)
    if 8 + length > size:
        raise MusubiError(
            "file-truncated",
            f"{path} is cut off",
            why=translate("Its header alone needs {needs} bytes, the file has {size}.", needs=8 + length, size=size),
            fix=_DOWNLOAD,
        )


def _refuse_other_files(path: Path, start: bytes) -> None:
    if start.startswith(b"version https://git-lfs"):
        raise MusubiError(
            "file-lfs-pointer",
            f"{path} is a Git LFS pointer, not the weights",
            fix="Run `git lfs pull` in that folder, or download the file.",
        )
    if start.lstrip().startswith(b"<"):
        raise MusubiError("file-web-page", f"{path} is a web page saved under the name of the weights", fix=_DOWNLOAD)
    if start.startswith(b"GGUF"):
        raise MusubiError(
            "file-gguf",
            f"{path} is a GGUF file",
            why="musubi-tuner cannot read GGUF.",
            fix="Choose the safetensors file of the same model, in fp16, bf16 or fp8.",
        )
    if start.startswith((b"PK\x03\x04", b"\x80\x02")):
        raise MusubiError(
            "file-pytorch",
            f"{path} is a PyTorch file (.pt, .pth, .ckpt), not safetensors",
            why="musubi-tuner only accepts safetensors here, or decides by the file name's extension.",
            fix="Choose the safetensors file of the same weights; a PyTorch file needs its own extension.",
        )
    raise MusubiError(
        "file-not-safetensors",
        f"{path} is not a safetensors file",
        why=translate("It begins with {start!r}.", start=start[:8]),
        fix=_DOWNLOAD,
    )


class _TooShort(ValueError):
    pass


def _checked(raw: Mapping[str, Any], start: int, size: int) -> Header:
    data = size - start
    metadata = raw.get("__metadata__", {})
    entries = {name: entry for name, entry in raw.items() if name != "__metadata__"}
    tensors = {name: _tensor(name, entry, start) for name, entry in entries.items()}
    end = max((tensor.place.stop for tensor in tensors.values()), default=start) - start
    if end > data:
        raise _TooShort(translate("Its tensors need {needs} bytes, but only {there} are there.", needs=end, there=data))
    if end < data:
        raise ValueError(f"{data - end} bytes follow after the last tensor")
    if sum(len(tensor.place) for tensor in tensors.values()) != end:
        raise ValueError("its tensors overlap, or leave gaps")
    if strange := next((name for name in tensors if not is_one_line(name)), None):
        raise ValueError(f"the name {strange[:80]!r} contains a line break or control character")
    return Header(tensors, {str(key): str(value) for key, value in metadata.items()})


def _tensor(name: str, entry: Mapping[str, Any], start: int) -> TensorInfo:
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if type(dtype) is not str or not _are_sizes(shape) or not _are_sizes(place) or len(place) != 2:
        raise ValueError(f"{name[:200]} has no dtype, shape and data_offsets as safetensors writes them")
    begin, end = place
    bits = _BITS.get(dtype)
    if end < begin or (bits and prod(shape) * bits != (end - begin) * 8):
        raise ValueError(f"{name} has {end - begin} bytes, which is not {dtype} {list(shape)}")
    return TensorInfo(dtype, tuple(shape), range(start + begin, start + end))


def _short_number(digits: str) -> int:
    """Parse an integer of bounded length: Python's takes quadratic time."""
    if len(digits) > _DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _are_sizes(found: object) -> bool:
    if not isinstance(found, list) or len(found) > _DIMENSIONS:
        return False
    return all(type(size) is int and 0 <= size <= _LARGEST for size in found)
