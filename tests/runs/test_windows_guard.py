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

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.process import executor, guard_windows
from musubi_nodes.runs.process.executor import LocalProcess, ProcessSpec, RunningProcess

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


def test_a_record_that_somebody_reads_is_written_a_little_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals, replace = [PermissionError(13, "used by another process")] * 3, os.replace

    def busy(source: str, target: str) -> None:
        if refusals:
            raise refusals.pop()
        replace(source, target)

    monkeypatch.setattr(os, "replace", busy)
    guard_windows.record(str(tmp_path / "process.json"), pid=1, returncode=3)
    assert read(tmp_path / "process.json") == {"pid": 1, "returncode": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["process.json"]


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


def test_another_end_without_a_last_record_may_be_the_guards_own(ended: Ended) -> None:
    process = ended(1)
    with pytest.raises(MusubiError, match="guards the run was killed"):
        process.returncode()
