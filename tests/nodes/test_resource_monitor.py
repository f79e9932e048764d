"""The Resource Monitor on this machine as it is, and on made-up GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.fake_nvml import FakeGpu, FakeNvml

from musubi_nodes.families.context import Context
from musubi_nodes.hosts.terminal.demo import workflow
from musubi_nodes.nodes.resources import monitor as resource_monitor
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.hardware import gpu, peak, watching
from musubi_nodes.runs.process.executor import LocalProcess
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.run import Command, run
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

HOLDS = """
import sys, time
from pathlib import Path
held = bytearray(b"x" * 200_000_000)
step = 0
while not Path(sys.argv[1], "enough").exists():
    step += 1
    print(f"steps:  1%|#  | {step}/9000 [00:01<00:09,  1.00s/it, avr_loss=0.5]", file=sys.stderr, flush=True)
    time.sleep(0.02)
"""


class Quiet:
    """A watcher that never interrupts."""

    def progress(self, now: Progress) -> None: ...

    def raise_if_interrupted(self) -> None: ...


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeNvml]:
    """Lets the driver have these GPUs."""

    def there_are(*gpus: FakeGpu) -> FakeNvml:
        library = FakeNvml(*gpus)
        monkeypatch.setattr(gpu, "nvml", library.opened)
        return library

    return there_are


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """As here; on a machine with a GPU the driver is made to refuse."""
    import pynvml

    def refuse() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)


@pytest.mark.usefixtures("no_driver")
def test_without_a_gpu_it_says_so_and_shows_the_rest(place: Workplace) -> None:
    told = place.run("ResourceMonitor", seconds=1, width=640, height=320)
    assert (
        "\n\nno NVIDIA GPU answers (NVML Shared Library Not Found); GPUs of other makers are not read\nCPU "
        in told.text
    )
    assert f"of {psutil.virtual_memory().total / 2**30:.1f} GiB" in told.text
    assert f"disk of {place.host.output_folder}: " in told.text
    assert told.free_memory is None and place.texts == [told.text]
    assert told.image.shape[1:] == (640, 3) and told.image.shape[0] > 400 and told.image.dtype == np.float32
    only_now = place.run("ResourceMonitor", seconds=0, width=640, height=320)
    assert only_now.image.shape[0] == told.image.shape[0] - 320


def test_each_gpu_is_told_with_who_holds_it(place: Workplace, nvml: Callable[..., FakeNvml]) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        nvml(
            FakeGpu(used=9.0, use=3, compute={os.getpid(): 2.0}, graphics={child.pid: 6.5}),
            FakeGpu(used=1.0, total=12.0, refuses=("Temperature", "PowerUsage"), compute={2**22 + 5: None}),
        )
        text = place.run("ResourceMonitor", seconds=0).text
        name = psutil.Process(child.pid).name()
    finally:
        child.communicate(b"\n")
    assert "GPU 0: NVIDIA GeForce RTX 4090\n- memory 9.0 of 24.0 GiB, use 3 %, 40 °C, 30 of 450 W\n" in text
    assert f"- this program (pid {os.getpid()}): 2.0 GiB\n- {name} (pid {child.pid}): 6.5 GiB\n" in text
    assert f"- a process that is not seen from here (pid {2**22 + 5}): not reported\n" in text
    assert "- not reported by the driver: temperature, power, memory per program\n" in text


def test_the_free_memory_of_the_chosen_gpu_goes_into_the_memory_optimizer(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, nvml: Callable[..., FakeNvml]
) -> None:
    library = nvml(FakeGpu(used=4.0), FakeGpu(used=2.0, total=12.0))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert place.run("ResourceMonitor", seconds=0).free_memory == 20.0
    told = place.run("ResourceMonitor", seconds=0, device="cuda:1")
    assert told.free_memory == 10.0
    plan = place.run("MemoryOptimizer", mode="auto", family="wan", free_memory=told.free_memory)
    assert "fits into 10.0 GiB" in plan.report
    library.gpus[0].refuses = ("MemoryInfo",)
    assert place.run("ResourceMonitor", seconds=0).free_memory is None
    with fails("gpu-missing", "cuda:2"):
        place.run("ResourceMonitor", seconds=0, device="cuda:2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert place.run("ResourceMonitor", seconds=0).free_memory is None


def test_what_a_running_run_holds_is_its_own(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, nvml: Callable[..., FakeNvml]
) -> None:
    """A real process tree in a run folder; only the GPU that it computes on is made up."""
    monkeypatch.setattr(peak, "SECONDS", 0.2)
    library = nvml(FakeGpu(used=23.5, use=4))
    folder = RunFolder.create(place.host.output_folder, "WanLoRATrainer")
    script = place.folder / "holds.py"
    script.write_text(HOLDS)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0"}
    argv = [sys.executable, str(script), str(folder.path)]
    command = Command(argv=argv, script="holds.py", cwd=place.folder, environment=environment)
    running = threading.Thread(target=run, args=(command, folder, LocalProcess(), Quiet()))
    running.start()
    try:
        until = time.monotonic() + 60
        while not (folder.progress().get("stage") == "training" and folder.has_metrics):
            assert running.is_alive() and time.monotonic() < until
            time.sleep(0.02)
        library.gpus[0].compute = {int(folder.read_json("process.json")["pid"]): 20.0}
        told = place.run("ResourceMonitor", seconds=2)
    finally:
        (folder.path / "enough").touch()
        running.join()
    name = folder.path.name
    assert f"- memory 23.5 of 24.0 GiB, use 4 %, 40 °C, 30 of 450 W\n- {name}: 20.0 GiB\n" in told.text
    held = float(told.text.split(f"- {name} (training): ")[1].split(" GiB")[0])
    assert 0.18 < held < 0.4
    assert f"GPU 0 is full (23.5 of 24.0 GiB) while {name} runs." in told.text
    assert f"GPU 0 is only 4 % busy while {name} trains" in told.text
    assert f"{name}: recorded over 0:0" in told.text  # newest: the one that runs
    later = place.run("ResourceMonitor", seconds=0)
    assert name not in later.text
    record = place.run("ResourceMonitor", seconds=0, name=name)
    assert "- the run's own GPU memory at most 20.0 GiB\n- GPU use 4 % on average" in record.text
    assert f"The GPU was full (23.5 of 24.0 GiB) while {name} ran." in record.text
    assert f"\nThe GPU was only 4 % busy while {name} trained" in record.text
    assert record.image.shape[0] == later.image.shape[0] + 480


def test_a_cache_made_by_the_miniature_leaves_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SECONDS", 0.2)
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    place = Workplace(tmp_path, plugins())
    path = place.dataset()
    models = place.run("WanModels", **workflow(path, "miniature", "wan")["2"]["inputs"]).models
    made = place.run("WanTextEncoderCache", dataset=place.load(path), models=models)
    told = place.run("ResourceMonitor", run=made.run, seconds=0)
    assert f"{made.run.folder.name}: recorded over 0:0" in told.text and "- RAM at most " in told.text


def test_a_run_from_before_has_no_record_and_that_is_said(place: Workplace) -> None:
    folder = RunFolder.create(place.host.output_folder, "WanLoRATrainer")
    folder.write_status("done")
    assert "nothing was recorded of its memory" in place.run("ResourceMonitor", name=folder.path.name, seconds=0).text


@pytest.mark.parametrize("name", ["../../etc", "gone", "a\0b", "."])
def test_a_name_that_is_no_run_is_told_before_the_queue_runs(place: Workplace, name: str) -> None:
    node = place.node("ResourceMonitor")
    with fails("run-missing"):
        node().validate(node.known({"name": name}), set(), Context(place.host, place.services))
    with fails("run-missing"):
        place.run("ResourceMonitor", name=name, seconds=0)


def test_it_tells_how_far_it_is_and_can_be_cancelled(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []

    class Cancelled(Exception):
        pass

    def look() -> None:
        if len(told) == 3:
            raise Cancelled

    monkeypatch.setattr(watching, "STEP", 0.01)
    monkeypatch.setattr(place.host, "progress", lambda node, now: told.append(now))
    monkeypatch.setattr(place.host, "raise_if_interrupted", look)
    with pytest.raises(Cancelled):
        place.run("ResourceMonitor", seconds=300)
    assert [now.current for now in told] == [1, 2, 3] and told[0].total and told[0].total > 1000


def test_the_picture_is_shown_in_the_node(place: Workplace, tmp_path: Path) -> None:
    place.host.preview_folder = tmp_path / "temp"
    node = place.node("ResourceMonitor")
    context = Context(place.host, place.services, "2:1")
    node().run(node.parse({"seconds": 0}), context)
    (shown,) = context.pictures
    assert shown.parent == tmp_path / "temp" and shown.name.startswith("musubi_2_1_resources_")
    assert json.dumps(context.texts) and resource_monitor.ResourceMonitor.always_runs
