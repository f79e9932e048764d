"""The Memory Optimizer: estimates, plans that fit, and what earlier runs really took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.commands.tables import table
from musubi_nodes.families.arguments import spelled
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import GENERATOR_OPTIONS, NO_FLASH3, Family, family_named, with_choice
from musubi_nodes.families.memory.footprint import GIB, Shape, parts, total
from musubi_nodes.families.memory.measured import correction, record_estimate
from musubi_nodes.families.memory.plans import FIELDS, HEADROOM, Plan, plan, stronger
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.settings import Memory
from musubi_nodes.nodes.memory import DESKTOP, MemoryOptimizer
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def family(key: str) -> Family:
    found = family_named(plugins().families, key)
    assert found
    return found


def size(name: str) -> DitSize:
    """The DiT called "wan A14B"."""
    key, wanted = name.split()
    return next(each for each in family(key).sizes if each.name == wanted)


def generated(width: int, height: int, frames: int) -> Shape:
    return Shape(width, height, frames, training=False)


FP8, SCALED, OFFLOAD = {"fp8": "fp8"}, {"fp8": "fp8_scaled"}, {"gradient_checkpointing_cpu_offload": True}
MEASURED: dict[str, tuple[str, Shape, dict[str, Any], float]] = {
    "HunyuanVideo 1280x720, 41 frames": ("hunyuan 13B", Shape(1280, 720, 41), FP8, 42.7),
    "the same with offload": ("hunyuan 13B", Shape(1280, 720, 41), FP8 | OFFLOAD, 31.9),
    "HunyuanVideo 512x512, swap 24": ("hunyuan 13B", Shape(512, 512, 1), FP8 | {"blocks_to_swap": 24}, 8),
    "Wan 2.2 1280x720, 25 frames": ("wan A14B", Shape(1280, 720, 25), FP8, 46.4),
    "that with offload": ("wan A14B", Shape(1280, 720, 25), FP8 | OFFLOAD, 34.4),
    "Wan 2.1 14B 512x512, rank 128": ("wan 14B", Shape(512, 512, 1, rank=128), FP8 | OFFLOAD, 20.7),
    "Qwen-Image 1024x1024": ("qwen_image 20B", Shape(1024, 1024, 1, rank=16), {}, 42),
    "that in fp8": ("qwen_image 20B", Shape(1024, 1024, 1, rank=16), SCALED, 30),
    "and swap 16": ("qwen_image 20B", Shape(1024, 1024, 1, rank=16), SCALED | {"blocks_to_swap": 16}, 24),
    "and swap 45": ("qwen_image 20B", Shape(1024, 1024, 1, rank=16), SCALED | {"blocks_to_swap": 45}, 12),
    "Z-Image 512x512, rank 128": ("z_image 6B", Shape(512, 512, 1, rank=128), SCALED, 9.8),
    "FLUX.2 klein 4B 512x512, rank 128": ("flux_2 klein-4B", Shape(512, 512, 1, rank=128), SCALED, 7.0),
    "FLUX.2 klein 9B 512x512, rank 128": ("flux_2 klein-9B", Shape(512, 512, 1, rank=128), SCALED, 13.9),
}
"""Peaks of LoRA trainings that users of musubi-tuner measured, in GB, and those of docs/qwen_image.md (v0.3.4). Nobody
told one of generating."""


@pytest.mark.parametrize("row", MEASURED)
def test_the_estimate_is_near_what_users_measured(row: str) -> None:
    name, shape, values, measured = MEASURED[row]
    assert total(size(name), shape, Memory(**values)) == pytest.approx(measured, rel=0.15)


KNOWN_TO_FIT: dict[str, tuple[str, Shape, float]] = {
    "docs/wan.md: generating": ("wan 14B", generated(1280, 720, 81), 24),
    "docs/wan.md: training": ("wan 14B", Shape(720, 1280, 1), 24),
    "users: Wan I2V 480p": ("wan 14B", generated(832, 480, 81), 16),
    "users: Wan I2V 240p": ("wan 14B", generated(424, 240, 81), 12),
    "users: Wan 512x512, 81 frames": ("wan 14B", Shape(512, 512, 81), 24),
    "README: Wan pictures": ("wan 14B", Shape(960, 544, 1), 12),
    "README: HunyuanVideo pictures": ("hunyuan 13B", Shape(960, 544, 1), 12),
    "users: HunyuanVideo pictures": ("hunyuan 13B", Shape(512, 512, 1), 9),
    "docs/framepack.md: training": ("framepack 13B", Shape(640, 640, 145), 17),
}
"""GB of a card on which some plan is said to do it. The reports of Wan I2V tell no length: 81 is the usual one."""


@pytest.mark.parametrize("row", KNOWN_TO_FIT)
def test_what_is_known_to_fit_a_card_has_a_plan_for_it(row: str) -> None:
    name, shape, card = KNOWN_TO_FIT[row]
    found = plan(family(name.split()[0]), size(name), shape, card - DESKTOP, Memory())
    assert found.fits, found.text()


TOO_MUCH: dict[str, tuple[str, Shape, dict[str, Any], float]] = {
    "Wan 2.2 720p, 81 frames, full swap": ("wan A14B", Shape(1280, 720, 81), SCALED | {"blocks_to_swap": 39}, 96),
    "HunyuanVideo in 16 bits without swap": ("hunyuan 13B", Shape(512, 512, 1), {}, 24),
}
"""Trainings that need more than these GB: a user's report, and weights that alone have 23 GiB."""


@pytest.mark.parametrize("row", TOO_MUCH)
def test_what_is_known_not_to_fit_is_not_promised(row: str) -> None:
    name, shape, values, card = TOO_MUCH[row]
    memory = Memory(**values)
    assert not Plan(memory, parts(size(name), shape, memory), (), card).fits


def test_a_model_that_works_section_by_section_needs_no_more_for_a_longer_video() -> None:
    def needs(name: str, frames: int) -> float:
        return total(size(name), generated(640, 640, frames), Memory())

    assert needs("framepack 13B", 145) == needs("framepack 13B", 37) < needs("hunyuan 13B", 145)


@pytest.mark.parametrize(
    ("name", "shape", "card"),
    [("wan 14B", generated(832, 480, 81), 12), ("framepack 13B", generated(640, 640, 145), 8)],
)
def test_what_was_once_called_impossible_by_mistake_has_a_plan(name: str, shape: Shape, card: float) -> None:
    assert plan(family(name.split()[0]), size(name), shape, card - DESKTOP, Memory()).fits


def test_wan_2_2_says_what_else_saves() -> None:
    assert "force_v2_1_time_embedding" in plan(family("wan"), size("wan A14B"), PICTURES, 24, Memory()).text()


PICTURES = Shape(960, 544, 1)
FAMILIES = ("wan", "hunyuan", "framepack")


def made(key: str, budget: float, shape: Shape = PICTURES, **chosen: Any) -> Any:
    return plan(family(key), family(key).sizes[0], shape, budget, Memory(**chosen))


@pytest.mark.parametrize("key", FAMILIES)
def test_less_memory_makes_a_stronger_plan_and_each_fits(key: str) -> None:
    plans = [made(key, budget) for budget in (80, 48, 24, 16, 12)]
    assert all(found.fits and found.total <= found.budget * HEADROOM for found in plans)
    assert [found.total for found in plans] == sorted((found.total for found in plans), reverse=True)
    swaps = [found.memory.blocks_to_swap or 0 for found in plans]
    assert swaps == sorted(swaps) and swaps[0] == 0 and swaps[-1] > 10
    assert plans[0].memory.fp8 == "off" and plans[-1].memory.fp8_text_encoder


def test_a_plan_takes_only_what_the_script_offers() -> None:
    assert made("hunyuan", 16).memory.fp8 == "fp8"
    assert made("wan", 16).memory.fp8 == "fp8_scaled"


@pytest.mark.parametrize("key", FAMILIES)
@pytest.mark.parametrize("training", [True, False])
def test_what_a_plan_decides_is_an_option_of_the_familys_scripts(key: str, training: bool) -> None:
    """And what it gives as a reason is what it decides."""
    found = made(key, 7, Shape(640, 640, 37, training))
    nodes = [n for n in plugins().nodes if hasattr(n, "script") and getattr(n, "family", None) == family(key)]
    options = {name for node in nodes for name in table(node.script) or {}}
    set_ = {name for name in FIELDS if getattr(found.memory, name) != Memory.model_fields[name].default}
    own = {"fp8_text_encoder": family(key).fp8_text_encoder, "fp8": "fp8", "attention": "attn_mode"}
    assert {own.get(name, name) for name in set_} <= options
    vae = {name for name in set_ if name.startswith("vae_")}
    assert vae and all(name in found.text() for name in vae)
    assert ("vae_tiling" in vae) == (key != "wan")


@pytest.mark.parametrize(
    ("key", "training", "installed", "attention", "split"),
    [
        ("wan", True, {"sdpa"}, "sdpa", False),
        ("wan", True, {"sdpa", "flash", "sage"}, "flash", False),
        ("wan", True, None, "sdpa", False),
        ("hunyuan", True, {"sdpa"}, "sdpa", True),
        ("hunyuan", False, {"sdpa", "flash"}, "flash", False),
        ("framepack", True, {"sdpa", "flash"}, "flash", True),
        ("framepack", False, {"sdpa"}, "sdpa", False),
    ],
)
def test_attention_follows_from_what_is_installed_and_what_the_script_can(
    key: str, training: bool, installed: set[str] | None, attention: str, split: bool
) -> None:
    shape = Shape(640, 640, 37, training)
    found = plan(family(key), family(key).sizes[0], shape, 24, Memory(), installed=installed)
    assert (found.memory.attention, found.memory.split_attn) == (attention, split)
    assert f"attention {attention}: " in found.text() and ("split_attn: " in found.text()) == split


@pytest.mark.parametrize("key", FAMILIES)
def test_generators_get_an_attention_that_the_shared_code_has(key: str) -> None:
    """modules/attention.py of v0.3.4 knows torch, not sdpa; only Wan's own code has FlashAttention 3."""
    found = family(key)
    assert found.generator_options["attention"]["sdpa"] == {"attn_mode": "torch"}
    flash3 = [options["attention"]["flash3"] for options in (found.trainer_options, found.generator_options)]
    assert flash3 == ([{"flash3": True}, {"attn_mode": "flash3"}] if key == "wan" else [NO_FLASH3] * 2)


def test_an_attention_that_cannot_run_is_not_kept() -> None:
    assert made("wan", 24, attention="sage").memory.attention == "sdpa"
    chosen = Memory(attention="flash")
    assert plan(family("wan"), size("wan 14B"), PICTURES, 24, chosen, installed={"sdpa"}).memory.attention == "sdpa"


def test_what_does_not_fit_is_said_with_the_strongest_plan() -> None:
    found = made("wan", 8, Shape(1280, 720, 81))
    assert not found.fits and found.memory.block_swap_h2d_only and found.memory.blocks_to_swap == 39
    assert "smaller resolution or fewer frames" in found.text()


def test_generating_needs_no_gradients() -> None:
    found = made("wan", 24, Shape(832, 480, 81, training=False))
    assert found.fits and not found.memory.gradient_checkpointing_cpu_offload
    assert "LoRA and optimizer" not in [part.name for part in found.parts]


def test_what_a_plan_does_not_decide_stays_as_it_was_chosen() -> None:
    found = made("wan", 16, attention="xformers", split_attn=True, compile=True, blocks_to_swap=3)
    assert (found.memory.attention, found.memory.split_attn, found.memory.compile) == ("xformers", True, True)


@pytest.mark.parametrize("key", FAMILIES)
def test_stronger_plans_come_to_an_end(key: str) -> None:
    memory, steps = Memory(gradient_checkpointing=False), []
    while found := stronger(
        memory,
        family(key),
        family(key).trainer_options,
        36,
        {*Memory.model_fields, "fp8_base", "fp8_scaled"},
        training=True,
    ):
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
    assert "15.0 GiB" in out.report and "blocks_to_swap" in out.report and out.report == place.texts[0]
    assert run(place, mode="16 GB", model_size="1.3B").memory.blocks_to_swap is None


def test_a_figure_counts_instead_of_the_card(place: Workplace) -> None:
    assert "10.0 GiB" in run(place, mode="auto", free_memory=10.0).report


def test_by_hand_the_widgets_count_and_the_estimate_is_told(place: Workplace) -> None:
    out = run(place, blocks_to_swap=7, width=512, height=512)
    assert out.memory.blocks_to_swap == 7 and "GiB" in out.report
    assert place.run("MemoryOptimizer").report == ""


def test_a_dataset_says_what_goes_through_the_model_at_once(place: Workplace) -> None:
    small = place.load(place.dataset())
    assert run(place, mode="24 GB", dataset=small, width=4096, height=4096).memory.blocks_to_swap is None


@pytest.mark.parametrize(
    ("values", "code", "named"),
    [
        ({"mode": "auto", "family": "any"}, "setting-missing", "auto"),
        ({"mode": "8 GB", "family": "wun"}, "family-unknown", "wun"),
        ({"mode": "8 GB", "model_size": "1.4B"}, "model-size-unknown", "1.4B"),
        ({"mode": "8 GB", "width": 100}, "size-not-divisible", "96"),
    ],
)
def test_what_cannot_be_planned_is_told(place: Workplace, values: dict[str, Any], code: str, named: str) -> None:
    with fails(code, named):
        run(place, **values)


def test_without_a_driver_auto_says_what_to_do(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musubi_nodes.runs.hardware.gpu.memory", lambda gpu: None)
    with fails("gpu-memory-unknown"):
        run(place, mode="auto")


def test_what_an_earlier_run_took_corrects_the_estimate(place: Workplace) -> None:
    wan, shape, output = family("wan"), Shape(960, 544, 1), place.host.output_folder
    size = wan.sizes[0]
    assert correction(output, "wan", size, shape) == 1.0
    with RunFolder.opened(output, "WanLoRATrainer") as folder:
        record_estimate(folder, "wan", size, shape, Memory())
        folder.write_status("done", peak_gpu_bytes=int(1.5 * GIB * total(size, shape, Memory())))
    assert correction(output, "wan", size, shape) == pytest.approx(1.5)
    assert correction(output, "wan", size, Shape(960, 544, 5)) == 1.0
    out = run(place, mode="80 GB", width=960, height=544)
    assert "1.50" in out.report


@pytest.mark.parametrize(
    ("values", "code", "named"),
    [
        ({"mode": "auto", "family": "any", "free_memory": 8.0}, "setting-missing", "auto"),
        ({"mode": "8 GB", "family": "wun"}, "family-unknown", "wun"),
        ({"mode": "8 GB", "family": "wan", "model_size": "99B"}, "model-size-unknown", "99B"),
        ({"mode": "auto", "family": "wan"}, "gpu-memory-unknown", ""),
    ],
)
def test_what_cannot_be_planned_is_refused_when_it_is_queued(
    place: Workplace, values: dict[str, Any], code: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("musubi_nodes.runs.hardware.gpu.memory", lambda gpu: None)
    context = Context(place.host, place.services)
    with fails(code, named):
        MemoryOptimizer().validate(MemoryOptimizer.known(values), set(), context)
    linked = {"mode", "family", "model_size"}
    MemoryOptimizer().validate(MemoryOptimizer.known(values), linked, context)


IMPOSSIBLE = [
    ({"family": "wan", "blocks_to_swap": 60}, "blocks-to-swap-too-large", ("Wan 14B", 60, 39)),
    ({"family": "wan", "model_size": "1.3B", "blocks_to_swap": 30}, "blocks-to-swap-too-large", ("1.3B", 30, 29)),
    (
        {"family": "hunyuan", "use": "generating", "blocks_to_swap": 39},
        "blocks-to-swap-too-large",
        ("generating", 39, 38),
    ),
    ({"family": "hunyuan", "fp8": "fp8_scaled"}, "setting-not-possible", ("fp8_scaled", "HunyuanVideo training")),
    ({"family": "wan", "attention": "sage"}, "setting-not-possible", ("sage", "Wan training")),
]
"""Widgets of a plan by hand that no script could follow, and the code and values that are told."""


@pytest.mark.parametrize(("values", "code", "named"), IMPOSSIBLE)
def test_a_plan_by_hand_that_no_script_could_follow_gets_no_estimate(
    place: Workplace, values: dict[str, Any], code: str, named: tuple[object, ...]
) -> None:
    with fails(code, *named):
        run(place, **values)
    with fails(code, *named):
        MemoryOptimizer().validate(MemoryOptimizer.known(values), set(), Context(place.host, place.services))


def test_what_may_be_possible_with_what_a_link_brings_is_not_refused(place: Workplace) -> None:
    context = Context(place.host, place.services)
    for linked in ("use", "family", "mode", "model_size"):
        values = MemoryOptimizer.known({"family": "wan", "attention": "sage"})
        MemoryOptimizer().validate(values, {linked}, context)
    out = run(place, attention="sage", use="generating", blocks_to_swap=39)
    assert out.memory.attention == "sage" and "GiB" in out.report


def test_a_script_may_call_what_saves_memory_by_another_name() -> None:
    options = with_choice(GENERATOR_OPTIONS, "vae_tiling", True, {"vae_enable_tiling": True})
    toy = Family("toy", "Toy", "toy", "x", vae_saving={"vae_tiling": True}, generator_options=options)
    least = Memory(fp8="fp8_scaled", blocks_to_swap=36)
    known = {"vae_enable_tiling", "blocks_to_swap"}
    found = stronger(least, toy, options, 36, known, training=False)
    assert found and found[0] == least.model_copy(update={"vae_tiling": True})
    assert stronger(least, toy, options, 36, {"vae_tiling"}, training=False) is None
    assert spelled(found[0], options, "toy.py")["vae_enable_tiling"] is True
    assert "vae_enable_tiling" not in spelled(least, options, "toy.py")
