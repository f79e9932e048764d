"""``python start.py``: a signal reaches what it starts, and a clone that was moved is set up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.demo import make_dataset, workflow

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for an environment is a shell script")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that is set up: its Python is this one. What would set it up is not installed again."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    python.chmod(0o755)
    (folder / "installed").write_text(str(ROOT), "utf-8")
    monkeypatch.setenv("MUSUBI_NODES_VENV", str(folder))
    return folder


def start(*arguments: str, file: Path = ROOT / "start.py") -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, str(file), *arguments], stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(
    ("number", "misbehaves"), [(signal.SIGTERM, ""), (signal.SIGINT, "stubborn wan_train_network.py")]
)
def test_a_signal_to_start_py_cancels_the_run_and_leaves_no_process(
    tmp_path: Path,
    environment: Path,
    until: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    misbehaves: str,
) -> None:
    """SIGTERM as ``timeout``, systemd or a cron job's wrapper sends it: to the one process that they know."""
    monkeypatch.setenv("MUSUBI_MINIATURE_MISBEHAVE", misbehaves)
    graph = workflow(make_dataset(tmp_path / "data", size=(96, 64)), "miniature", "wan")
    graph["5"]["inputs"]["max_train_epochs"] = 50_000
    path = write_json(tmp_path / "w.json", graph)
    started = start("run", str(path), "--install", "miniature", "--output", str(tmp_path))
    told = "SIGTERM is ignored" if misbehaves else "epoch 2/50000"
    assert until(lambda: any(told in log.read_text("utf-8") for log in tmp_path.glob("musubi/runs/*Trainer*/log.txt")))
    tree = psutil.Process(started.pid).children(recursive=True)
    assert len(tree) >= 3
    started.send_signal(number)
    _, said = started.communicate(timeout=20)
    assert started.returncode == 130 and "cancelled" in said and "Traceback" not in said
    assert not psutil.wait_procs(tree, timeout=2)[1]
    run = next(tmp_path.glob("musubi/runs/*Trainer*"))
    assert '"cancelled"' in (run / "status.json").read_text("utf-8")


def test_the_exit_code_is_the_commands(tmp_path: Path, environment: Path) -> None:
    assert start("run", str(tmp_path / "gone.json")).wait(20) == 2
    assert start("runs", "--output", str(tmp_path)).wait(20) == 0


@pytest.mark.parametrize("marker", ["/where/it/was/made", ""])
def test_a_clone_that_was_moved_is_set_up_again(environment: Path, marker: str) -> None:
    """Here where a file is in the way: that it tries is told, and what hinders it is one message."""
    (environment / "installed").write_text(marker, "utf-8")
    (environment / "lib").write_text("")
    started = start("runs")
    said, wrong = started.communicate(timeout=60)
    assert started.returncode == 2 and f"setting up {environment}" in said
    assert "could not be set up" in wrong and "Fix:" in wrong and "Traceback" not in wrong


@pytest.mark.parametrize("value", ["", " ", '""', "''"])
def test_an_empty_variable_counts_as_not_set(value: str) -> None:
    code = f"import runpy; print(runpy.run_path({str(ROOT / 'start.py')!r})['ENVIRONMENT'])"
    asked = [sys.executable, "-c", code]
    found = subprocess.run(asked, env={**os.environ, "MUSUBI_NODES_VENV": value}, capture_output=True, text=True)
    assert found.stdout.strip() == str(ROOT / ".venv")


@pytest.mark.parametrize("stream", [">/dev/full", ">&-", "2>/dev/full", "2>&-", ">&- 2>&-"])
def test_what_cannot_be_said_changes_no_exit_code(environment: Path, tmp_path: Path, stream: str) -> None:
    def code(*arguments: str) -> int:
        words = ["sh", "-c", f'exec "$@" {stream}', "sh", sys.executable, str(ROOT / "start.py"), *arguments]
        return subprocess.run(words, timeout=60).returncode

    assert code() == 2
    (environment / "installed").write_text("", "utf-8")
    (environment / "lib").write_text("")
    assert code("runs") == 2


def test_a_path_that_the_code_page_lacks_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "\u732b"
    folder.write_text("no folder")
    surroundings = {**os.environ, "MUSUBI_NODES_VENV": str(folder), "PYTHONIOENCODING": "cp1252"}
    said = subprocess.run([sys.executable, str(ROOT / "start.py"), "runs"], env=surroundings, capture_output=True)
    assert said.returncode == 2 and rb"\u732b" in said.stdout and rb"\u732b" in said.stderr
