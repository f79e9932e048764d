"""What is looked at while a run runs: the most GPU memory of its tree, and a history that stays small."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.fake_nvml import GIB, FakeGpu, FakeNvml

from musubi_nodes.runs.hardware import peak
from musubi_nodes.runs.hardware.cards import cards
from musubi_nodes.runs.hardware.history import History, read_history
from musubi_nodes.runs.hardware.peak import Peak, of_run
from musubi_nodes.runs.record.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run whose process is this one; it is looked at whenever that is asked for."""
    monkeypatch.setattr(peak, "SECONDS", 0)
    made = RunFolder.create(tmp_path, "x")
    (made.path / "process.json").write_text(json.dumps({"pid": os.getpid()}))
    return made


def test_the_peak_is_the_most_that_the_tree_held(folder: RunFolder) -> None:
    gpu = FakeGpu()
    watching = Peak(folder, {"CUDA_VISIBLE_DEVICES": "0"}, FakeNvml(gpu).opened)
    for held in (5.0, 9.0, 3.0):
        gpu.compute, gpu.used, gpu.use = {os.getpid(): held, 1: 4.0}, held + 4, 50
        watching.look()
    assert watching.bytes == 9 * GIB
    assert watching.gpu == {"gpu_used": 7 * GIB, "gpu_total": 24 * GIB, "gpu_use": 50}
    rows = read_history(folder.resources)
    assert [row["gpu_own"] / GIB for row in rows] == [5, 9, 3]
    assert [row["gpu_used"] / GIB for row in rows] == [9, 13, 7] and rows[0]["gpu_total"] == 24 * GIB
    assert "cpu" not in rows[0] and {"cpu", "ram_used", "ram_total", "time", "gpu_use"} <= rows[1].keys()


def test_a_measurement_that_fails_ends_no_run_and_the_others_are_kept(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a counter of the system is broken")

    gpu = FakeGpu()
    gpu.compute = {os.getpid(): 5.0}
    watching = Peak(folder, {"CUDA_VISIBLE_DEVICES": "0"}, FakeNvml(gpu).opened)
    monkeypatch.setattr(psutil, "cpu_percent", fail)
    watching.look(), watching.look()
    monkeypatch.setattr(psutil, "virtual_memory", fail)
    watching.look()
    monkeypatch.setattr(peak, "cards", fail)
    watching.look()
    rows = read_history(folder.resources)
    assert [sorted({"cpu", "ram_used", "gpu_own"} & row.keys()) for row in rows] == [
        ["gpu_own", "ram_used"], ["gpu_own", "ram_used"], ["gpu_own"], [],
    ]  # fmt: skip
    assert watching.bytes == 5 * GIB


def test_without_a_driver_it_is_asked_once_and_main_memory_is_kept_all_the_same(folder: RunFolder) -> None:
    asked = []

    @contextlib.contextmanager
    def missing() -> Iterator[None]:
        asked.append(1)
        yield None

    watching = Peak(folder, {}, missing)
    watching.look(), watching.look()
    assert watching.bytes is None and len(asked) == 1
    rows = read_history(folder.resources)
    assert len(rows) == 2 and not any(name.startswith("gpu") for row in rows for name in row)
    assert 0 < rows[1]["ram_used"] < rows[1]["ram_total"]


def test_what_the_driver_does_not_tell_is_left_out_of_the_history(folder: RunFolder) -> None:
    gpu = FakeGpu(compute={os.getpid(): None}, refuses=("UtilizationRates",))
    watching = Peak(folder, {"CUDA_VISIBLE_DEVICES": "GPU-0"}, FakeNvml(gpu).opened)
    watching.look()
    (row,) = read_history(folder.resources)
    assert row["gpu_used"] == GIB and not {"gpu_own", "gpu_use"} & row.keys() and watching.bytes is None
    assert watching.gpu == {"gpu_used": GIB, "gpu_total": 24 * GIB, "gpu_use": None}


def test_of_several_gpus_the_fullest_and_the_idlest_of_the_run_count() -> None:
    found = cards(FakeNvml(FakeGpu(used=23, use=0), FakeGpu(used=20, use=90), FakeGpu(used=10, use=95)))
    assert of_run(found, ["1", "2"], set()) == {"gpu_used": 20 * GIB, "gpu_total": 24 * GIB, "gpu_use": 90}


def test_a_run_keeps_its_history_in_its_folder(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SECONDS", 0.1)
    runs("import time; time.sleep(0.7)")
    rows = read_history(runs.folder.resources)
    assert len(rows) > 1 and rows[0]["time"] < rows[-1]["time"]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 1000, 12_345])
def test_a_history_is_thinned_evenly_and_keeps_its_beginning(tmp_path: Path, count: int) -> None:
    path = tmp_path / "history.jsonl"
    history = History(path, most=10)
    for number in range(count):
        history.add({"n": number})
    kept = [row["n"] for row in read_history(path)]
    gaps = {later - earlier for earlier, later in pairwise(kept)}
    assert kept[0] == 0 and len(kept) <= 10 and len(gaps) <= 1
    assert count - kept[-1] <= max(gaps, default=1)


def test_a_history_begins_anew_with_each_run(tmp_path: Path) -> None:
    for value in (1, 2):
        History(tmp_path / "history.jsonl").add({"n": value})
    assert read_history(tmp_path / "history.jsonl") == [{"n": 2}]


def test_a_folder_that_is_gone_or_lines_that_are_none_break_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "gone" / "history.jsonl", most=2)
    for number in range(4):
        history.add({"n": number})
    assert not (tmp_path / "gone").exists() and read_history(tmp_path / "gone" / "history.jsonl") == []
    (tmp_path / "torn").write_bytes(b'{"n": 1}\n[1]\n3\nnull\n\xff\n{"n": 2}\n{"n"')
    assert read_history(tmp_path / "torn") == [{"n": 1}, {"n": 2}]
