"""The Memory Optimizer: estimates, plans that fit, and what earlier runs really took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.family import Family, family_named
from musubi_nodes.families.memory.footprint import GIB, Shape, total
from musubi_nodes.families.memory.measured import correction, note
from musubi_nodes.families.memory.plans import HEADROOM, plan, stronger
from musubi_nodes.families.settings import Memory
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def family(key: str) -> Family:
    found = family_named(plugins().families, key)
    assert found
    return found


OFFLOAD = {"gradient_checkpointing_cpu_offload": True}
REPORTED = {
    "HunyuanVideo 1280x720, 41 frames, fp8": ("hunyuan", Shape(1280, 720, 41), {"fp8": "fp8"}, 42.7),
    "the same with offload": ("hunyuan", Shape(1280, 720, 41), {"fp8": "fp8", **OFFLOAD}, 31.9),
    "Wan 2.2 14B 1280x720, 25 frames, fp8": ("wan", Shape(1280, 720, 25), {"fp8": "fp8"}, 46.4),
    "the same with offload ": ("wan", Shape(1280, 720, 25), {"fp8": "fp8", **OFFLOAD}, 34.4),
    "Wan 2.1 14B 512x512, fp8, rank 128": ("wan", Shape(512, 512, 1, rank=128), {"fp8": "fp8", **OFFLOAD}, 20.7),
}
"""Peaks of LoRA trainings that users of musubi-tuner measured, in GB."""


@pytest.mark.parametrize("row", REPORTED)
def test_the_estimate_is_near_what_users_measured(row: str) -> None:
    key, shape, values, measured = REPORTED[row]
    assert total(family(key).sizes[0], shape, Memory(**values)) == pytest.approx(measured, rel=0.15)


PICTURES = Shape(960, 544, 1)


def made(key: str, budget: float, shape: Shape = PICTURES, **chosen: Any) -> Any:
    return plan(family(key), family(key).sizes[0], shape, budget, Memory(**chosen))


@pytest.mark.parametrize("key", ["wan", "hunyuan", "framepack"])
def test_less_memory_makes_a_stronger_plan_and_each_fits(key: str) -> None:
    plans = [made(key, budget) for budget in (80, 48, 24, 16, 12)]
    assert all(found.fits and found.total <= found.budget * HEADROOM for found in plans)
    assert [found.total for found in plans] == sorted((found.total for found in plans), reverse=True)
    swaps = [found.memory.blocks_to_swap or 0 for found in plans]
    assert swaps == sorted(swaps) and swaps[0] == 0 and swaps[-1] > 10
    assert plans[0].memory.fp8 == "off" and plans[-1].memory.fp8_text_encoder and plans[-1].memory.vae_tiling


def test_a_plan_takes_only_what_the_script_offers() -> None:
    assert made("hunyuan", 16).memory.fp8 == "fp8"
    assert made("wan", 16).memory.fp8 == "fp8_scaled"


def test_what_does_not_fit_is_said_with_the_strongest_plan() -> None:
    found = made("wan", 12, Shape(1280, 720, 81))
    assert not found.fits and found.memory.block_swap_h2d_only and found.memory.blocks_to_swap == 39
    assert "smaller resolution or fewer frames" in found.text()


def test_generating_needs_no_gradients() -> None:
    found = made("wan", 24, Shape(832, 480, 81, training=False))
    assert found.fits and not found.memory.gradient_checkpointing_cpu_offload
    assert "LoRA and optimizer" not in found.parts


def test_what_a_plan_does_not_decide_stays_as_it_was_chosen() -> None:
    found = made("wan", 16, attention="xformers", split_attn=True, compile=True, blocks_to_swap=3)
    assert (found.memory.attention, found.memory.split_attn, found.memory.compile) == ("xformers", True, True)


@pytest.mark.parametrize("key", ["wan", "hunyuan", "framepack"])
def test_stronger_plans_come_to_an_end(key: str) -> None:
    memory, steps = Memory(gradient_checkpointing=False), []
    while found := stronger(memory, family(key).trainer_spelling, 36, training=True, known=Memory.model_fields):
        memory, told = found
        steps.append(told)
        Memory.model_validate(memory.model_dump())
    assert 5 < len(steps) < 20 and len(set(steps)) == len(steps)
    assert memory.blocks_to_swap == 36 and memory.block_swap_h2d_only


def run(place: Workplace, **values: Any) -> Any:
    return place.run("MemoryOptimizer", **{"family": "wan", **values})


def test_a_preset_makes_the_plan_and_tells_why(place: Workplace) -> None:
    out = run(place, mode="16 GB", width=960, height=544)
    assert out.memory.blocks_to_swap and out.memory.fp8 == "fp8_scaled"
    assert "fits into 15.0 GiB" in out.report and "blocks_to_swap" in out.report and out.report == place.texts[0]
    assert run(place, mode="16 GB", model_size="1.3B").memory.blocks_to_swap is None


def test_a_figure_counts_instead_of_the_card(place: Workplace) -> None:
    assert "fits into 10.0 GiB" in run(place, mode="auto", free_memory=10.0).report


def test_by_hand_the_widgets_count_and_the_estimate_is_told(place: Workplace) -> None:
    out = run(place, blocks_to_swap=7, width=512, height=512)
    assert out.memory.blocks_to_swap == 7 and out.report.startswith("about ")
    assert place.run("MemoryOptimizer").report == ""


def test_a_dataset_says_what_goes_through_the_model_at_once(place: Workplace) -> None:
    small = place.load(place.dataset())
    assert run(place, mode="24 GB", dataset=small, width=4096, height=4096).memory.blocks_to_swap is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "auto", "family": "any"}, "needs to know the model family"),
        ({"mode": "8 GB", "family": "wun"}, "no model family 'wun'"),
        ({"mode": "8 GB", "model_size": "1.4B"}, r"no size '1.4B'"),
        ({"mode": "8 GB", "width": 100}, "divisible by 16"),
    ],
)
def test_what_cannot_be_planned_is_told(place: Workplace, values: dict[str, Any], message: str) -> None:
    with pytest.raises(MusubiError, match=message):
        run(place, **values)


def test_without_a_driver_auto_says_what_to_do(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musubi_nodes.runs.hardware.gpu.memory", lambda gpu: None)
    with pytest.raises(MusubiError, match="free memory of the GPU is not known"):
        run(place, mode="auto")


def test_what_an_earlier_run_took_corrects_the_estimate(place: Workplace) -> None:
    wan, shape, output = family("wan"), Shape(960, 544, 1), place.host.output_folder
    size = wan.sizes[0]
    assert correction(output, "wan", size, shape) == 1.0
    with RunFolder.opened(output, "WanLoRATrainer") as folder:
        note(folder, "wan", size, shape, Memory())
        folder.write_status("done", peak_gpu_bytes=int(1.5 * GIB * total(size, shape, Memory())))
    assert correction(output, "wan", size, shape) == pytest.approx(1.5)
    assert correction(output, "wan", size, Shape(960, 544, 5)) == 1.0
    out = run(place, mode="80 GB", width=960, height=544)
    assert "corrected by 1.50" in out.report


def test_a_training_notes_what_its_memory_was_needed_for(place: Workplace) -> None:
    folder = RunFolder.create(place.host.output_folder, "x")
    note(folder, "wan", None, Shape(96, 64, 1), Memory())
    assert not (folder.path / "memory.json").exists()
