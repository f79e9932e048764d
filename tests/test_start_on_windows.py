"""Windows has no exec, so ``start.py`` stays beside its command: whoever ends it, ends both."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
SLEEPS = """
import os, pathlib, time
def test_sleeps():
    pathlib.Path({note!r}).write_text(str(os.getpid()))
    time.sleep(600)
"""


def test_the_job_of_the_guard_is_where_start_py_looks_for_it() -> None:
    guard = runpy.run_path(str(ROOT / "start.py"))["GUARD"]
    assert callable(runpy.run_path(str(guard))["enter_job"])


@pytest.mark.skipif(os.name != "nt", reason="elsewhere start.py becomes its command")
def test_who_kills_start_py_ends_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable[..., bool]
) -> None:
    """As the Task Manager and CI do."""
    environment, note = tmp_path / "venv", tmp_path / "pid"
    venv.create(environment, with_pip=False)
    (environment / "installed[test]").write_text(str(ROOT), "utf-8")
    (tmp_path / "test_sleeping.py").write_text(SLEEPS.format(note=str(note)), "utf-8")
    monkeypatch.setenv("MUSUBI_NODES_VENV", str(environment))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    words = [sys.executable, str(ROOT / "start.py"), "test", "-n", "0", "--rootdir", str(tmp_path), str(tmp_path)]
    started = subprocess.Popen(words)
    try:
        assert until(lambda: note.exists() and note.read_text())
        command = psutil.Process(int(note.read_text()))
        started.kill()
        assert psutil.wait_procs([command], timeout=10)[1] == []
    finally:
        started.kill()
