"""Each advice follows from its numbers, and from nothing less."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.fake_nvml import GIB, FakeGpu, FakeNvml

from musubi_nodes.nodes.resources.advice import CARD, DISK, MACHINE, NOTHING, RECORD, advice
from musubi_nodes.nodes.resources.facts import Facts, OurRun
from musubi_nodes.runs.hardware.cards import cards
from musubi_nodes.runs.hardware.machine import Disk, Machine
from musubi_nodes.runs.hardware.watching import Moment

RUN, WORKER = 2**22 + 11, 2**22 + 12
"""Process ids that no process has."""
TRAINS = OurRun("a-run", frozenset({RUN, WORKER}), 10 * GIB, ("0",), "training")


@pytest.fixture(scope="module")
def other() -> Iterator[psutil.Process]:
    """A program that is not ours."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield psutil.Process(child.pid)
    child.communicate(b"\n")


def facts(
    *gpus: FakeGpu, run: OurRun | None = None, cpu: float = 20, ram: float = 16, swap: float = 0, **more: Any
) -> Facts:
    """A machine of 64 GiB with these GPUs, watched five times."""
    now = Machine(cpu, round(ram * GIB), 64 * GIB, round(swap * GIB), 8 * GIB)
    moments = [Moment(at, now, tuple(cards(FakeNvml(*gpus)))) for at in range(5)]
    return Facts(moments, [run] if run else [], **{"disks": [], "output": Path("output"), **more})


def said(*gpus: FakeGpu, **more: Any) -> list[str]:
    return advice(facts(*gpus, **more))


def test_a_calm_machine_needs_no_advice() -> None:
    assert said() == said(FakeGpu()) == said(FakeGpu(refuses=("MemoryInfo", "UtilizationRates"))) == [NOTHING]
    assert said(FakeGpu(used=20, use=95, compute={RUN: 19.0}), run=TRAINS, cpu=90) == [NOTHING]
    assert said(FakeGpu(used=22, use=99, compute={RUN: 21.5}), FakeGpu(use=90), run=TRAINS) == [NOTHING]


def test_a_gpu_full_of_foreign_programs_names_them(other: psutil.Process) -> None:
    full, modes = said(FakeGpu(used=23, graphics={other.pid: 9.5}, compute={RUN: 8.0}))
    assert full.startswith("GPU 0 is nearly full (23.0 of 24.0 GiB), 9.5 GiB of it by programs")
    assert f"{other.name()} (pid {other.pid}) 9.5 GiB. Close them" in full and str(RUN) not in full
    assert "1.0 GiB are free on GPU 0, but mode 24 GB" in modes and "free some memory first" in modes


def test_what_the_driver_does_not_tell_is_no_zero(other: psutil.Process) -> None:
    told = said(FakeGpu(used=11.5, total=12, graphics={other.pid: None}), run=TRAINS)
    assert any(f"the driver does not report memory per program (usual on Windows). These programs use it: "
               f"{other.name()} (pid {other.pid})." in line for line in told)  # fmt: skip


def test_comfyuis_own_models_are_told_apart() -> None:
    assert said(FakeGpu(used=2.5, compute={os.getpid(): 2.0})) == [
        "ComfyUI itself holds 2.0 GiB of GPU 0. A run unloads ComfyUI's models before it starts; to have the memory "
        "at once: Edit > Unload Models."
    ]
    assert said(FakeGpu(compute={os.getpid(): 0.4})) == [NOTHING]


@pytest.mark.parametrize(
    ("used", "total", "told"),
    [
        (1.5, 24, None),
        (8.5, 24, "15.5 GiB are free on GPU 0, but mode 24 GB of the Memory Optimizer needs nearly all of it. "
         "Use mode auto or 16 GB."),
        (3, 8, "5.0 GiB are free on GPU 0, but mode 8 GB of the Memory Optimizer needs nearly all of it. "
         "No mode fits into that little: free some memory first."),
        (2, 22.5, None),
        (1, 4, None),
        (40, 79.6, "39.6 GiB are free on GPU 0, but mode 80 GB of the Memory Optimizer needs nearly all of it. "
         "Use mode auto or 32 GB."),
    ],
)  # fmt: skip
def test_less_free_memory_means_another_mode_of_the_memory_optimizer(used: float, total: float, told: Any) -> None:
    assert said(FakeGpu(used=used, total=total)) == [told or NOTHING]
    assert said(FakeGpu(used=used, total=total, use=90), run=TRAINS) == [NOTHING]


def test_a_gpu_that_our_run_fills_is_told() -> None:
    (told,) = said(FakeGpu(used=23.6, use=99, compute={RUN: 23.0}), run=TRAINS)
    assert told.startswith("GPU 0 is full (23.6 of 24.0 GiB) while a-run runs.") and "blocks_to_swap" in told


def test_heat_is_told_only_when_the_card_slows_down() -> None:
    assert said(FakeGpu(temperature=88)) == [NOTHING]
    (told,) = said(FakeGpu(temperature=88, reasons=0x20))
    assert "too hot (88 °C)" in told


@pytest.mark.parametrize(
    ("use", "cpu", "stage", "told"),
    [
        (12, 95, "training", "GPU 0 is only 12 % busy while a-run trains, and the CPU 95 %: the CPU slows it down"),
        (12, 30, "training", "GPU 0 is only 12 % busy while a-run trains: it waits for data or swapped blocks"),
        (60, 95, "training", NOTHING),
        (12, 30, "loading", NOTHING),
    ],
)
def test_a_gpu_that_waits_for_a_training_is_told(use: int, cpu: float, stage: str, told: str) -> None:
    run = OurRun(TRAINS.name, TRAINS.pids, 0, ("0",), stage)
    (line,) = said(FakeGpu(used=20, use=use, compute={RUN: 19.0}), run=run, cpu=cpu)
    assert line.startswith(told)


def test_an_idle_second_gpu_is_told_while_the_first_works() -> None:
    busy = FakeGpu(used=20, use=97, compute={RUN: 19.0})
    assert said(busy, FakeGpu(used=0.5), run=TRAINS) == [
        "GPU 1 is idle: a-run on GPU 0. Choose it as `device` of another trainer or generator."
    ]
    assert said(FakeGpu(), FakeGpu()) == said(busy, FakeGpu(used=0.5, use=40), run=TRAINS) == [NOTHING]


def test_a_full_main_memory_names_runs_and_programs(other: psutil.Process) -> None:
    (alone,) = said(ram=60)
    assert alone.startswith("RAM is nearly full (60.0 of 64.0 GiB). The largest programs: ") and "(pid " in alone
    (with_run,) = said(ram=60, run=TRAINS)
    assert "Runs hold: a-run 10.0 GiB." in with_run and "blocks_to_swap or max_data_loader_n_workers" in with_run
    assert said(ram=56, swap=5) == ["The system has moved 5.0 of 8.0 GiB of swap to disk, which is very slow: "
                                    "free main memory."]  # fmt: skip
    assert said(ram=20, swap=7) == said(ram=56) == [NOTHING]


def test_a_disk_without_room_names_our_largest_folders(tmp_path: Path) -> None:
    runs = tmp_path / "musubi" / "runs"
    for name, size in (("small", 10), ("large", 200_000_000), ("middle", 100_000_000)):
        (runs / name / "out").mkdir(parents=True)
        with (runs / name / "out" / "x.safetensors").open("wb") as file:
            file.truncate(size)

    def told(free: float, total: float) -> list[str]:
        return said(disks=[Disk(tmp_path, round(free * GIB), round(total * GIB))], output=tmp_path)

    (line,) = told(4.2, 200)
    assert line.startswith(
        f"4.2 GiB are left on the disk of {tmp_path}. The largest of ours there: {runs / 'large'} 0.2"
    )
    assert line.index("large 0.2 GiB") < line.index("middle 0.1 GiB") and "small" not in line
    (line,) = said(disks=[Disk(tmp_path, 4 * GIB, 200 * GIB)], output=tmp_path / "nothing")
    assert line == f"4.0 GiB are left on the disk of {tmp_path}, and hardly any of it is ours. Free some space there."
    assert told(40, 2000) != [NOTHING] and told(40, 1000) == told(60, 4000) == [NOTHING]


def recorded(folder: Path, own: float, use: int, ram: float = 20, swap: int = 20) -> list[str]:
    """The advice from the record of a training that took a minute."""
    folder = folder / "a-run"
    folder.mkdir()
    words = ["python", "x.py", f"--blocks_to_swap={swap}"] if swap else ["python", "x.py"]
    (folder / "command.json").write_text(json.dumps({"command": words}))
    (folder / "metrics.jsonl").write_text("".join(f'{{"step": {n}, "loss": 1, "time": {40 + n}}}\n' for n in range(20)))
    rows = [
        {
            "time": at, "ram_used": ram * GIB, "ram_total": 64 * GIB, "gpu_used": own * GIB, "gpu_total": 24 * GIB,
            "gpu_use": use if at >= 40 else 0,
        }
        for at in range(60)
    ]  # fmt: skip
    return said(record=folder, rows=rows)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"own": 18, "use": 90}, NOTHING),
        ({"own": 23.8, "use": 90}, "The GPU was full (23.8 of 24.0 GiB) while a-run ran."),
        ({"own": 9, "use": 90}, "a-run used at most 9.0 of 24.0 GiB of the GPU: with fewer than 20 blocks_to_swap it"),
        ({"own": 9, "use": 90, "swap": 0}, NOTHING),
        ({"own": 18, "use": 20}, "The GPU was only 20 % busy while a-run trained: it waited"),
        ({"own": 18, "use": 90, "ram": 63}, "RAM was full (63.0 of 64.0 GiB) while a-run ran"),
    ],
)
def test_the_record_of_a_run_has_its_own_advice(tmp_path: Path, values: dict[str, Any], told: str) -> None:
    (line,) = recorded(tmp_path, **values)
    assert line.startswith(told)


def test_no_sentence_asks_for_a_figure_that_is_not_there() -> None:
    assert all("{0." in rule.text for rule in (*CARD, *MACHINE, *DISK, *RECORD))
