"""safetensors files with numpy: bfloat16 is float32 in memory and real bfloat16 on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import SafetensorError

Array = npt.NDArray[Any]

NUMPY_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
LONG_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
SHORT_NAMES = {long: short for short, long in LONG_NAMES.items()}
HEADER_LIMIT = 100_000_000
FLOATING = ("F64", "F32", "F16", "BF16")
ORDER = ("BOOL", "U8", "I8", "I16", "F16", "BF16", "I32", "F32", "F64", "I64")
"""The library sorts tensors by dtype, the last of these first, and then by name."""


class Tensor(NamedTuple):
    """Values and the dtype that they have on disk, by the format's short name."""

    values: Array
    dtype: str = "F32"

    @property
    def shape(self) -> list[int]:
        return list(self.values.shape)

    def to_bytes(self) -> bytes:
        """The raw little-endian bytes as they stand in the file."""
        if self.dtype == "BF16":
            return to_bfloat16(self.values).tobytes()
        return np.ascontiguousarray(self.values, NUMPY_TYPES[self.dtype]).tobytes()


def to_bfloat16(values: Array) -> Array:
    """float32 to bfloat16 bit patterns (uint16), rounded to nearest even; NaN stays NaN."""
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    rounded = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)


def from_bfloat16(bits: Array) -> Array:
    """bfloat16 bit patterns (uint16) to float32."""
    return (bits.astype("<u4") << 16).view("<f4")


def rounded(values: Array, dtype: str) -> Array:
    """``values`` after a round trip through ``dtype``, as float32."""
    if dtype == "BF16":
        return from_bfloat16(to_bfloat16(values))
    return values.astype(NUMPY_TYPES[dtype]).astype(np.float32)


def read_header(path: Path) -> tuple[dict[str, Any], dict[str, str], int]:
    """Entries by name, metadata, and where the data begins; no tensor is read and nothing is checked."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return header, header.pop("__metadata__", {}), 8 + length


def check_file(path: str | Path) -> None:
    """Refuse what the safetensors library refuses, with the exceptions of the version that upstream pins (0.4.5)."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'No such file or directory: "{path}"')
    if problem := _problem_of(Path(path)):
        raise SafetensorError(f"Error while deserializing header: {problem}")


def _problem_of(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8:
            return "HeaderTooSmall"
        if length > HEADER_LIMIT:
            return "HeaderTooLarge"
        if length > size - 8:
            return "InvalidHeaderLength"
        try:
            header = json.loads(file.read(length).decode("utf-8"))
        except UnicodeDecodeError:
            return "InvalidHeader"
        except json.JSONDecodeError:
            return "InvalidHeaderDeserialization"
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return "" if max(ends, default=0) == size - 8 - length else "MetadataIncompleteBuffer"


def load(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a sound file."""
    check_file(path)
    return load_unchecked(Path(path))


def load_unchecked(path: Path) -> dict[str, Tensor]:
    """All tensors; a truncated file fails at the first short tensor, as upstream's own reader does."""
    entries, _, start = read_header(path)
    raw = path.read_bytes()
    tensors = {}
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        data = np.frombuffer(raw[start + begin : start + end], NUMPY_TYPES[entry["dtype"]])
        if data.size != int(np.prod(entry["shape"], dtype=np.int64)):
            raise RuntimeError(f"shape '{entry['shape']}' is invalid for input of size {data.size}")
        values = from_bfloat16(data) if entry["dtype"] == "BF16" else data
        tensors[name] = Tensor(values.reshape(entry["shape"]), entry["dtype"])
    return tensors


def metadata_of(path: str | Path) -> dict[str, str] | None:
    """The metadata of a sound file, ``None`` where it has none."""
    check_file(path)
    with Path(path).open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    found: dict[str, str] | None = header.get("__metadata__")
    return found


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The whole file as bytes. Written by hand: the library's functions for raw bytes change with its versions."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    body = bytearray()
    for name in sorted(tensors, key=lambda name: (-ORDER.index(tensors[name].dtype), name)):
        data = tensors[name].to_bytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": tensors[name].dtype, "shape": tensors[name].shape, "data_offsets": offsets}
        body += data
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(body)


def save(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write in place, not atomically: a killed script leaves a truncated file under its final name, as upstream."""
    data = pack(tensors, metadata)
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        text = f'IoError(Os {{ code: {error.errno}, kind: NotFound, message: "{error.strerror}" }})'
        raise SafetensorError(f"Error while serializing: {text}") from error


def model_hashes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """``sshs_model_hash`` and ``sshs_legacy_hash`` over the tensors and the ``ss_`` metadata (utils/model_utils.py)."""
    data = pack(tensors, {key: value for key, value in metadata.items() if key.startswith("ss_")})
    body = data[8 + int.from_bytes(data[:8], "little") :]
    legacy = hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]
    return {"sshs_model_hash": hashlib.sha256(body).hexdigest(), "sshs_legacy_hash": legacy}
