"""Converter, post-hoc EMA and merger on the miniature: the arithmetic is compared with a reference in numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families import Header, Run
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes_lora_tools.names import families_of, wrong_names

FAMILIES = {
    "wan": ("blocks.0.self_attn.q", "blocks.0.cross_attn.k", "blocks.1.ffn.0", "blocks.1.cross_attn.k_img"),
    "hunyuan": ("double_blocks.0.img_attn_qkv", "double_blocks.1.txt_mlp.fc1", "single_blocks.0.linear1"),
}
"""Modules of each family that can be converted."""


@pytest.mark.parametrize("family", FAMILIES)
def test_there_and_back_gives_the_same_effective_weights(place: Any, weights: Any, family: str) -> None:
    first = place.random("a", FAMILIES[family])
    other = place.run("LoRAFormatConverter", lora=first)
    assert other.format == "musubi -> other" and other.lora.path.name == "a_other.safetensors"
    back = place.run("LoRAFormatConverter", lora=other.lora)
    assert back.format == "other -> musubi"
    before, between, after = (weights(lora.path) for lora in (first, other.lora, back.lora))
    assert before.keys() == between.keys() == after.keys()
    for name in before:
        assert np.abs(before[name] - between[name]).max() < 1e-5
        assert np.abs(before[name] - after[name]).max() < 1e-5


def test_ema_is_the_running_average_of_the_checkpoints(place: Any) -> None:
    from safetensors.numpy import load_file

    loras = [place.random(f"c{n}", seed=n) for n in range(3)]
    made = place.run("LoRAPostHocEMA", lora=place.chain(*loras), beta=0.8, no_sort=True).lora
    first, second, third = (load_file(lora.path) for lora in loras)
    found = load_file(made.path)
    for name in first:
        if not name.endswith(".alpha"):
            expected = 0.8 * (0.8 * first[name] + 0.2 * second[name]) + 0.2 * third[name]
            assert np.abs(found[name] - expected).max() < 1e-5


def gamma(sigma_rel: float) -> float:
    """The power function's exponent for a relative width (arXiv 2312.02696, algorithm 2)."""
    roots = np.roots([1, 7, 16 - sigma_rel**-2, 12 - sigma_rel**-2])
    return float(roots[np.isreal(roots) & (roots.real >= 0)].real.max())


@pytest.mark.parametrize(
    ("values", "betas"),
    [
        ({"beta": 0.8, "beta2": 0.4}, [0.8, 0.6, 0.4]),
        ({"sigma_rel": 0.2}, [(1 - 1 / step) ** (gamma(0.2) + 1) for step in (1, 2, 3)]),
    ],
)
def test_the_decay_may_change_from_checkpoint_to_checkpoint(place: Any, values: Any, betas: Any) -> None:
    from safetensors.numpy import load_file

    loras = [place.random(f"c{number}", seed=number) for number in range(4)]
    made = place.run("LoRAPostHocEMA", lora=place.chain(*loras), no_sort=True, **values).lora
    first, *rest = (load_file(lora.path) for lora in loras)
    found = load_file(made.path)
    for name, expected in first.items():
        for beta, other in zip(betas, rest, strict=True):
            expected = beta * expected + (1 - beta) * other[name]
        assert np.abs(found[name] - expected).max() < 1e-5


def test_a_merged_model_is_the_old_one_and_the_loras(place: Any, weights: Any, tensors: Any) -> None:
    """The merged file is in bfloat16, which keeps eight bits: half of the last one is the reference's margin."""
    dit = place.model("hunyuan_video_t2v")
    shapes = {name.removesuffix(".weight"): value.shape for name, value in tensors(dit).items()}
    modules = ("double_blocks.0.img_attn_qkv", "single_blocks.0.linear2")
    loras = [place.random(f"m{seed}", modules, seed=seed, shapes=shapes) for seed in range(2)]
    chain = place.chain(*(x.model_copy(update={"multiplier": m}) for x, m in zip(loras, (0.5, -1.0), strict=True)))
    merged = place.run("LoRAMerger", lora=chain, dit="miniature/hunyuan_video_t2v.safetensors")
    before, after = tensors(dit), tensors(Path(merged.path))
    assert before.keys() == after.keys()
    for name, old in before.items():
        expected = old.astype(np.float64)
        for lora in chain.chain():
            module = name.removesuffix(".weight").replace(".", "_")
            expected = expected + lora.multiplier * weights(lora.path).get(module, 0.0)
        assert (np.abs(after[name] - expected) <= np.abs(expected) * 2**-8 + 1e-5).all(), name


def test_ema_takes_all_whole_checkpoints_of_a_run(place: Any) -> None:
    folder = place.folder / "run"
    (folder / "out").mkdir(parents=True)
    for number in range(2):
        path = place.random(f"r{number}", seed=number).path
        path.rename(folder / "out" / path.name)
    (folder / "out" / "half-written.safetensors").write_bytes(b"\x40")
    run = Run(folder=folder)
    assert place.run("LoRAPostHocEMA", run=run).lora.path.name == "ema.safetensors"
    assert "2" in place.texts[0]


def test_ema_takes_those_of_the_runs_before_as_far_as_they_count(place: Any) -> None:
    from safetensors.numpy import load_file, save_file

    before, after = (RunFolder.create(place.host.output_folder, "WanLoRATrainer") for _ in range(2))
    for folder in (before, after):
        for step in (1, 2):
            weights = load_file(place.random(f"{step}", seed=step).path)
            save_file(weights, folder.out / f"a-{step}.safetensors", metadata={"ss_steps": str(step)})
    state = {"state": f"{before.path.name}/out/a-state", "step": 1, "epoch": 1}
    (after.path / "resumed.json").write_text(json.dumps(state))
    made = place.run("LoRAPostHocEMA", run=Run(folder=after.path)).run
    words = json.loads((made.folder / "command.json").read_text("utf-8"))["command"]
    taken = [Path(word) for word in words if Path(word).match("out/a-*.safetensors")]
    assert taken == [before.out / "a-1.safetensors", after.out / "a-1.safetensors", after.out / "a-2.safetensors"]


def test_nothing_that_is_there_is_overwritten(place: Any) -> None:
    lora = place.random("a")
    first = place.run("LoRAFormatConverter", lora=lora).lora.path
    second = place.run("LoRAFormatConverter", lora=lora).lora.path
    assert first != second and first.exists() and second.name == "a_other-2.safetensors"


def test_layers_that_several_models_have_are_right_as_any_of_them_spells_them() -> None:
    shared = Header(dict.fromkeys(["lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight"]), {})
    found = families_of(shared, plugins().families)
    assert {family.key for family in found} >= {"hunyuan", "flux_2", "flux_kontext"}
    for name in ("img_attn_qkv", "img_attn.qkv"):
        spelled = Header(dict.fromkeys([f"diffusion_model.double_blocks.0.{name}.lora_A.weight"]), {})
        assert wrong_names(spelled, *found) == []
    assert wrong_names(Header(dict.fromkeys(["diffusion_model.double.blocks.0.x.lora_A.weight"]), {}), *found)
