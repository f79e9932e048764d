"""What is said for people cannot be written: the work and its exit code are the same as if it were read."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.faults.conftest import MODELS, SMALL
from tests.faults.test_host_ends import queued, trains

from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal import output
from musubi_nodes.runs.record.folder import RunFolder

fcntl = pytest.importorskip("fcntl", reason="the streams are POSIX")
termios = pytest.importorskip("termios")

CLI = [sys.executable, "-m", "musubi_nodes.hosts.terminal.cli"]


@pytest.fixture
def generation(faulty: Any, host_environment: dict[str, str]) -> Any:
    """Starts a small generation in a terminal with the given streams."""
    place = faulty()
    host_environment.pop("PYTHONUNBUFFERED", None)
    models = {"class_type": "MusubiTuner_WanModels", "inputs": {"install": "practice", **MODELS}}
    inputs = {"models": ["1", 0], "prompt": "a square", "filename_prefix": "made", **SMALL}
    graph = {"1": models, "2": {"class_type": "MusubiTuner_WanGenerator", "inputs": inputs}}
    command = [*CLI, "run", str(write_json(place.folder / "w.json", graph)), "--output", str(place.host.output_folder)]

    def start(wrapper: str = "", **streams: Any) -> subprocess.Popen[bytes]:
        words = ["sh", "-c", f'exec "$@" {wrapper}', "sh", *command] if wrapper else command
        return subprocess.Popen(words, env=host_environment, **streams)

    start.place = place  # type: ignore[attr-defined]
    return start


def made(place: Any, host: subprocess.Popen[bytes]) -> None:
    """The work was done, and the exit code says so."""
    assert host.wait(60) == 0
    assert (place.host.output_folder / "musubi" / "made.mp4").is_file()
    assert place.newest.status()["status"] == "done"
    assert place.processes() == []


@pytest.mark.parametrize("lost", [("stdout",), ("stderr",), ("stdout", "stderr")], ids="+".join)
@pytest.mark.parametrize("how", ["full disk", "closed pipe", "closed", "gone terminal"])
def test_a_run_is_the_same_where_its_output_is_lost(generation: Any, lost: tuple[str, ...], how: str) -> None:
    wrapper, streams = "", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if how == "closed":
        wrapper = " ".join({"stdout": ">&-", "stderr": "2>&-"}[name] for name in lost)
    else:
        number = {"full disk": full_disk, "closed pipe": closed_pipe, "gone terminal": gone_terminal}[how]()
        streams |= dict.fromkeys(lost, number)
    made(generation.place, generation(wrapper, **streams))


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def gone_terminal() -> int:
    screen, terminal = os.openpty()
    os.close(screen)
    return terminal


@pytest.fixture
def stuck_pipe() -> Iterator[int]:
    """A full pipe whose reader reads nothing, such as a pager that shows its first page."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"." * 4096)
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


def test_a_reader_that_reads_nothing_holds_no_run_up(generation: Any, stuck_pipe: int) -> None:
    made(generation.place, generation(stdout=stuck_pipe, stderr=stuck_pipe))


def test_a_run_whose_reader_reads_nothing_can_be_cancelled(
    faulty: Any, host_environment: dict[str, str], until: Callable[..., bool], stuck_pipe: int
) -> None:
    place = faulty()
    command = [*CLI, "run", str(queued(place)), "--output", str(place.host.output_folder)]
    host = subprocess.Popen(command, env=host_environment, stdout=stuck_pipe, stderr=stuck_pipe)
    assert until(lambda: trains(place))
    host.send_signal(signal.SIGTERM)
    assert host.wait(30) == 130
    assert until(lambda: not place.processes(), 2)
    assert place.newest.status()["status"] == "cancelled"


def test_a_run_outlives_its_terminal(generation: Any, until: Callable[..., bool]) -> None:
    """A lost connection: the terminal's own session gets SIGHUP, and each write ends with EIO."""
    screen, terminal = os.openpty()
    host = generation(
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(terminal)
    assert until(lambda: generation.place.started() and generation.place.newest.log.exists())
    os.close(screen)
    made(generation.place, host)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_letter_that_the_encoding_lacks_is_spelled_out(
    tmp_path: Path, host_environment: dict[str, str], encoding: str, unbuffered: str
) -> None:
    host_environment |= {"PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": unbuffered}
    command = [*CLI, "runs", "--output", str(tmp_path / "\u732b")]
    host = subprocess.run(command, env=host_environment, capture_output=True)
    assert host.returncode == 0 and rb"\u732b" in host.stdout


def test_why_it_ends_is_said_where_it_can_be(tmp_path: Path) -> None:
    command = [*CLI, "run", str(tmp_path / "missing.json")]
    full = full_disk()
    try:
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=full)
        assert ended.returncode == 2 and b"missing.json" in ended.stdout
        closed = subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *command], stdout=subprocess.PIPE)
        assert closed.returncode == 2 and b"missing.json" in closed.stdout
    finally:
        os.close(full)


def test_a_list_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "Node").write_status("done")
    full = full_disk()
    try:
        ended = subprocess.run([*CLI, "runs", "--output", str(tmp_path)], stdout=full, stderr=subprocess.PIPE)
    finally:
        os.close(full)
    assert ended.returncode == 1 and os.strerror(errno.ENOSPC).encode() in ended.stderr


def test_a_list_waits_for_its_reader(tmp_path: Path) -> None:
    """More than a pipe holds, and a reader that begins late."""
    for _ in range(1_000):
        RunFolder.create(tmp_path, "N" * 80).write_status("done")
    command = [*CLI, "runs", "-n", "1000", "--json", "--output", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as host:
        with pytest.raises(subprocess.TimeoutExpired):
            host.wait(output.PATIENCE + 2)
        assert host.stdout and len(json.loads(host.stdout.read())) == 1_000
    assert host.returncode == 0
