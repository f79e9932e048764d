from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.devices import device_queue

HOLDER = """
import sys, time
from pathlib import Path
from musubi_nodes.runs.devices import device_queue

name, locks, device, journal = sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
with device_queue(locks, device, lambda: None, 0.02):
    with journal.open("a") as file:
        print("begin", name, file=file, flush=True)
        if name == "forever":
            time.sleep(600)
        time.sleep(0.1)
        print("end", name, file=file, flush=True)
"""


class GaveUp(Exception):
    pass


def give_up() -> None:
    raise GaveUp


@contextmanager
def held(
    tmp_path: Path, environment: dict[str, str], until: Callable[..., bool], device: str = "auto"
) -> Iterator[None]:
    """Another process holds the device."""
    journal = tmp_path / "held"
    command = [sys.executable, "-c", HOLDER, "forever", str(tmp_path), device, str(journal)]
    process = subprocess.Popen(command, env=environment)
    try:
        assert until(lambda: journal.exists() and journal.read_text())
        yield
    finally:
        process.kill()
        process.wait()


def test_two_processes_on_one_device_take_turns(tmp_path: Path, host_environment: dict[str, str]) -> None:
    journal = tmp_path / "journal"
    command = [sys.executable, "-c", HOLDER]
    rest = [str(tmp_path), "cuda:1", str(journal)]
    processes = [subprocess.Popen([*command, name, *rest], env=host_environment) for name in "abc"]
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    lines = journal.read_text().split("\n")[:-1]
    assert [line.split()[0] for line in lines] == ["begin", "end"] * 3
    assert all(a.split()[1] == b.split()[1] for a, b in zip(lines[::2], lines[1::2], strict=True))


def test_waiting_can_be_given_up_and_a_dead_holder_frees_the_device(
    tmp_path: Path, host_environment: dict[str, str], until: Callable[..., bool]
) -> None:
    with (
        held(tmp_path, host_environment, until),
        pytest.raises(GaveUp),
        device_queue(tmp_path, "cuda:0", give_up, 0.02),
    ):
        raise AssertionError("two hold one device")
    with device_queue(tmp_path, "cuda:0", give_up, 5):
        pass


def test_the_cpu_and_other_devices_never_wait(
    tmp_path: Path, host_environment: dict[str, str], until: Callable[..., bool]
) -> None:
    with held(tmp_path, host_environment, until):
        for device in ("cpu", "cuda:1"):
            with device_queue(tmp_path, device, give_up, 5):
                pass


def test_auto_is_the_first_gpu_that_the_process_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    with device_queue(tmp_path, "auto", give_up, 0.02):
        with device_queue(tmp_path, "cuda:0", give_up, 0.02):
            pass
        with pytest.raises(GaveUp), device_queue(tmp_path, "cuda:2", give_up, 0.02):
            pass


def test_an_error_inside_frees_the_device(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), device_queue(tmp_path, "auto", give_up):
        raise ZeroDivisionError
    with device_queue(tmp_path, "auto", give_up):
        pass


def test_a_lock_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MusubiError, match="lock file"), device_queue(tmp_path / "file" / "locks", "auto", give_up):
        pass
