"""Traps of the real program (tests/facts/traps.toml) that concern the LoRA tools, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.traps import Explained, Overridden, Provoke, Refused, Trap
from musubi_nodes.weights import read_header

FRAMEPACK = ("transformer_blocks.0.attn.to_q", "single_transformer_blocks.1.proj_mlp")
HUNYUAN_DIT = "miniature/hunyuan_video_t2v.safetensors"


def convert(**values: Any) -> Provoke:
    """Convert a LoRA of Wan."""
    return lambda p: p.run("LoRAFormatConverter", lora=p.random("a"), **values)


def merge(p: Any, lora: Any, dit: str = HUNYUAN_DIT) -> Any:
    return p.run("LoRAMerger", lora=lora, dit=dit)


def average(*loras: dict[str, Any]) -> Provoke:
    """Average LoRAs that are made as each dictionary says."""

    def provoke(p: Any) -> Any:
        made = [p.random(f"c{number}", **{"seed": number, **values}) for number, values in enumerate(loras)]
        return p.run("LoRAPostHocEMA", lora=p.chain(*made))

    return provoke


def damaged(p: Any, data: Any = lambda old: old[:-20]) -> Any:
    """A LoRA whose bytes were changed after it was chosen."""
    lora = p.random("a")
    lora.path.write_bytes(data(lora.path.read_bytes()))
    return lora


def no_lora(p: Any) -> Any:
    lora = p.random("a")
    p.weights("loras", "a.safetensors", **{"blocks.0.weight": (2, 2)})
    return lora


def gone(p: Any) -> Any:
    """A chain whose first file was deleted."""
    first, second = p.random("a"), p.random("b")
    first.path.unlink()
    return p.chain(first, second)


def twice(p: Any) -> Any:
    lora = p.random("a")
    made = [p.run("LoRAFormatConverter", lora=lora).lora.path for _ in range(2)]
    assert [path.name for path in made] == ["a_other.safetensors", "a_other-2.safetensors"]
    assert all(path.is_file() for path in made)


def in_the_run_folder(folder: Path) -> bool:
    return (folder / "out" / "a_other.safetensors").is_file()


TRAPS: dict[str, Trap] = {
    "4 files are overwritten": Overridden(twice, look=in_the_run_folder),
    "6 wrong names for FramePack": Refused(
        lambda p: p.run("LoRAFormatConverter", lora=p.random("f", FRAMEPACK)), "lora-not-convertible", "FramePack"
    ),
    "6 wrong way round": Refused(convert(target="musubi"), "lora-already-converted", "musubi"),
    "6 file that is no LoRA": Refused(
        lambda p: p.run("LoRAFormatConverter", lora=no_lora(p)), "file-not-lora", "a.safetensors"
    ),
    "7 LoRA of another model": Refused(lambda p: merge(p, p.random("a")), "lora-other-model", "Wan"),
    "7 LoRA converted to other": Refused(
        lambda p: merge(p, p.lora("double_blocks.0.img_attn_proj", other=True)), "lora-not-converted", "ComfyUI"
    ),
}


@pytest.mark.parametrize("key", TRAPS)
def test_every_trap_has_its_answer(place: Any, key: str) -> None:
    trap = TRAPS[key]
    trap.check(place)


BAD_INPUT: dict[str, Trap] = {
    "convert half a file": Refused(
        lambda p: p.run("LoRAFormatConverter", lora=damaged(p)), "file-truncated", "a.safetensors"
    ),
    "convert a web page": Refused(
        lambda p: p.run("LoRAFormatConverter", lora=damaged(p, lambda old: b"<html>" * 99)),
        "file-web-page",
        "a.safetensors",
    ),
    "convert a chain": Refused(
        lambda p: p.run("LoRAFormatConverter", lora=p.chain(p.random("a"), p.random("b"))), "lora-chain-not-allowed"
    ),
    "convert a file that is gone": Refused(
        lambda p: p.run("LoRAFormatConverter", lora=gone(p).chain()[0]), "file-missing", "a.safetensors"
    ),
    "a name with a folder": Refused(convert(output_name="../x"), "file-name-invalid", "../x"),
    "average different ranks": Refused(average({}, {"rank": 8}), "checkpoints-mismatch", 4, 8),
    "average different models": Refused(
        average({}, {"modules": FRAMEPACK}), "checkpoints-mismatch", "c0.safetensors", "c1.safetensors"
    ),
    "average different alphas": Explained(average({}, {"alpha": 4.0}), "network-alphas-differ", "network_alpha"),
    "average one checkpoint": Refused(average({}), "checkpoints-too-few"),
    "average nothing": Refused(lambda p: p.run("LoRAPostHocEMA"), "inputs-conflict", "run", "lora"),
    "average a file that is gone": Refused(
        lambda p: p.run("LoRAPostHocEMA", lora=gone(p)), "file-missing", "a.safetensors"
    ),
    "average half a file": Refused(
        lambda p: p.run("LoRAPostHocEMA", lora=p.chain(p.random("b"), damaged(p))), "file-truncated", "a.safetensors"
    ),
    "merge into another model": Refused(
        lambda p: merge(p, p.random("a"), "miniature/wan_t2v_14b.safetensors"), "model-other-kind", "HunyuanVideo"
    ),
    "merge a LoRA of another size": Refused(
        lambda p: merge(p, p.random("a", ("double_blocks.0.img_attn_proj",))), "lora-other-size", 8, 64
    ),
    "merge half a file": Refused(lambda p: merge(p, damaged(p)), "file-truncated", "a.safetensors"),
    "merge a file that is gone": Refused(lambda p: merge(p, gone(p)), "file-missing", "a.safetensors"),
    "merge a file that is no LoRA": Refused(lambda p: merge(p, no_lora(p)), "file-not-lora", "a.safetensors"),
}


@pytest.mark.parametrize("key", BAD_INPUT)
def test_bad_input_has_its_answer(place: Any, key: str) -> None:
    BAD_INPUT[key].check(place)


POISONED = """
sys.path.insert(0, {source!r})
import numpy as np
from musubi_tuner.miniature import tensors
real = tensors.save
def save(path, found, *rest):
    real(path, {{name: tensors.Tensor(part.values * np.nan, part.dtype) for name, part in found.items()}}, *rest)
tensors.save = save
for module in [each for name, each in list(sys.modules.items()) if name.startswith("musubi_tuner.")]:
    if getattr(module, "save", None) is real:
        module.save = save
"""


def of_hunyuan(p: Any) -> Any:
    """A LoRA that fits the DiT."""
    module = "single_blocks.0.linear2"
    shape = read_header(p.model("hunyuan_video_t2v")).tensors[f"{module}.weight"].shape
    return p.random("m", (module,), shapes={module: shape})


TOOLS: dict[str, tuple[str, str, Any]] = {
    "LoRAMerger": ("merge_lora.py", "model-not-finite", lambda p: {"lora": of_hunyuan(p), "dit": HUNYUAN_DIT}),
    "LoRAFormatConverter": ("convert_lora.py", "lora-not-finite", lambda p: {"lora": p.random("c")}),
    "LoRAPostHocEMA": (
        "lora_post_hoc_ema.py",
        "lora-not-finite",
        lambda p: {"lora": p.chain(p.random("a"), p.random("b", seed=1))},
    ),
}


@pytest.mark.parametrize("name", TOOLS)
def test_a_result_of_nan_is_not_handed_on(place: Any, name: str) -> None:
    script, code, inputs = TOOLS[name]
    values = inputs(place)
    before = set(place.published())
    place.misbehaving(script, POISONED.format(source=str(place.services.install("miniature").root / "src")))
    with fails(code):
        place.run(name, **values)
    assert set(place.published()) == before and not list(place.folder.glob("output/musubi/merged/*"))


@pytest.mark.parametrize("name", TOOLS)
def test_a_lora_of_nan_is_given_to_no_tool(place: Any, name: str) -> None:
    from safetensors.numpy import load_file, save_file

    values = TOOLS[name][2](place)
    path = values["lora"].path
    save_file({tensor: np.full_like(numbers, np.nan) for tensor, numbers in load_file(path).items()}, path)
    with fails("lora-not-finite", path.name):
        place.run(name, **values)
    assert not place.started()
