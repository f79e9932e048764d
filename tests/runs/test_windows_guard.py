"""The guard for Windows, as far as it runs elsewhere: its record, its exit code, and what the runner makes of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from musubi_nodes.runs.process import executor, guard_windows
from musubi_nodes.runs.process.executor import LocalProcess, ProcessSpec, RunningProcess
from musubi_nodes.testing.errors import fails

ACCESS_VIOLATION = 0xC0000005
CRASHED = f"""
import os, runpy, subprocess, sys
subprocess.Popen.wait = lambda process: {ACCESS_VIOLATION}
os._exit = lambda code, _exit=os._exit: (print("exits with", code, flush=True), _exit(code))
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def read(record: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(record.read_text("utf-8"))
    return found


def test_a_crash_of_windows_is_told_as_it_is_and_breaks_no_guard(tmp_path: Path) -> None:
    """Exit codes of crashes are larger than C's int; the same bits as a negative number are not."""
    command = [
        sys.executable,
        "-c",
        CRASHED,
        guard_windows.__file__,
        str(tmp_path / "process.json"),
        sys.executable,
        "-V",
    ]
    done = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, text=True)
    assert "Traceback" not in done.stderr and f"exits with {ACCESS_VIOLATION - 2**32}" in done.stdout
    assert read(tmp_path / "process.json")["returncode"] == ACCESS_VIOLATION


WITHOUT_PSUTIL = """
import runpy, sys
sys.modules["psutil"] = None
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_guard_without_psutil_tells_the_end_all_the_same(tmp_path: Path) -> None:
    """``-E`` leaves out a PYTHONPATH by which it would be found."""
    record, command = tmp_path / "process.json", [sys.executable, "-c", "raise SystemExit(4)"]
    guard = [sys.executable, "-c", WITHOUT_PSUTIL, guard_windows.__file__, str(record), *command]
    with subprocess.Popen(guard, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.wait(60) == 4 and process.stderr and process.stderr.read() == b""
    assert read(record)["returncode"] == 4


def test_a_guard_without_psutil_ends_the_command_when_it_is_asked(tmp_path: Path) -> None:
    record, command = tmp_path / "process.json", [sys.executable, "-c", "import time; time.sleep(600)"]
    guard = [sys.executable, "-c", WITHOUT_PSUTIL, guard_windows.__file__, str(record), *command]
    subprocess.run(guard, input=b"stop", capture_output=True, timeout=60)
    assert "returncode" in read(record)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The guard's time, which runs while it waits."""
    made = SimpleNamespace(now=0.0)
    made.monotonic = lambda: made.now
    made.sleep = lambda seconds: setattr(made, "now", made.now + seconds)
    monkeypatch.setattr(guard_windows, "time", made)
    return made


@pytest.mark.parametrize("seconds", [0.2, 1.9], ids=str)
def test_a_record_that_somebody_reads_is_written_a_little_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace, seconds: float
) -> None:
    refuse_until(seconds, clock, monkeypatch)
    guard_windows.record(str(tmp_path / "process.json"), pid=1, returncode=3)
    assert read(tmp_path / "process.json") == {"pid": 1, "returncode": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["process.json"]


def test_a_record_that_somebody_keeps_open_is_left_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace
) -> None:
    refuse_until(3600, clock, monkeypatch)
    guard_windows.record(str(tmp_path / "process.json"), pid=1, returncode=3)
    assert [path.name for path in tmp_path.iterdir()] == ["process.json.part"]
    assert read(tmp_path / "process.json.part") == {"pid": 1, "returncode": 3} and clock.now < 3


def refuse_until(seconds: float, clock: SimpleNamespace, patch: pytest.MonkeyPatch) -> None:
    """A rename fails for so long as it does while another program reads the target."""
    replace = os.replace

    def busy(source: str, target: str) -> None:
        if clock.now < seconds:
            raise PermissionError(13, "used by another process")
        replace(source, target)

    patch.setattr(os, "replace", busy)


Ended = Callable[[int], RunningProcess]


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable[..., bool]) -> Ended:
    """A command that ended with a code below the Windows guard, which could not write its last record."""

    def start(code: int) -> RunningProcess:
        monkeypatch.setattr(executor, "GUARD", Path(guard_windows.__file__))
        command = [sys.executable, "-c", f"raise SystemExit({code})"]
        process = LocalProcess().start(ProcessSpec(command, dict(os.environ), tmp_path, tmp_path))
        assert until(lambda: process.returncode() is not None) and process.returncode() == code
        process.kill()
        for stream in process.streams.values():
            stream.close()
        record = tmp_path / "process.json"
        record.write_text(json.dumps({k: v for k, v in read(record).items() if k != "returncode"}), "utf-8")
        monkeypatch.setattr(executor, "os", SimpleNamespace(name="nt"))
        return process

    return start


def test_a_good_end_without_a_last_record_is_a_good_end(ended: Ended) -> None:
    assert ended(0).returncode() == 0


def test_the_end_is_read_beside_a_record_that_somebody_keeps_open(ended: Ended, tmp_path: Path) -> None:
    process = ended(4)
    (tmp_path / "process.json.part").write_text(json.dumps({"pid": 1, "returncode": 4}), "utf-8")
    assert process.returncode() == 4


def test_what_the_guard_says_is_utf_8_whatever_the_code_page(tmp_path: Path) -> None:
    command = [str(tmp_path / "猫ü.exe"), "x"]
    process = LocalProcess().start(ProcessSpec(command, dict(os.environ), tmp_path, tmp_path))
    said = process.streams["stderr"].read()
    process.kill()
    for stream in process.streams.values():
        stream.close()
    assert "猫ü.exe" in said.decode("utf-8") and process.returncode() == 127


def test_another_end_without_a_last_record_may_be_the_guards_own(ended: Ended) -> None:
    process = ended(1)
    with fails("guard-killed"):
        process.returncode()
