"""Whose LoRA a file is, and whether a model or a training can take it: told by headers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from tests.recognition import headers as h

from musubi_nodes.families.lora_fits import check_begins, check_fits
from musubi_nodes.families.recognition.loras import lora_name, network_of, ranks
from musubi_nodes.families.settings import Network
from musubi_nodes.testing.errors import fails


def pair(*modules: str, prefix: str = "lora_unet_", halves: str = "down up", rank: int = 4) -> h.Shapes:
    """A LoRA of square modules of 8 features."""
    down, up = halves.split()
    return {
        f"{prefix}{module}.lora_{half}.weight": shape
        for module in modules
        for half, shape in ((down, (rank, 8)), (up, (8, rank)))
    }


NAMES = [
    (pair("blocks_0_self_attn_q"), "a LoRA of Wan in musubi-tuner's format"),
    (pair("blocks.0.self_attn.q", prefix="diffusion_model.", halves="A B"), "a LoRA of Wan in ComfyUI's format"),
    (pair("blocks.0.attn1.to_q", prefix="transformer.", halves="A B"), "a LoRA of Wan in diffusers format"),
    (pair("double_blocks_0_img_mlp_fc1"), "a LoRA of HunyuanVideo in musubi-tuner's format"),
    (
        pair("single_transformer_blocks.39.proj_mlp", prefix="transformer.", halves="A B"),
        "a LoRA of HunyuanVideo or FramePack in diffusers format",
    ),
    (
        pair("single_transformer_blocks.0.attn.to_q", prefix="transformer.", halves="A B"),
        "a LoRA of FLUX.1 in diffusers format",
    ),
    (pair("double_blocks_0_img_mlp_0"), "a LoRA of FLUX.1 in musubi-tuner's format"),
    (pair("transformer_blocks_0_img_mlp_net_2"), "a LoRA of Qwen-Image in musubi-tuner's format"),
    (pair("layers_0_attention_to_q"), "a LoRA of Z-Image in musubi-tuner's format"),
    (pair("layers.0.attention.qkv", prefix="diffusion_model."), "a LoRA of Z-Image or Lumina 2 in ComfyUI's format"),
    (pair("input_blocks_4_1_transformer_blocks_5_attn2_to_k"), "a LoRA of SDXL in musubi-tuner's format"),
    (pair("down_blocks_0_attentions_0_proj_in"), "a LoRA of Stable Diffusion 1.5 or SDXL in musubi-tuner's format"),
    (pair("double_blocks_0_img_attn_q"), "a LoRA of HunyuanVideo 1.5 in musubi-tuner's format"),
    (pair("something.else", prefix="base_model.model.", halves="A B"), "a LoRA in PEFT format"),
]


@pytest.mark.parametrize(("tensors", "name"), NAMES)
def test_a_lora_is_called_by_its_model_and_format(tensors: h.Shapes, name: str) -> None:
    assert lora_name(h.header(tensors)) == name


@pytest.mark.parametrize(
    ("base", "name"),
    [("framepack", "FramePack"), ("wan", "Wan"), ("hunyuan_video_1_5", "HunyuanVideo 1.5"), ("sdxl_base_v1-0", "SDXL")],
)
def test_metadata_counts_before_modules(base: str, name: str) -> None:
    tensors = pair("single_transformer_blocks_0_attn_to_q")
    assert (
        lora_name(h.header(tensors, metadata={"ss_base_model_version": base}))
        == f"a LoRA of {name} in musubi-tuner's format"
    )


@pytest.mark.parametrize(
    ("tensors", "kind", "found"),
    [
        (pair("a", rank=16), "LoRA", {16}),
        ({"a.hada_w1_a": (8, 4), "a.hada_w1_b": (4, 8), "a.hada_w2_a": (8, 4), "a.hada_w2_b": (4, 8)}, "LoHa", {4}),
        ({"a.lokr_w1": (2, 2), "a.lokr_w2_a": (4, 3), "a.lokr_w2_b": (3, 4)}, "LoKr", {3}),
        ({"a.lokr_w1": (2, 2), "a.lokr_w2": (4, 4)}, "LoKr", set()),
    ],
)
def test_kind_and_rank_are_told_by_the_shapes(tensors: h.Shapes, kind: str, found: set[int]) -> None:
    assert (network_of(h.header(tensors)), ranks(h.header(tensors))) == (kind, found)


DIT = {"blocks.0.self_attn.q.weight": (8, 8), "blocks.0.self_attn.k.weight": (8, 8)}


def files(folder: Path, lora: h.Shapes, dit: h.Shapes = DIT) -> tuple[Path, Path]:
    """A LoRA and a DiT."""
    return h.weights_file(folder / "lora.safetensors", lora), h.weights_file(folder / "dit.safetensors", dit)


def test_a_lora_fits_a_dit_with_comfyuis_prefix_where_it_is_added_to_the_loaded_model(tmp_path: Path) -> None:
    lora, dit = files(tmp_path, pair("blocks_0_self_attn_q"), h.prefixed("model.diffusion_model.", DIT))
    assert check_fits(lora, dit) == "musubi"
    with fails("model-prefix-unsupported", "dit.safetensors"):
        check_fits(lora, dit, merged=True)


def test_a_lora_fits_a_dit_in_several_files(tmp_path: Path) -> None:
    lora = h.weights_file(tmp_path / "lora.safetensors", pair("blocks_0_self_attn_q"))
    parts = [tmp_path / f"dit-{number:05d}-of-00002.safetensors" for number in (1, 2)]
    for path, (name, shape) in zip(parts, sorted(DIT.items()), strict=True):
        h.weights_file(path, {name: shape})
    assert check_fits(lora, parts[0]) == "musubi"


@pytest.mark.parametrize(
    ("tensors", "code", "named"),
    [
        (pair("double_blocks_0_img_mlp_fc1"), "lora-other-model", "HunyuanVideo"),
        (
            pair("blocks.0.self_attn.q", prefix="diffusion_model.", halves="A B"),
            "lora-not-converted",
            "a LoRA of Wan",
        ),
        ({**pair("blocks_0_self_attn_q"), "lora_unet_blocks_0_self_attn_q.dora_scale": (8, 1)}, "lora-has-dora", ""),
        ({"blocks.0.weight": (8, 8)}, "file-not-lora", ""),
    ],
)
def test_a_lora_that_would_be_left_out_is_refused_with_what_it_is(
    tensors: h.Shapes, code: str, named: str, tmp_path: Path
) -> None:
    with fails(code, "lora.safetensors", named):
        check_fits(*files(tmp_path, tensors))


def with_alpha(path: Path, tensors: h.Shapes, alpha: float, dtype: str = "F32") -> Path:
    """A LoRA whose first tensor is its alpha."""
    data = {"F32": struct.pack("<f", alpha), "BF16": struct.pack("<f", alpha)[2:], "I64": struct.pack("<q", int(alpha))}
    h.weights_file(path, tensors)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8 : 8 + length])
    added = data[dtype]
    moved = {
        name: {**entry, "data_offsets": [place + len(added) for place in entry["data_offsets"]]}
        for name, entry in entries.items()
    }
    text = json.dumps({"a.alpha": {"dtype": dtype, "shape": [], "data_offsets": [0, len(added)]}, **moved}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + added + raw[8 + length :])
    return path


@pytest.mark.parametrize(("dtype", "shape"), [("F32", (2,)), ("F32", (0,)), ("BF16", (2,))])
def test_an_alpha_that_is_no_single_number_is_not_compared(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    lora = h.weights_file(tmp_path / "a.safetensors", {"a.alpha": shape, **pair("a", rank=8)}, dtype=dtype)
    check_begins(lora, Network(network_dim=8))


@pytest.mark.parametrize("dtype", ["F32", "BF16", "I64"])
def test_a_training_begins_with_a_lora_of_its_own_rank_and_alpha(dtype: str, tmp_path: Path) -> None:
    lora = with_alpha(tmp_path / "a.safetensors", pair("a", rank=8), 2, dtype)
    check_begins(lora, Network(network_dim=8, network_alpha=2))


@pytest.mark.parametrize(
    ("network", "code", "both"),
    [
        (Network(network_dim=16, network_alpha=2), "lora-rank-mismatch", (8, 16)),
        (Network(network_dim=8, network_alpha=4), "lora-alpha-mismatch", (2, 4)),
    ],
)
def test_another_rank_or_alpha_is_refused_with_both_numbers(
    network: Network, code: str, both: tuple[int, int], tmp_path: Path
) -> None:
    lora = with_alpha(tmp_path / "a.safetensors", pair("a", rank=8), 2)
    with fails(code, *both) as caught:
        check_begins(lora, network)
    assert caught.value.fix


def test_a_training_of_a_lora_does_not_begin_with_a_loha(tmp_path: Path) -> None:
    tensors = {"a.hada_w1_a": (8, 4), "a.hada_w1_b": (4, 8), "a.hada_w2_a": (8, 4), "a.hada_w2_b": (4, 8)}
    lora = h.weights_file(tmp_path / "a.safetensors", tensors)
    with fails("lora-other-kind", "LoHa"):
        check_begins(lora, Network(network_dim=4))


def test_only_a_lora_that_fits_in_another_format_is_said_to_be_convertible(tmp_path: Path) -> None:
    modules = {
        "blocks.0.self_attn.q": "lora-not-converted",
        "single_transformer_blocks.0.attn.to_q": "lora-other-model",
    }
    for module, code in modules.items():
        with fails(code):
            check_fits(*files(tmp_path, pair(module, prefix="transformer.", halves="A B")))
