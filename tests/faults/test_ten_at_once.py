"""Ten runs are queued at once, by several programs, on two GPUs."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from musubi_nodes.runs.hardware.devices import device_queue

DEVICES = ["0", "1", "0,1", "1,0", "0", "1", "0,1", "0", "1", "0"]
"""What each wants; some name both in another order."""

USE = """
import json, os, sys, time
devices, journal = sys.argv[1:]
began = time.monotonic()
time.sleep(0.03)
print(json.dumps([devices.split(","), began, time.monotonic()]), file=open(journal, "w"))
"""
PROGRAM = f"""
import subprocess, sys
from pathlib import Path
from musubi_nodes.runs.hardware.devices import device_queue

devices, locks, journal = sys.argv[1:]
with device_queue(Path(locks), devices.split(","), lambda: None, 0.02):
    subprocess.run([sys.executable, "-c", {USE!r}, devices, journal], check=True)
"""


def overlapping(intervals: list[tuple[list[str], float, float]]) -> list[tuple[object, object]]:
    """Pairs that used a device at the same time; the clock is the machine's, the same for all processes."""
    pairs = itertools.combinations(sorted(intervals, key=lambda each: each[1]), 2)
    return [(a, b) for a, b in pairs if set(a[0]) & set(b[0]) and b[1] < a[2]]


def test_ten_programs_never_use_a_device_together(tmp_path: Path, host_environment: dict[str, str]) -> None:
    journals = [tmp_path / f"{number}.json" for number in range(len(DEVICES))]
    command = [sys.executable, "-c", PROGRAM]
    programs = [
        subprocess.Popen([*command, devices, str(tmp_path / "locks"), str(journal)], env=host_environment)
        for devices, journal in zip(DEVICES, journals, strict=True)
    ]
    assert [program.wait(120) for program in programs] == [0] * len(DEVICES)
    assert overlapping([tuple(json.loads(path.read_text("utf-8"))) for path in journals]) == []


def test_ten_threads_of_one_program_never_use_a_device_together(tmp_path: Path) -> None:
    def run(number: int) -> None:
        with device_queue(tmp_path / "locks", DEVICES[number].split(","), lambda: None, 0.02):
            subprocess.run([sys.executable, "-c", USE, DEVICES[number], str(tmp_path / f"{number}.json")], check=True)

    with ThreadPoolExecutor(len(DEVICES)) as pool:
        list(pool.map(run, range(len(DEVICES))))
    found = [tuple(json.loads(path.read_text("utf-8"))) for path in tmp_path.glob("*.json")]
    assert len(found) == len(DEVICES) and overlapping(found) == []


def test_an_overlap_would_be_seen() -> None:
    apart: list[tuple[list[str], float, float]] = [(["0"], 0, 1), (["1"], 0.5, 2), (["0"], 1, 3)]
    assert overlapping(apart) == []
    assert len(overlapping([*apart, (["0", "1"], 1.5, 4)])) == 2
