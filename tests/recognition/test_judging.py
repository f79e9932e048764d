"""Files in the wrong field of a models node, as they lie in people's folders: refused with what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.recognition import headers as h

from musubi_nodes.families.memory.possible import check_fp8_file
from musubi_nodes.families.recognition.accepts import Accepts
from musubi_nodes.families.recognition.judged import judged_header
from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.families.settings import Memory
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.errors import fails

WAN, HUNYUAN, FRAMEPACK = "MusubiTuner_WanModels", "MusubiTuner_HunyuanVideoModels", "MusubiTuner_FramePackModels"


def judge(path: Path, node: str, field: str, task: str = "") -> None:
    """As the models node does when the workflow is queued."""
    declared = next(each for each in plugins().nodes if each.id == node)
    spec = next(each for each in declared.fields() if each.name == field)
    judged_header(path, spec.accepts, plugins().weights_kinds, task)


TAKEN: list[tuple[str, str, h.Shapes, str, str]] = [
    (WAN, "dit", h.wan_dit(5120, 16), "BF16", "t2v-14B"),
    (WAN, "dit", h.wan_dit(5120, 16), "BF16", "t2v-A14B"),
    (WAN, "dit", h.wan_dit(5120, 16), "F8_E4M3", "t2v-14B"),
    (WAN, "dit", h.prefixed("model.diffusion_model.", h.wan_dit(1536, 16)), "BF16", "t2v-1.3B"),
    (WAN, "dit", h.wan_dit(5120, 36, h.IMAGE), "BF16", "i2v-14B"),
    (WAN, "dit", h.wan_dit(5120, 36), "BF16", "i2v-A14B"),
    (WAN, "dit", h.wan_dit(5120, 48, h.IMAGE), "BF16", "i2v-14B-FC"),
    (WAN, "dit", h.wan_dit(96, 16), "BF16", "t2v-1.3B"),
    (WAN, "vae", h.WAN_VAE, "F32", ""),
    (WAN, "t5", h.WAN_T5, "F8_E4M3", ""),
    (WAN, "t5", h.prefixed("encoder.", h.WAN_T5), "BF16", ""),
    (WAN, "clip", h.WAN_CLIP, "BF16", ""),
    (HUNYUAN, "dit", h.HUNYUAN_DIT, "F8_E4M3", "t2v"),
    (HUNYUAN, "vae", h.prefixed("vae.", h.HUNYUAN_VAE), "BF16", ""),
    (HUNYUAN, "text_encoder1", {**h.LLAVA_LLAMA, "tokenizer": (100,)}, "F8_E4M3", ""),
    (HUNYUAN, "text_encoder2", h.CLIP_L, "F8_E4M3", ""),
    (FRAMEPACK, "dit", h.FRAMEPACK_DIT, "F8_E4M3", ""),
    (FRAMEPACK, "vae", h.HUNYUAN_VAE, "BF16", ""),
    (FRAMEPACK, "text_encoder1", h.LLAVA_LLAMA, "BF16", ""),
    (
        FRAMEPACK,
        "text_encoder1",
        {"embed_tokens.weight": (128320, 4096), "layers.0.self_attn.q_proj.weight": (4096, 4096)},
        "BF16",
        "",
    ),
    (FRAMEPACK, "text_encoder2", h.CLIP_L, "BF16", ""),
    (FRAMEPACK, "image_encoder", h.SIGLIP, "BF16", ""),
]


@pytest.mark.parametrize(("node", "field", "tensors", "dtype", "task"), TAKEN)
def test_what_musubi_tuner_reads_is_taken(
    node: str, field: str, tensors: h.Shapes, dtype: str, task: str, tmp_path: Path
) -> None:
    judge(h.weights_file(tmp_path / "x.safetensors", tensors, dtype), node, field, task)


OTHER, TASK = "model-other-kind", "model-other-task"
PREFIXED, QUANTISED = "model-prefix-unsupported", "model-quantisation-unsupported"
REFUSED: list[tuple[str, str, h.Shapes, str, str, str, tuple[str, ...]]] = [
    (WAN, "dit", h.WAN_VAE, "F32", "", OTHER, ("the VAE of Wan 2.1 or Qwen-Image", "a Wan DiT")),
    (WAN, "dit", h.FLUX1, "BF16", "", OTHER, ("a FLUX.1 or FLUX.1 Kontext DiT", "a Wan DiT")),
    (WAN, "dit", h.wan_dit(3072, 48), "BF16", "", OTHER, ("a Wan 2.2 TI2V DiT (5B)", "a Wan DiT")),
    (WAN, "dit", h.wan_dit(5120, 16, "vace_patch_embedding.weight"), "BF16", "", OTHER, ("VACE",)),
    (WAN, "dit", h.scaled(h.wan_dit(5120, 16)), "F8_E4M3", "t2v-14B", QUANTISED, ("scaled fp8",)),
    (WAN, "dit", h.comfy_quant(h.wan_dit(5120, 16)), "F8_E4M3", "t2v-14B", QUANTISED, ("comfy_quant",)),
    (WAN, "dit", h.prefixed("transformer.", h.wan_dit(5120, 16)), "BF16", "", PREFIXED, ("'transformer.'",)),
    (WAN, "dit", h.wan_dit(5120, 36), "BF16", "i2v-14B", TASK, ("a Wan 2.2 I2V DiT (A14B)", "i2v-14B")),
    (WAN, "dit", h.wan_dit(5120, 36, h.IMAGE), "BF16", "i2v-A14B", TASK, ("a Wan 2.1 I2V DiT (14B)", "i2v-A14B")),
    (WAN, "dit", h.wan_dit(5120, 36, h.IMAGE, h.FIRST_AND_LAST), "BF16", "i2v-14B", TASK, ("FLF2V",)),
    (WAN, "dit", h.wan_dit(5120, 16), "BF16", "t2v-1.3B", TASK, ("(14B)", "t2v-1.3B")),
    (WAN, "dit", {"lora_unet_blocks_0_self_attn_q.lora_down.weight": (4, 5120)}, "BF16", "", OTHER, ("a LoRA of Wan",)),
    (WAN, "vae", h.WAN22_VAE, "F32", "", OTHER, ("Wan 2.2's VAE", "5B", "Wan 2.1's VAE")),
    (WAN, "vae", h.HUNYUAN_VAE, "F32", "", OTHER, ("HunyuanVideo's VAE", "Wan 2.1's VAE")),
    (WAN, "vae", h.SDXL_VAE, "F32", "", OTHER, ("the VAE of Stable Diffusion 1.5 or SDXL", "Wan 2.1's VAE")),
    (WAN, "t5", h.UMT5, "BF16", "", OTHER, ("ComfyUI's umt5 text encoder", "Wan's own T5 text encoder")),
    (WAN, "t5", h.scaled(h.UMT5), "F8_E4M3", "", OTHER, ("ComfyUI's umt5 text encoder", "scaled fp8")),
    (WAN, "t5", h.scaled(h.WAN_T5), "F8_E4M3", "", QUANTISED, ("Wan's own T5 text encoder", "scaled fp8")),
    (WAN, "t5", h.T5_XXL, "BF16", "", OTHER, ("the T5-XXL text encoder of FLUX.1",)),
    (
        WAN,
        "clip",
        h.CLIP_VISION_H,
        "BF16",
        "",
        OTHER,
        ("ComfyUI's CLIP vision (clip_vision_h)", "Wan's CLIP image encoder"),
    ),
    (
        WAN,
        "clip",
        {"visual.patch_embedding.weight": (1280, 3, 14, 14)},
        "BF16",
        "",
        OTHER,
        ("Wan's CLIP image encoder",),
    ),
    (HUNYUAN, "dit", h.scaled(h.HUNYUAN_DIT), "F8_E4M3", "", QUANTISED, ("a HunyuanVideo T2V DiT", "scaled fp8")),
    (HUNYUAN, "dit", h.comfy_quant(h.HUNYUAN_DIT), "F8_E4M3", "", QUANTISED, ("comfy_quant",)),
    (
        HUNYUAN,
        "dit",
        h.prefixed("model.diffusion_model.", h.HUNYUAN_DIT),
        "BF16",
        "",
        PREFIXED,
        ("'model.diffusion_model.'",),
    ),
    (HUNYUAN, "dit", h.HUNYUAN15, "BF16", "", OTHER, ("a HunyuanVideo 1.5 DiT", "a HunyuanVideo DiT")),
    (HUNYUAN, "dit", h.FRAMEPACK_DIT, "BF16", "", OTHER, ("a FramePack DiT", "a HunyuanVideo DiT")),
    (HUNYUAN, "dit", h.HUNYUAN_DIT, "BF16", "i2v", TASK, ("a HunyuanVideo T2V DiT", "i2v")),
    (HUNYUAN, "vae", h.scaled(h.HUNYUAN_VAE), "BF16", "", QUANTISED, ("scaled fp8",)),
    (HUNYUAN, "text_encoder1", h.CLIP_L, "BF16", "", OTHER, ("a CLIP-L text encoder", "a LLaVA-Llama 3 text encoder")),
    (
        HUNYUAN,
        "text_encoder2",
        h.LLAVA_LLAMA,
        "BF16",
        "",
        OTHER,
        ("a LLaVA-Llama 3 text encoder", "a CLIP-L text encoder"),
    ),
    (HUNYUAN, "text_encoder1", h.scaled(h.LLAVA_LLAMA), "F8_E4M3", "", QUANTISED, ("scaled fp8",)),
    (HUNYUAN, "text_encoder1", h.comfy_quant(h.LLAVA_LLAMA), "F8_E4M3", "", QUANTISED, ("comfy_quant",)),
    (
        HUNYUAN,
        "text_encoder1",
        {name: shape for name, shape in h.LLAVA_LLAMA.items() if name != "lm_head.weight"},
        "BF16",
        "",
        OTHER,
        ("lm_head",),
    ),
    (
        HUNYUAN,
        "text_encoder1",
        {**h.LLAVA_LLAMA, "model.embed_tokens.weight": (128256, 4096)},
        "BF16",
        "",
        OTHER,
        ("the Llama 3.1 8B text encoder (HiDream)",),
    ),
    (HUNYUAN, "text_encoder2", {**h.CLIP_L, "text_projection.weight": (768, 768)}, "BF16", "", OTHER, ("a CLIP-L",)),
    (FRAMEPACK, "dit", h.scaled(h.FRAMEPACK_DIT), "F8_E4M3", "", QUANTISED, ("a FramePack DiT", "scaled fp8")),
    (FRAMEPACK, "dit", h.HUNYUAN_DIT, "BF16", "", OTHER, ("a HunyuanVideo T2V DiT", "a FramePack DiT")),
    (FRAMEPACK, "text_encoder1", h.LLAVA_LLAMA, "F8_E4M3", "", QUANTISED, ("a LLaVA-Llama 3 text encoder", "fp8")),
    (FRAMEPACK, "text_encoder2", h.CLIP_L, "F8_E4M3", "", QUANTISED, ("a CLIP-L text encoder", "fp8")),
    (FRAMEPACK, "image_encoder", h.CLIP_VISION_H, "BF16", "", OTHER, ("ComfyUI's CLIP vision (clip_vision_h)",)),
    (FRAMEPACK, "image_encoder", h.SIGLIP, "F8_E4M3", "", QUANTISED, ("a SigLIP image encoder", "fp8")),
    (
        FRAMEPACK,
        "image_encoder",
        {**h.SIGLIP, "vision_model.embeddings.position_embedding.weight": (1024, 1152)},
        "BF16",
        "",
        OTHER,
        ("the SigLIP image encoder for 512 pixels",),
    ),
    (WAN, "dit", {"a.weight": (4, 4)}, "BF16", "", OTHER, ("a Wan DiT",)),
]


@pytest.mark.parametrize(("node", "field", "tensors", "dtype", "task", "code", "named"), REFUSED)
def test_what_musubi_tuner_cannot_read_is_refused_with_what_it_is(
    node: str, field: str, tensors: h.Shapes, dtype: str, task: str, code: str, named: tuple[str, ...], tmp_path: Path
) -> None:
    path = h.weights_file(tmp_path / "x.safetensors", tensors, dtype)
    with fails(code, "x.safetensors", *named) as caught:
        judge(path, node, field, task)
    assert caught.value.fix


def parts(folder: Path, count: int, tensors: h.Shapes) -> list[Path]:
    """The tensors spread over files, named as diffusers does."""
    names = sorted(tensors)
    paths = [folder / f"model-{number + 1:05d}-of-{count:05d}.safetensors" for number in range(count)]
    for number, path in enumerate(paths):
        h.weights_file(path, {name: tensors[name] for name in names[number::count]})
    return paths


def test_a_model_in_several_files_is_judged_as_one(tmp_path: Path) -> None:
    for path in parts(tmp_path, 3, h.FRAMEPACK_DIT):
        judge(path, FRAMEPACK, "dit")


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    first, second, _ = parts(tmp_path, 3, h.FRAMEPACK_DIT)
    second.unlink()
    with fails("model-part-missing", second.name):
        judge(first, FRAMEPACK, "dit")


@pytest.mark.parametrize(("node", "field"), [(HUNYUAN, "dit"), (WAN, "vae"), (HUNYUAN, "text_encoder1")])
def test_a_part_is_refused_where_only_one_file_is_read(node: str, field: str, tmp_path: Path) -> None:
    with fails("model-in-parts", "model-00002-of-00002.safetensors"):
        judge(parts(tmp_path, 2, h.HUNYUAN_DIT)[1], node, field)


def test_a_gguf_file_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\0" * 100)
    with fails("file-gguf", path):
        judge(path, WAN, "dit")


def test_a_field_that_says_nothing_takes_every_file(tmp_path: Path) -> None:
    path = h.weights_file(tmp_path / "x.safetensors", h.FLUX1)
    assert judged_header(path, None, plugins().weights_kinds).tensors.keys() == h.FLUX1.keys()


def test_a_family_of_another_plugin_adds_its_own_kinds_by_its_fields(tmp_path: Path) -> None:
    heron = WeightsKind("a Heron DiT", {"heron.weight": ()})
    path = h.weights_file(tmp_path / "x.safetensors", {"heron.weight": (4, 4)})
    accepts: Any = Accepts("a Heron DiT", (heron,))
    assert judged_header(path, accepts, plugins().weights_kinds).tensors
    with fails("model-other-kind", "x.safetensors", "a Heron DiT", "a Wan DiT"):
        judged_header(path, Accepts("a Wan DiT", (WeightsKind("a Wan DiT", {"wan": ()}),)), (heron,))


class Given:
    """The inputs of a trainer or generator that the check asks for."""

    def __init__(self, dit: Path, fp8: str) -> None:
        self.models, self.memory = type("Files", (), {"main_dit": str(dit)})(), Memory(fp8=fp8)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "BF16"])
@pytest.mark.parametrize("fp8", ["off", "fp8", "fp8_scaled"])
def test_only_weights_in_16_bits_are_scaled_to_fp8(dtype: str, fp8: str, tmp_path: Path) -> None:
    given = Given(h.weights_file(tmp_path / "x.safetensors", h.FRAMEPACK_DIT, dtype), fp8)
    if (dtype, fp8) == ("F8_E4M3", "fp8_scaled"):
        with fails("model-already-fp8", "x.safetensors"):
            check_fp8_file(given)
    else:
        check_fp8_file(given)
