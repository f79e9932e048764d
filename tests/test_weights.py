from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from musubi_nodes.errors import MusubiError
from musubi_nodes.testing.errors import fails
from musubi_nodes.weights import TensorInfo, read_header


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "lora.safetensors"
    save_file(
        {"down": np.zeros((4, 8), np.float32), "scale": np.array(1, np.float16)}, path, metadata={"ss_network_dim": "4"}
    )
    return path


def test_names_shapes_and_metadata_are_read(good: Path) -> None:
    header = read_header(good)
    assert header.tensors == {"down": TensorInfo("F32", (4, 8)), "scale": TensorInfo("F16", ())}
    assert header.metadata == {"ss_network_dim": "4"}


def test_a_file_without_tensors_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "empty.safetensors"
    save_file({}, path)
    assert read_header(path).tensors == {}


def _raw(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file-empty"),
        (b"\n<!DOCTYPE html><html>", "file-web-page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "file-lfs-pointer"),
        (b"PK\x03\x04rest of a zip file", "file-pytorch"),
        (b"\x80\x02}q\x00(X\x05", "file-pytorch"),
        (b"\xff" * 100, "file-not-safetensors"),
        (b"{}", "file-not-safetensors"),
        ((5000).to_bytes(8, "little") + b'{"a":', "file-truncated"),
        (_raw({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234"), "file-truncated"),
        (_raw({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345"), "header-damaged"),
        (_raw({"a": 5}), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": []}}), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": ["0", "4"]}}), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": "1", "data_offsets": [0, 4]}}), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}}), "header-damaged"),
        (_raw({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [10**4000] * 500, "data_offsets": [0, 4]}}), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [1] * 17, "data_offsets": [0, 4]}}), "header-damaged"),
        (_raw({n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"}, b"1234"), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"), "header-damaged"),
        (_raw({"a": {"dtype": "F32", "shape": [0] * 3, "data_offsets": [0, 10**4000]}}), "header-damaged"),
        ((20_000_000).to_bytes(8, "little") + b"{", "file-not-safetensors"),
        (_raw({"__metadata__": 5}), "header-damaged"),
    ],
)
def test_what_is_no_whole_safetensors_file_is_named(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with fails(code, path):
        read_header(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with fails("file-missing", "none.safetensors"):
        read_header(tmp_path / "none.safetensors")
    with fails("file-unreadable", tmp_path):
        read_header(tmp_path)


def test_every_cut_of_a_file_is_refused(good: Path) -> None:
    whole = good.read_bytes()
    for length in range(0, len(whole), 7):
        good.write_bytes(whole[:length])
        short = "file-not-safetensors" if length else "file-empty"
        with fails("file-truncated" if length > 8 else short, good):
            read_header(good)


_json = st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64) | st.dictionaries(st.text(), _json).map(_raw))
def test_any_bytes_give_a_header_or_a_clear_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    try:
        read_header(path)
    except MusubiError as error:
        assert error.what


@pytest.mark.parametrize("length", [640, 0x04034B50 & 0xFFFF, ord("<") + 256])
def test_a_header_whose_length_looks_like_another_file_type_is_read(tmp_path: Path, length: int) -> None:
    """640 bytes begin with the same two bytes as a pickle, 0x4B50 with those of a zip, 316 with a "<"."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + bytes(4))
    assert read_header(path).tensors["x"].shape == (1,)
