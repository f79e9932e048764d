"""Reads scalars of growing TensorBoard event files without protobuf.

A file is a sequence of frames: length, checksum, message, checksum.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.files import open_file

LONGEST_RECORD = 1 << 18  # bytes; scalars have some sixty, so more means damage
CHUNK = 1 << 20  # bytes read at once
_HEAD, _CHECKSUM = 12, 4
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}  # protobuf's wire types, and bytes of fixed ones


@dataclass(frozen=True)
class Scalar:
    """One value of a tag; ``time`` in seconds since 1970."""

    tag: str
    step: int
    value: float
    time: float


class EventFolder:
    """All event files below a folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}

    def read(self) -> Iterator[Scalar]:
        for path in sorted(_event_files(self._folder)):
            with contextlib.suppress(OSError):
                yield from self._read(path)

    def _read(self, path: Path) -> Iterator[Scalar]:
        offset = self._offsets.get(path, 0)
        if offset < 0 or path.stat().st_size <= offset:
            return
        with open_file(path) as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                used, messages = split_records(chunk)
                self._offsets[path] = offset = -1 if used < 0 else offset + used
                for message in messages:
                    yield from scalars(message)
                if used <= 0:
                    return
                file.seek(offset)


def _event_files(folder: Path) -> list[Path]:
    return [
        Path(where) / name
        for where, _, names in os.walk(folder)
        for name in names
        if name.startswith("events.out.tfevents.")
    ]


def split_records(data: bytes) -> tuple[int, list[bytes]]:
    """Return the bytes of whole records (-1: damaged) and their messages."""
    messages: list[bytes] = []
    start = 0
    while len(data) - start >= _HEAD:
        (length,) = struct.unpack_from("<Q", data, start)
        if length > LONGEST_RECORD:
            return -1, messages
        end = start + _HEAD + length + _CHECKSUM
        if end > len(data):
            break
        messages.append(data[start + _HEAD : end - _CHECKSUM])
        start = end
    return start, messages


def scalars(event: bytes) -> Iterator[Scalar]:
    """Yield scalars of an ``Event`` (tensorflow/core/util/event.proto)."""
    try:
        parts = {number: (integer, raw) for number, integer, raw in _fields(event)}
        time = struct.unpack("<d", parts[1][1])[0] if 1 in parts else 0.0
        step = parts[2][0] if 2 in parts else 0
        for number, _, value in _fields(parts[5][1] if 5 in parts else b""):
            if number == 1 and (found := _scalar(value)):
                yield Scalar(found[0], step, found[1], time)
    except (ValueError, IndexError, struct.error):
        return


def _scalar(value: bytes) -> tuple[str, float] | None:
    parts = {number: raw for number, _, raw in _fields(value)}
    if 1 not in parts or 2 not in parts:
        return None
    return parts[1].decode("utf-8", "replace"), struct.unpack("<f", parts[2])[0]


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, integer and raw bytes of each field."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            integer, at = _varint(message, at)
            yield number, integer, b""
            continue
        length = _FIXED.get(kind, 0)
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif not length:
            raise ValueError(f"wire type {kind}")
        if at + length > len(message):
            raise ValueError("a field is cut off")
        yield number, 0, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than ten bytes")
