"""NaN, infinity and zeros in safetensors, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from musubi_nodes.budget import spend
from musubi_nodes.files import open_file
from musubi_nodes.weights import TensorInfo, read_header

PIECE = 1 << 24  # bytes read at a time


class _Bits(NamedTuple):
    """Number format: ``special`` bits are all set in NaN and infinity."""

    code: str
    special: int
    sign: int


_FLOATS = {
    "BF16": _Bits("<u2", 0x7F80, 0x8000),
    "F16": _Bits("<u2", 0x7C00, 0x8000),
    "F32": _Bits("<u4", 0x7F800000, 0x80000000),
    "C64": _Bits("<u4", 0x7F800000, 0x80000000),
    "F64": _Bits("<u8", 0x7FF << 52, 1 << 63),
    "F8_E5M2": _Bits("u1", 0x7C, 0x80),
    "F8_E4M3": _Bits("u1", 0x7F, 0x80),
    "F8_E8M0": _Bits("u1", 0xFF, 0),
}


@dataclass(frozen=True)
class Values:
    """Names of all tensors, of non-finite ones, and of all-zero ones."""

    names: frozenset[str]
    not_finite: tuple[str, ...]
    zero: frozenset[str]


def values_of(path: Path, most: int | None = None) -> Values:
    """Check all numbers, or ``most`` bytes spread over all tensors."""
    tensors = read_header(path).tensors
    share = None if most is None else max(most // max(len(tensors), 1), 8) // 8 * 8
    bad, zero = [], []
    with open_file(path) as file:
        for name, tensor in tensors.items():
            place = tensor.place if share is None else tensor.place[:share]
            file.seek(place.start)
            left, is_finite, is_zero = len(place), True, True
            while left and (is_finite or is_zero):
                spend(min(left, PIECE))
                data = file.read(min(left, PIECE))
                if not data:
                    raise OSError(f"{path} ends before {name}")
                left -= len(data)
                finite, nothing = _look(data, tensor)
                is_finite, is_zero = is_finite and finite, is_zero and nothing
            if not is_finite:
                bad.append(name)
            if is_zero:
                zero.append(name)
    return Values(frozenset(tensors), tuple(bad), frozenset(zero))


def _look(data: bytes, tensor: TensorInfo) -> tuple[bool, bool]:
    """Return whether all are finite, and whether all are zero."""
    import numpy as np

    bits = _FLOATS.get(tensor.dtype)
    if bits is None:
        return True, not np.frombuffer(data, "u1").any()
    numbers = np.frombuffer(data, bits.code)
    special, sign = (numbers.dtype.type(mask) for mask in (bits.special, bits.sign))
    return not ((numbers & special) == special).any(), not (numbers & ~sign).any()
