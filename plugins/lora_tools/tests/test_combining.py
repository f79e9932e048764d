"""LoRA Combiner: the sum of LoRAs, whole or cut to a rank, compared with the sum of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugins.lora_tools.tests.conftest import WAN, ToolPlace, effective

from musubi_nodes.families import Lora, read_array, read_header
from musubi_nodes.testing.errors import fails


def weighted_sum(*loras: Lora) -> dict[str, Any]:
    """Sum of the weights' changes, by module."""
    found: dict[str, Any] = {}
    for lora in loras:
        for module, change in effective(lora.path).items():
            found[module] = found.get(module, 0) + lora.multiplier * change
    return found


def strong(lora: Lora, multiplier: float) -> Lora:
    return lora.model_copy(update={"multiplier": multiplier})


def combined(place: ToolPlace, *loras: Lora, **values: Any) -> Any:
    return place.run("LoRACombiner", lora=place.chain(*loras), **values)


def assert_same(found: dict[str, Any], expected: dict[str, Any], error: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for module, change in expected.items():
        np.testing.assert_allclose(found[module], change, atol=error * np.abs(change).max())


def test_the_whole_sum_is_that_of_the_weights(place: ToolPlace) -> None:
    one = strong(place.random("one", seed=1, rank=4), 0.7)
    two = strong(place.random("two", (*WAN[:1], "blocks.5.ffn.2"), seed=2, rank=3, alpha=6), -1.25)
    made = combined(place, one, two)
    assert_same(effective(made.lora.path), weighted_sum(one, two))
    header = read_header(made.lora.path)
    assert header.tensors["lora_unet_blocks_0_self_attn_q.lora_down.weight"].shape == (7, 8)
    assert header.tensors["lora_unet_blocks_5_ffn_2.lora_down.weight"].shape == (3, 8)
    assert (made.lora.multiplier, made.lora.previous, header.metadata["ss_network_dim"]) == (1.0, None, "7")


def test_a_rank_keeps_the_best_part_and_says_how_much(place: ToolPlace) -> None:
    one, two = place.random("one", seed=1, rank=4), place.random("two", seed=2, rank=3)
    whole, made = weighted_sum(one, two), combined(place, one, two, rank=2)
    small = effective(made.lora.path)
    kept = norm = 0.0
    for module, change in whole.items():
        values = np.linalg.svd(change, compute_uv=False)
        assert np.linalg.matrix_rank(small[module], tol=1e-4) == 2
        np.testing.assert_allclose(np.linalg.norm(change - small[module]) ** 2, (values[2:] ** 2).sum(), rtol=1e-4)
        kept, norm = kept + float((values[:2] ** 2).sum()), norm + float((values**2).sum())
    assert f"{kept / norm:.2%}" in made.report


def test_a_rank_above_the_sum_changes_nothing(place: ToolPlace) -> None:
    one = place.random("one", rank=4)
    made = combined(place, one, rank=64)
    assert_same(effective(made.lora.path), effective(one.path))
    assert read_header(made.lora.path).metadata["ss_network_alpha"] == "4"


def test_a_convolution_is_cut_like_its_matrix(place: ToolPlace) -> None:
    from safetensors.numpy import load_file, save_file

    one, dice = place.random("one"), np.random.default_rng(3)
    down = dice.standard_normal((4, 3, 2, 2)).astype("f4")
    up = dice.standard_normal((6, 4, 1, 1)).astype("f4")
    save_file({"lora_unet_patch.lora_down.weight": down, "lora_unet_patch.lora_up.weight": up}, one.path)
    made = load_file(combined(place, one, rank=2).lora.path)
    new_down, new_up = made["lora_unet_patch.lora_down.weight"], made["lora_unet_patch.lora_up.weight"]
    assert (new_down.shape, new_up.shape) == ((2, 3, 2, 2), (6, 2, 1, 1))
    whole = up.reshape(6, 4) @ down.reshape(4, -1)
    values = np.linalg.svd(whole, compute_uv=False)
    error = np.linalg.norm(whole - new_up.reshape(6, 2) @ new_down.reshape(2, -1))
    np.testing.assert_allclose(error**2, (values[2:] ** 2).sum(), rtol=1e-4)


def in_format(path: Path, name: str, dtype: str = "f4") -> Lora:
    """A copy in ComfyUI's format, without alpha."""
    from safetensors.numpy import load_file, save_file

    tensors = {
        f"diffusion_model.blocks.0.self_attn.q.{'lora_A' if 'down' in key else 'lora_B'}.weight": tensor.astype(dtype)
        for key, tensor in load_file(path).items()
        if "blocks_0_self_attn_q.lora" in key
    }
    save_file(tensors, path.with_name(f"{name}.safetensors"))
    return Lora(path=path.with_name(f"{name}.safetensors"), format="other")


@pytest.mark.parametrize(
    ("precision", "dtype", "error"), [("float", "F32", 1e-5), ("fp16", "F16", 2e-3), ("bf16", "BF16", 1e-2)]
)
def test_the_other_format_and_each_precision(place: ToolPlace, precision: str, dtype: str, error: float) -> None:

    one = in_format(place.random("one").path, "other")
    made = combined(place, one, strong(one, 0.5), save_precision=precision).lora
    header = read_header(made.path)
    assert {tensor.dtype for tensor in header.tensors.values()} == {dtype} and made.format == "other"
    down, up, alpha = (
        read_array(made.path, header.tensors[f"diffusion_model.blocks.0.self_attn.q.{name}"])
        for name in ("lora_A.weight", "lora_B.weight", "alpha")
    )
    (whole,) = effective(one.path).values()
    assert_same({"q": float(alpha) / len(down) * (up @ down)}, {"q": 1.5 * whole}, error)


def test_without_a_choice_the_first_files_precision_is_kept(place: ToolPlace) -> None:
    half = in_format(place.random("one").path, "half", "f2")
    header = read_header(combined(place, half, half).lora.path)
    assert {tensor.dtype for tensor in header.tensors.values()} == {"F16"}


def lokr(place: ToolPlace) -> Lora:
    from safetensors.numpy import save_file

    lora = place.random("lokr")
    save_file({"lora_unet_blocks_0_self_attn_q.lokr_w1": np.ones((2, 2), "f4")}, lora.path)
    return lora


REFUSED: dict[str, Any] = {
    "another network": (lambda p: [p.random("a"), lokr(p)], "lora-not-plain", "lokr.safetensors"),
    "another model": (lambda p: [p.random("a"), p.random("b", ("layers.0.attention.to_q",))], "lora-other-model", "b"),
    "another width": (
        lambda p: [p.random("a"), p.random("b", shapes={WAN[0]: (8, 6)})], "lora-other-model", "b.safetensors"
    ),
    "another format": (lambda p: [p.random("a"), in_format(p.random("b").path, "c")], "lora-formats-differ", "c"),
    "high and low noise": (
        lambda p: [p.random(name).model_copy(update={"noise": name}) for name in ("high", "low")],
        "lora-noise-differs",
        "low.safetensors",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "code", "value"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_added_is_refused(place: ToolPlace, make: Any, code: str, value: str) -> None:
    loras = make(place)
    with fails(code, value):
        combined(place, *loras)
    assert not (place.host.output_folder / "models" / "loras" / "musubi").exists()


def test_numbers_too_large_for_the_precision_are_refused_and_nothing_is_left(place: ToolPlace) -> None:
    one = strong(place.random("one"), 1e6)
    with fails("lora-not-finite", "combined"):
        combined(place, one, save_precision="fp16")
    assert [path.name for path in place.host.output_folder.iterdir()] == ["models"]
