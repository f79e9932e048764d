"""What a terminal prints: not too many lines, and none about a reader that has gone."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from musubi_nodes.hosts.terminal import host
from musubi_nodes.hosts.terminal.host import Bars
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress


def lines(stages: list[str], again: bool = False) -> list[str]:
    stream = io.StringIO()
    bars = Bars(stream)
    for _ in range(2 if again else 1):
        for number, stage in enumerate(stages):
            bars.show("Trainer", Progress(stage, number))
        bars.end()
    return stream.getvalue().splitlines()


def test_a_training_that_saves_each_epoch_is_told_by_one_line_for_each_stage() -> None:
    assert lines(["training", "saving"] * 500) == ["Trainer: training", "Trainer: saving 1"]


def test_the_next_node_tells_its_stages_anew() -> None:
    assert lines(["loading", "encoding"], again=True) == ["Trainer: loading", "Trainer: encoding 1"] * 2


def test_later_progress_is_told_when_the_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "PLAIN_SECONDS", 0.0)
    assert len(lines(["training", "saving"] * 5)) == 10


def test_a_reader_that_has_gone_is_a_quiet_end(tmp_path: Path) -> None:
    for _ in range(3):
        RunFolder.create(tmp_path, "Node").write_status("done")
    command = [sys.executable, "-m", "musubi_nodes.hosts.terminal.cli", "runs", "--output", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout and listing.stderr
        listing.stdout.close()
        assert listing.stderr.read() == b""
        assert listing.wait(20) == 141


@pytest.mark.skipif(os.name == "nt", reason="the terminal is POSIX")
@pytest.mark.parametrize(("columns", "bar"), [(100, True), (0, False)])
def test_a_terminal_without_columns_is_told_by_lines(columns: int, bar: bool) -> None:
    """As `script` and containers make one."""
    import fcntl
    import termios

    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    with os.fdopen(terminal, "w") as stream:
        bars = Bars(stream)
        bars.show("Trainer", Progress("training", 1, 2))
        bars.end()
        stream.flush()
        shown = os.read(screen, 10_000).decode()
    os.close(screen)
    assert "Trainer" in shown and ("\r" in shown.rstrip("\r\n")) == bar
