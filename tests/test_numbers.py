"""NaN, infinity and zeros are found in every type of number, read in pieces."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.test_weights import _raw

from musubi_nodes import tensor_values
from musubi_nodes.families.numbers_of import check_numbers
from musubi_nodes.tensor_values import values_of
from musubi_nodes.testing.errors import fails

BITS = {
    # type: bytes, then one, the largest, NaN or infinity, minus zero
    "BF16": (2, 0x3F80, 0x7F7F, (0x7FC0, 0x7F80, 0xFF80, 0xFFC1), 0x8000),
    "F16": (2, 0x3C00, 0x7BFF, (0x7E00, 0x7C00, 0xFC00), 0x8000),
    "F32": (4, 0x3F800000, 0x7F7FFFFF, (0x7FC00000, 0x7F800000, 0xFF800000, 0x7F800001), 0x80000000),
    "F64": (8, 0x3FF << 52, 0x7FEFFFFFFFFFFFFF, (0x7FF8 << 48, 0x7FF << 52, 0xFFF << 52), 1 << 63),
    "F8_E4M3": (1, 0x38, 0x7E, (0x7F, 0xFF), 0x80),
    "F8_E5M2": (1, 0x3C, 0x7B, (0x7C, 0x7D, 0xFC, 0xFF), 0x80),
}
"""As safetensors and ml_dtypes spell them."""


def weights(path: Path, dtype: str, size: int, *numbers: int) -> Path:
    data = b"".join(number.to_bytes(size, "little") for number in numbers)
    path.write_bytes(_raw({"a": {"dtype": dtype, "shape": [len(numbers)], "data_offsets": [0, len(data)]}}, data))
    return path


@pytest.mark.parametrize("dtype", BITS)
def test_every_number_that_is_none_is_found_and_no_other(dtype: str, tmp_path: Path) -> None:
    size, one, largest, bad, minus = BITS[dtype]
    path = tmp_path / "x.safetensors"
    assert values_of(weights(path, dtype, size, one, largest, largest | minus, 0)).not_finite == ()
    for number in bad:
        assert values_of(weights(path, dtype, size, one, number)).not_finite == ("a",)


@pytest.mark.parametrize("dtype", BITS)
def test_minus_zero_is_zero(dtype: str, tmp_path: Path) -> None:
    size, one, _, _, minus = BITS[dtype]
    path = tmp_path / "x.safetensors"
    assert values_of(weights(path, dtype, size, 0, minus)).zero == {"a"}
    assert values_of(weights(path, dtype, size, 0, minus, one)).zero == frozenset()


def test_whole_numbers_are_never_nan(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    assert values_of(weights(path, "U8", 1, 0xFF, 0x7F)).not_finite == ()


def test_a_large_tensor_is_held_in_pieces_and_looked_at_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_values, "PIECE", 1 << 16)
    path, numbers = tmp_path / "x.safetensors", np.ones(1_000_000, np.float32)
    numbers[-1] = np.nan
    save_file({"a": numbers}, path)
    tracemalloc.start()
    try:
        assert values_of(path).not_finite == ("a",)
        assert tracemalloc.get_traced_memory()[1] < numbers.nbytes / 2
    finally:
        tracemalloc.stop()


def test_a_glance_looks_into_every_tensor_and_reads_no_more_than_it_may(tmp_path: Path) -> None:
    path, nan = tmp_path / "x.safetensors", np.full(1000, np.nan, np.float32)
    save_file({"a": np.ones(100_000, np.float32), "b": nan}, path)
    assert values_of(path, most=64).not_finite == ("b",)


def test_what_is_wrong_with_a_replaced_file_is_not_taken_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": np.ones(4, np.float32)}, path)
    check_numbers(path, "given latent")
    save_file({"a": np.full(4, np.nan, np.float32)}, path)
    with fails("latent-not-finite", path.name):
        check_numbers(path, "given latent")
