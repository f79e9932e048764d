"""Converter and post-hoc EMA on the miniature: the arithmetic is checked, and what cannot come out well is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.families import Run

FRAMEPACK = ("transformer_blocks.0.attn.to_q", "single_transformer_blocks.1.proj_mlp")


def chain(*loras: Any) -> Any:
    """The LoRAs as one chain, first to last."""
    last = None
    for lora in loras:
        last = lora.model_copy(update={"previous": last})
    return last


def test_there_and_back_gives_the_same_effective_weights(place: Any, weights: Any) -> None:
    first = place.lora("a")
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

    loras = [place.lora(f"c{n}", seed=n) for n in range(3)]
    made = place.run("LoRAPostHocEMA", lora=chain(*loras), beta=0.8, no_sort=True).lora
    first, second, third = (load_file(lora.path) for lora in loras)
    found = load_file(made.path)
    for name in first:
        if not name.endswith(".alpha"):
            expected = 0.8 * (0.8 * first[name] + 0.2 * second[name]) + 0.2 * third[name]
            assert np.abs(found[name] - expected).max() < 1e-5


def test_ema_takes_all_checkpoints_of_a_run(place: Any) -> None:
    folder = place.folder / "run"
    (folder / "out").mkdir(parents=True)
    for number in range(2):
        path = place.lora(f"r{number}", seed=number).path
        path.rename(folder / "out" / path.name)
    run = Run(folder=folder, node="trainer", seconds=1.0)
    assert place.run("LoRAPostHocEMA", run=run).lora.path.name == "ema.safetensors"
    assert "2 checkpoints averaged" in place.texts[0]


def test_nothing_that_is_there_is_overwritten(place: Any) -> None:
    lora = place.lora("a")
    first = place.run("LoRAFormatConverter", lora=lora).lora.path
    second = place.run("LoRAFormatConverter", lora=lora).lora.path
    assert first != second and first.exists() and second.name == "a_other-2.safetensors"


def not_a_lora(place: Any) -> Any:
    from safetensors.numpy import save_file

    lora = place.lora("a")
    save_file({"blocks.0.weight": np.ones((2, 2), np.float32)}, lora.path)
    return place.run("LoRAFormatConverter", lora=lora)


def cut_off(place: Any) -> Any:
    lora = place.lora("a")
    lora.path.write_bytes(lora.path.read_bytes()[:-20])
    return place.run("LoRAFormatConverter", lora=lora)


def no_hunyuan(place: Any) -> Any:
    return place.run("LoRAMerger", lora=place.lora("a"), dit="miniature/wan_t2v_14b.safetensors")


REFUSED = {
    "6 convert_lora writes wrong names for FramePack": (
        lambda p: p.run("LoRAFormatConverter", lora=p.lora("f", FRAMEPACK)),
        "cannot be converted",
    ),
    "6 the wrong way round writes an empty file": (
        lambda p: p.run("LoRAFormatConverter", lora=p.lora("a"), target="musubi"),
        "already",
    ),
    "6 a file that is no LoRA": (not_a_lora, "is no LoRA"),
    "8 a truncated file": (cut_off, "cut off|damaged"),
    "a chain instead of one": (
        lambda p: p.run("LoRAFormatConverter", lora=chain(p.lora("a"), p.lora("b"))),
        "one LoRA",
    ),
    "a name with a folder": (
        lambda p: p.run("LoRAFormatConverter", lora=p.lora("a"), output_name="../x"),
        "plain file name",
    ),
    "EMA over different ranks": (
        lambda p: p.run("LoRAPostHocEMA", lora=chain(p.lora("a"), p.lora("b", rank=8))),
        "rank 4 and 8",
    ),
    "EMA of one checkpoint": (lambda p: p.run("LoRAPostHocEMA", lora=p.lora("a")), "at least two"),
    "EMA of nothing": (lambda p: p.run("LoRAPostHocEMA"), "either run or lora"),
    "merging into another model": (no_hunyuan, "no HunyuanVideo DiT"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_cannot_come_out_well_is_refused_before_anything_starts(place: Any, row: str) -> None:
    provoke, message = REFUSED[row]
    with pytest.raises(MusubiError, match=message):
        provoke(place)
    assert not place.started()
