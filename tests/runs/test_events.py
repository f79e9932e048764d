"""Event files of TensorBoard, read without TensorBoard while they are written."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musubi_nodes.runs.record.events import EventFolder, scalars, split_records


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def event(tag: str, step: int, value: float, time: float = 10.0) -> bytes:
    """As TensorBoard's writer packs it; a step of 0 is left out."""
    entry = field(1, tag.encode()) + struct.pack("<Bf", 2 << 3 | 5, value)
    steps = varint(2 << 3) + varint(step) if step else b""
    return struct.pack("<Bd", 1 << 3 | 1, time) + steps + field(5, field(1, entry))


def record(message: bytes) -> bytes:
    return struct.pack("<QI", len(message), 0) + message + b"\0\0\0\0"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "20260101000000" / "network_train" / "events.out.tfevents.1.host.2.0"
    path.parent.mkdir(parents=True)
    return path


def test_each_scalar_is_told_once_however_the_file_grows(file: Path, tmp_path: Path) -> None:
    folder, data = EventFolder(tmp_path / "logs"), b""
    steps = [0, 1, 200, 2**33]
    for step in steps:
        data += record(event("loss/current", step, step / 2))
    seen = []
    for end in range(0, len(data) + 1, 7):
        file.write_bytes(data[:end])
        seen += [(scalar.tag, scalar.step, scalar.value) for scalar in folder.read()]
    file.write_bytes(data)
    seen += [(scalar.tag, scalar.step, scalar.value) for scalar in folder.read()]
    assert seen == [("loss/current", step, step / 2) for step in steps]


def test_a_folder_that_is_not_there_yet_and_other_files_say_nothing(tmp_path: Path) -> None:
    folder = EventFolder(tmp_path / "logs")
    assert list(folder.read()) == []
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "hparams.yml").write_text("x: 1")
    assert list(folder.read()) == []


def test_a_resumed_training_adds_a_second_file(file: Path, tmp_path: Path) -> None:
    folder = EventFolder(tmp_path / "logs")
    file.write_bytes(record(event("a", 1, 1.0)))
    assert len(list(folder.read())) == 1
    file.with_name("events.out.tfevents.2.host.3.0").write_bytes(record(event("a", 2, 1.0)))
    assert [scalar.step for scalar in folder.read()] == [2]


def test_a_damaged_file_is_left_alone_and_others_go_on(file: Path, tmp_path: Path) -> None:
    folder = EventFolder(tmp_path / "logs")
    file.write_bytes(record(event("a", 1, 1.0)) + b"\xff" * 64)
    assert [scalar.step for scalar in folder.read()] == [1]
    file.with_name("events.out.tfevents.2.host.3.0").write_bytes(record(event("a", 2, 1.0)))
    assert [scalar.step for scalar in folder.read()] == [2]


def test_a_large_file_is_read_in_pieces(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musubi_nodes.runs.record.events.CHUNK", 100)
    file.write_bytes(b"".join(record(event("a", step, 1.0)) for step in range(1, 50)))
    assert [scalar.step for scalar in EventFolder(tmp_path / "logs").read()] == list(range(1, 50))


def test_nan_stays_nan_and_pictures_are_no_scalars() -> None:
    assert math.isnan(next(scalars(event("a", 1, math.nan))).value)
    picture = field(5, field(1, field(1, b"a") + field(4, b"png")))
    assert list(scalars(picture)) == []
    assert list(scalars(struct.pack("<Bd", 9, 1.0) + field(3, b"brain.Event:2"))) == []


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    list(scalars(data))
    used, messages = split_records(data)
    assert used <= len(data) and all(isinstance(message, bytes) for message in messages)


def test_a_real_trainers_file_gives_what_tensorboard_itself_told() -> None:
    """Written by wan_train_network.py v0.3.4 with toy weights; TensorBoard's answer was kept beside it."""
    folder = Path(__file__).with_name("tensorboard")
    told = json.loads((folder / "told.json").read_text("utf-8"))["scalars"]
    assert sorted([each.tag, each.step, each.value, each.time] for each in EventFolder(folder).read()) == told
