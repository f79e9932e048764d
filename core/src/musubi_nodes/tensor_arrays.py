"""Reads and writes safetensors as NumPy arrays, without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import open_file
from musubi_nodes.weights import TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""What can be read, and how NumPy spells it; it has no bfloat16."""
SIZES = {"F32": 4, "F16": 2, "BF16": 2}


def read_array(path: Path, tensor: TensorInfo) -> Array:
    """Return a tensor as float32."""
    import numpy as np

    if tensor.dtype not in FLOATS:
        raise MusubiError(
            "tensor-type-unsupported",
            f"{path.name} contains {tensor.dtype} tensors",
            fix="Use the file in fp32, fp16 or bf16.",
        )
    with open_file(path) as file:
        file.seek(tensor.place.start)
        data = np.frombuffer(file.read(len(tensor.place)), FLOATS[tensor.dtype])
    if tensor.dtype == "BF16":
        data = (data.astype("<u4") << 16).view("<f4")
    return data.astype("<f4", copy=False).reshape(tensor.shape)


def encoded(array: Array, dtype: str) -> bytes:
    """Return the bytes of ``F32``, ``F16`` or ``BF16``, rounded to the nearest even number."""
    import numpy as np

    if dtype != "BF16":
        with np.errstate(over="ignore"):  # infinite then, which a check of the file finds
            return np.ascontiguousarray(array, FLOATS[dtype]).tobytes()
    bits = np.ascontiguousarray(array, "<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def write_tensors(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    arrays: Iterable[tuple[str, Array]],
    dtype: str,
    metadata: Mapping[str, str],
) -> None:
    """Write a safetensors file; ``arrays`` come one by one, in the order of ``shapes``."""
    entries: dict[str, dict[str, Any]] = {}
    place = 0
    for name, shape in shapes.items():
        end = place + prod(shape) * SIZES[dtype]
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps({"__metadata__": dict(metadata), **entries}).encode()
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for (name, shape), (given, array) in zip(shapes.items(), arrays, strict=True):
            if (given, array.shape) != (name, shape):
                raise ValueError(f"{given} {array.shape} is not {name} {shape}")
            file.write(encoded(array, dtype))
