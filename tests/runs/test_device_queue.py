from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fake_nvml import FakeGpu, FakeNvml

from musubi_nodes.runs.hardware import gpu, visible
from musubi_nodes.runs.hardware.cuda_order import cuda_order, forget
from musubi_nodes.runs.hardware.devices import device_queue, gpus
from musubi_nodes.runs.hardware.visible import selecting, visible_gpus
from musubi_nodes.testing.errors import fails

HOLDER = """
import sys, time
from pathlib import Path
from musubi_nodes.runs.hardware.devices import device_queue

name, locks, device, journal = sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
with device_queue(locks, device.split(","), lambda: None, 0.02):
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
def held(tmp_path: Path, environment: dict[str, str], until: Callable[..., bool], device: str = "0") -> Iterator[None]:
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
    rest = [str(tmp_path), "1", str(journal)]
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
        device_queue(tmp_path, ["0"], give_up, 0.02),
    ):
        raise AssertionError("two hold one device")
    with device_queue(tmp_path, ["0"], give_up, 5):
        pass


def test_the_cpu_and_other_devices_never_wait(
    tmp_path: Path, host_environment: dict[str, str], until: Callable[..., bool]
) -> None:
    with held(tmp_path, host_environment, until):
        for devices in ([], ["1"]):
            with device_queue(tmp_path, devices, give_up, 5):
                pass


@pytest.mark.parametrize(
    ("device", "count", "visible", "expected"),
    [
        ("auto", 1, None, ("0",)),
        ("cuda:2", 1, None, ("2",)),
        ("auto", 2, None, ("0", "1")),
        ("cpu", 1, None, ()),
        ("cpu", 1, "2,3", ()),
        ("auto", 1, "2,3", ("2",)),
        ("cuda:1", 1, "2,3", ("3",)),
        ("auto", 2, " 2, 3", ("2", "3")),
        ("auto", 1, "GPU-8f2a,GPU-91", ("GPU-8f2a",)),
    ],
)
def test_gpus_are_named_as_the_driver_does(
    device: str, count: int, visible: str | None, expected: tuple[str, ...]
) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert gpus(device, count, environment) == expected


@pytest.mark.parametrize(
    ("device", "count", "visible"), [("cuda:2", 1, "2,3"), ("auto", 3, "2,3"), ("auto", 1, ""), ("auto", 1, "-1,0")]
)
def test_a_gpu_that_is_not_there_is_refused_before_the_start(device: str, count: int, visible: str) -> None:
    with fails("gpu-missing", "CUDA_VISIBLE_DEVICES"):
        gpus(device, count, {"CUDA_VISIBLE_DEVICES": visible})


UUIDS = ("GPU-aaaa-1", "GPU-aaaa-2", "GPU-bbbb-3", "GPU-cccc-4")
FASTEST_FIRST = (UUIDS[2], UUIDS[0], UUIDS[3], UUIDS[1])
DEFAULT_DEVICE = ",".join(map(str, [1, 0, *range(2, 32)]))
"""ComfyUI's --default-device 1 (main.py of 0.3.64 and 0.33)."""


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with four GPUs, of which CUDA counts the third as the first."""
    library = FakeNvml(*(FakeGpu(uuid=uuid) for uuid in UUIDS))
    monkeypatch.setattr(gpu, "nvml", library.opened)
    monkeypatch.setattr(visible, "cuda_order", lambda: FASTEST_FIRST)


@pytest.mark.parametrize(
    ("names", "by_bus", "expected"),
    [
        (None, False, "0123"),
        ("1", True, "1"),
        ("0", False, "2"),
        ("3,1", False, "10"),
        (DEFAULT_DEVICE, False, "0231"),
        (DEFAULT_DEVICE, True, "1023"),
        ("1,7,0", True, "1"),
        ("9", True, ""),
        ("1,1", True, ""),
        ("1,GPU-aaaa-2", True, ""),
        ("GPU-bbbb", False, "2"),
        ("GPU-aaaa", False, ""),
        ("GPU-cccc-4,GPU-aaaa-1", False, "30"),
        ("2,-1,0", True, "2"),
        ("all", False, ""),
        ("", False, ""),
    ],
)
def test_an_inherited_list_means_what_cuda_takes_it_for(
    four: None, names: str | None, by_bus: bool, expected: str
) -> None:
    environment = {} if names is None else {"CUDA_VISIBLE_DEVICES": names}
    environment |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if by_bus else {}
    assert visible_gpus(environment, selecting(environment), 1) == list(expected)


def test_a_part_of_a_gpu_keeps_its_name(four: None) -> None:
    assert gpus("auto", 1, {"CUDA_VISIBLE_DEVICES": "MIG-1234"}) == ("MIG-1234",)


def test_where_cuda_does_not_tell_its_order_nothing_is_guessed(four: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visible, "cuda_order", lambda: ())
    assert gpus("auto", 1, {"CUDA_VISIBLE_DEVICES": "3", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == ("3",)
    with fails("gpu-order-unknown", "CUDA_DEVICE_ORDER"):
        gpus("auto", 1, {"CUDA_VISIBLE_DEVICES": "3"})


DRIVER = """
#include <stdlib.h>
#include <string.h>
int cuInit(unsigned flags) { return getenv("CUDA_VISIBLE_DEVICES") != 0 || getenv("CUDA_DEVICE_ORDER") != 0; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int number) { *device = 7 + number; return 0; }
int cuDeviceGetUuid(unsigned char *uuid, int device) { memset(uuid, device, 16); return 0; }
"""
"""A CUDA driver for a machine without one; it refuses to be asked where a variable would change the order."""


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs a C compiler on Linux")
def test_cuda_is_asked_for_the_order_of_all_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "driver.c").write_text(DRIVER, "utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "libcuda.so.1", "driver.c"], cwd=tmp_path, check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    forget()
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/no/python")
        assert cuda_order() == ()  # and what did not answer is asked again
    found = cuda_order()
    forget()
    assert found == ("GPU-07070707-0707-0707-0707-070707070707", "GPU-08080808-0808-0808-0808-080808080808")


def test_without_a_driver_cuda_tells_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    forget()
    assert cuda_order() == ()


def test_a_single_gpu_needs_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "nvml", FakeNvml(FakeGpu()).opened)
    monkeypatch.setattr(visible, "cuda_order", lambda: pytest.fail("CUDA was asked"))
    assert gpus("auto", 1, {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}) == ("0",)


def test_rocms_own_variable_counts_where_there_is_no_other() -> None:
    assert gpus("auto", 1, {"HIP_VISIBLE_DEVICES": "1"}) == ("1",)


def test_a_run_on_several_gpus_holds_them_all(
    tmp_path: Path, host_environment: dict[str, str], until: Callable[..., bool]
) -> None:
    with held(tmp_path, host_environment, until, "0,1"):
        for devices in (["0"], ["1"], ["1", "2"]):
            with pytest.raises(GaveUp), device_queue(tmp_path, devices, give_up, 0.02):
                pass
        with device_queue(tmp_path, ["2"], give_up, 5):
            pass


def test_an_error_inside_frees_the_device(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), device_queue(tmp_path, ["0"], give_up):
        raise ZeroDivisionError
    with device_queue(tmp_path, ["0"], give_up):
        pass


def test_a_lock_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with fails("lock-unusable", tmp_path), device_queue(tmp_path / "file" / "locks", ["0"], give_up):
        pass
