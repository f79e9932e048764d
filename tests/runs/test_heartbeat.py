"""Whether the host of a run is still there: told by its process on this machine, by its heartbeat from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.files import write_json
from musubi_nodes.runs.record import heartbeat
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.heartbeat import this_host

HOST = """
import sys
from pathlib import Path
from musubi_nodes.runs.record import heartbeat
from musubi_nodes.runs.record.folder import RunFolder

heartbeat.BEAT = 0.05
with RunFolder.opened(Path(sys.argv[1]), "node") as folder:
    print("running", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program that runs a run below ``tmp_path``."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOST, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout and process.stdout.readline()
        yield process
        process.kill()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat counts as stopped after a second: twenty beats of ``host``."""
    monkeypatch.setattr(heartbeat, "STOPPED", 1.0)
    monkeypatch.setattr(heartbeat, "POLL", 0.05)


def of(folder: RunFolder, **other: Any) -> RunFolder:
    """The run with another ``status.json``."""
    write_json(folder.path / "status.json", {**folder.read_json("status.json"), **other})
    return folder


def never() -> None:
    raise AssertionError("there was nothing to wait for")


def test_a_run_ends_with_its_host_on_this_machine(tmp_path: Path, host: subprocess.Popen[bytes]) -> None:
    (folder,) = run_folders(tmp_path)
    assert folder.status()["status"] == "running" and not folder.has_ended(never)
    host.kill()
    host.wait()
    assert folder.status()["status"] == "failed" and folder.has_ended(never)


@pytest.mark.skipif(os.name == "nt", reason="zombies")
def test_a_killed_host_that_nobody_collected_is_gone(tmp_path: Path, host: subprocess.Popen[bytes]) -> None:
    """In a container without an init process it stays a zombie for ever."""
    (folder,) = run_folders(tmp_path)
    os.kill(host.pid, 9)
    os.waitid(os.P_PID, host.pid, os.WEXITED | os.WNOWAIT)
    assert folder.status()["status"] == "failed"


def test_a_process_number_that_was_given_again_is_another_process(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "node")
    folder.write_status("running", **this_host())
    assert folder.status()["status"] == "running"
    assert of(folder, started="1").status()["status"] == "failed"


def test_elsewhere_a_run_lives_as_long_as_its_heart_beats(
    tmp_path: Path, host: subprocess.Popen[bytes], quick: None
) -> None:
    (folder,) = run_folders(tmp_path)
    of(folder, place="another container", host=1)
    assert not folder.has_ended(lambda: None) and folder.status()["status"] == "running"
    host.kill()
    host.wait()
    assert folder.status()["status"] == "running"
    assert folder.has_ended(lambda: None) and folder.status()["status"] == "failed"


def test_a_run_of_another_machine_without_a_heartbeat_ends_once_it_was_looked_at(tmp_path: Path, quick: None) -> None:
    folder = RunFolder.create(tmp_path, "node")
    folder.write_status("running", host=4242, machine="pod-gone")
    looks: list[int] = []
    assert folder.has_ended(lambda: looks.append(1)) and looks
    assert folder.has_ended(never)


def test_the_wait_for_a_heartbeat_can_be_given_up(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "node")
    folder.write_status("running", host=4242, machine="pod-gone")

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.has_ended(interrupt)


def test_a_heartbeat_brings_no_deleted_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT", 0.01)
    with heartbeat.beating(tmp_path / "gone"):
        pass
    assert not (tmp_path / "gone").exists()
