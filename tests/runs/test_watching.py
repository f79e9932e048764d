"""Readings of the machine, and which processes are a run's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.fake_nvml import GIB, FakeGpu, FakeNvml

from musubi_nodes.runs.hardware.machine import disks, largest_programs, machine, program_name
from musubi_nodes.runs.hardware.trees import ram, running, tree
from musubi_nodes.runs.hardware.watching import FIRST, STEP, watch
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.heartbeat import this_host

HOLDS = """
import os, subprocess, sys, time
from pathlib import Path
if sys.argv[1] == "parent":
    subprocess.Popen([sys.executable, __file__, "child", sys.argv[2]])
held = bytearray(os.urandom(1) * 60_000_000)
Path(sys.argv[2], sys.argv[1]).touch()
time.sleep(600)
"""


def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes by what is waited for only, and those waits."""
    waited: list[float] = []
    monkeypatch.setattr("musubi_nodes.runs.hardware.watching.time.monotonic", lambda: sum(waited))
    return waited


def test_readings_have_equal_distances_and_hold_first_and_last(monkeypatch: pytest.MonkeyPatch) -> None:
    waited, told = waits(monkeypatch), []
    found = watch(3, FakeNvml(FakeGpu(used=7)), waited.append, lambda *now: told.append(now))
    assert [moment.at for moment in found] == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert waited == pytest.approx([FIRST, 0, *[STEP] * 6])
    assert told == [(number, 7) for number in range(1, 8)]
    assert {moment.cards[0].used for moment in found} == {7 * GIB}


def test_no_seconds_are_one_reading_and_a_cancel_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(watch(0, None, waits(monkeypatch).append)) == 1

    class Cancelled(Exception):
        pass

    def cancel(seconds: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        watch(60, None, cancel)


def test_the_machine_tells_cpu_and_memory() -> None:
    now = machine()
    assert 0 <= now.cpu <= 100 and 0 < now.ram_used < now.ram_total == psutil.virtual_memory().total


def test_folders_of_one_disk_are_one_and_one_that_is_not_made_yet_has_its_parents(tmp_path: Path) -> None:
    found = disks([tmp_path / "not" / "made", tmp_path])
    assert [disk.folder for disk in found] == [tmp_path / "not" / "made"]
    assert 0 < found[0].free <= found[0].total


def test_programs_are_named_by_their_process(tmp_path: Path) -> None:
    assert program_name(os.getpid()) == psutil.Process().name()
    assert program_name(2**22 + 5) is None
    largest = largest_programs(2, {os.getpid()})
    assert os.getpid() not in {each.pid for each in largest}
    assert [each.ram for each in largest] == sorted((each.ram for each in largest), reverse=True)


def test_the_tree_of_a_running_run_is_found_with_what_it_holds(runs: Any, until: Callable[..., bool]) -> None:
    """While it runs, this very process looks at it; afterwards nothing is left of it."""
    import sys

    seen: list[tuple[list[str], int, int]] = []
    place = runs.folder.path
    command = [sys.executable, str(runs.script(HOLDS)), "parent", str(place)]

    class Seen(Exception):
        pass

    def look() -> BaseException | None:
        if not ((place / "parent").exists() and (place / "child").exists()):
            return None
        processes = tree(runs.folder)
        seen.append(([folder.path.name for folder in running(runs.tmp_path)], len(processes), ram(processes)))
        return Seen()

    with pytest.raises(Seen):
        runs(command, interrupt=look)
    ((names, count, held),) = seen
    assert names == [place.name] and count >= 3
    assert 120e6 < held < 400e6
    assert tree(runs.folder) == [] and list(running(runs.tmp_path)) == []


@pytest.mark.parametrize("record", [{}, {"pid": "x"}, {"pid": 2**22 + 5}, {"pid": os.getpid(), "returncode": 0}])
def test_a_run_without_a_living_process_has_no_tree(tmp_path: Path, record: dict[str, Any]) -> None:
    folder = RunFolder.create(tmp_path, "x")
    (folder.path / "process.json").write_text(json.dumps(record))
    assert tree(folder) == []


def test_runs_of_another_machine_on_the_same_folder_are_not_looked_for_here(tmp_path: Path) -> None:
    ours, theirs, over = (RunFolder.create(tmp_path, name) for name in ("ours", "theirs", "over"))
    ours.write_status("running", **this_host())
    theirs.write_status("running", **{**this_host(), "place": "elsewhere"})
    over.write_status("done")
    assert [folder.path for folder in running(tmp_path)] == [ours.path]


def test_a_process_that_cannot_be_asked_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil lets errors of the system through, such as WinError 87 for a process that has just ended."""

    def refuse(process: psutil.Process) -> None:
        raise OSError(22, "Invalid parameter")

    monkeypatch.setattr(psutil.Process, "memory_info", refuse)
    assert largest_programs(2, ()) == []
    monkeypatch.setattr(psutil, "Process", refuse)
    assert program_name(1) is None
