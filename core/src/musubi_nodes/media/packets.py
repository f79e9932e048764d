"""Frames of a video, counted from packets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

MUXER = "framecrc"
"""Stream, dts, pts, duration, bytes, checksum, flags (framecrcenc.c)."""

_NO_TIME = -(1 << 63)
_KEY, _CORRUPT, _DISCARD = 1, 2, 4


@dataclass
class Packets:
    """Shown packets.

    ``certain``: each is one frame; ``timed``: those with times; ``begin`` and ``end``
    in seconds.
    """

    frames: int = 0
    certain: bool = True
    timed: int = 0
    begin: float = 0.0
    end: float = 0.0


class _Packet(NamedTuple):
    """Times in the stream's ticks."""

    decoded: int
    shown: int | None
    duration: int
    size: int
    flags: int


def read_packets(lines: Iterable[bytes]) -> Packets:
    """Count one stream's packets; ValueError for other text.

    An edit list marks packets that are decoded but not shown.
    """
    found, tick = Packets(), 1.0
    first = previous = None
    for line in lines:
        if line.startswith(b"#"):
            tick = float(Fraction(line[6:].decode().strip())) if line.startswith(b"#tb 0:") else tick
            continue
        packet = _packet(line)
        first = first or packet
        found.certain = found.certain and _is_one_frame(packet, first, previous)
        previous = packet
        if not packet.flags & _DISCARD:
            _add(found, packet, tick)
    return found


def _packet(line: bytes) -> _Packet:
    _, decoded, shown, duration, size, _, *rest = line.split(b",")
    flags = int(rest[0].split(b"=")[1], 16) if rest and rest[0].strip().startswith(b"F=") else _KEY
    return _Packet(int(decoded), None if int(shown) == _NO_TIME else int(shown), int(duration), int(size), flags)


def _is_one_frame(packet: _Packet, first: _Packet, previous: _Packet | None) -> bool:
    """Whether it is certainly one whole frame that can be decoded."""
    if not first.flags & _KEY or not packet.size or packet.flags & _CORRUPT:
        return False
    if previous and packet.decoded <= previous.decoded:
        return False
    early = packet.shown is not None and first.shown is not None and packet.shown < first.shown
    return not early or bool(packet.flags & _DISCARD)


def _add(found: Packets, packet: _Packet, tick: float) -> None:
    begin = packet.decoded if packet.shown is None else packet.shown
    found.end = max(found.end, (begin + packet.duration) * tick)
    if packet.shown is not None:
        found.begin = min(found.begin, begin * tick) if found.timed else begin * tick
        found.timed += 1
    found.frames += 1
