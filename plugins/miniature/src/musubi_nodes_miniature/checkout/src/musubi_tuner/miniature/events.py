"""TensorBoard event files, written by hand: TFRecord frames around two small protobuf messages."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

_POLYNOMIAL = 0x82F63B78


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord files: CRC-32C, rotated and offset."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _bytes_field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    head, tail = masked_crc32c(length), masked_crc32c(event)
    return length + struct.pack("<I", head) + event + struct.pack("<I", tail)


class EventWriter:
    """Appends scalars to ``folder/events.out.tfevents...``, one record each, flushed at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.0"
        self._file = (folder / name).open("ab")
        self._write(_bytes_field(3, b"brain.Event:2"))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """One value of one tag at one step."""
        entry = _bytes_field(1, tag.encode()) + struct.pack("<Bf", 2 << 3 | 5, value)
        summary = _bytes_field(5, _bytes_field(1, entry))
        self._write((_varint(2 << 3) + _varint(step) if step else b"") + summary)

    def _write(self, rest: bytes) -> None:
        self._file.write(_record(struct.pack("<Bd", 1 << 3 | 1, time.time()) + rest))
        self._file.flush()

    def close(self) -> None:
        self._file.close()
