"""Ctrl-C in a terminal ends everything and says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal import cli
from musubi_nodes.hosts.terminal.demo import make_dataset, workflow


@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
@pytest.mark.parametrize(
    "numbers", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGTERM, signal.SIGTERM, signal.SIGINT]]
)
def test_a_signal_cancels_the_run_and_leaves_no_process(tmp_path: Path, numbers: list[signal.Signals]) -> None:
    """Several at once are one wish, such as those of `timeout`, which signals the process and then its group."""
    graph = workflow(make_dataset(tmp_path / "data"), "miniature", "wan")
    graph["5"]["inputs"]["max_train_epochs"] = 50_000
    path = write_json(tmp_path / "w.json", graph)
    arguments = ["-m", "musubi_nodes.hosts.terminal.cli", "run", str(path), "--install", "miniature"]
    host = subprocess.Popen(
        [sys.executable, *arguments, "--output", str(tmp_path)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not any(f.stat().st_size for f in tmp_path.glob("musubi/runs/*/metrics.jsonl")) and time.monotonic() < until:
        time.sleep(0.1)
    tree = psutil.Process(host.pid).children(recursive=True)
    assert len(tree) >= 3
    for number in numbers:
        host.send_signal(number)
    _, said = host.communicate(timeout=20)
    assert host.returncode == 130 and b"cancelled" in said
    assert not psutil.wait_procs(tree, timeout=2)[1]
    run = next(tmp_path.glob("musubi/runs/*Trainer*"))
    assert '"cancelled"' in (run / "status.json").read_text("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="another signal stands in for the one of Windows")
def test_ctrl_break_cancels_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    try:
        cli._take_signals(survives=False)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
