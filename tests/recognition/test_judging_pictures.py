"""Files of picture models in the fields of their models nodes: the right one for the version, told by the header."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recognition import headers as h
from tests.recognition.test_judging import OTHER, PREFIXED, QUANTISED, TASK, judge

from musubi_nodes.testing.errors import fails

NAMES = ("FluxKontext", "Flux2", "Krea2", "HunyuanVideo15")
KONTEXT, FLUX2, KREA2, HV15 = (f"MusubiTuner_{name}Models" for name in NAMES)
PREFIX = "model.diffusion_model."
KLEIN_4B, KLEIN_9B = ({**h.FLUX2, "img_in.weight": (width, 128)} for width in (3072, 4096))
FLUX2_AE = {**h.FLUX_AE, "decoder.conv_in.weight": (512, 32, 3, 3), "bn.running_mean": (128,)}
MISTRAL = {"multi_modal_projector.linear_1.weight": (5120, 1024), "language_model.lm_head.weight": (131072, 5120)}
MISTRAL_OF_COMFYUI = {
    "model.embed_tokens.weight": (131072, 5120),
    "model.layers.0.self_attn.q_proj.weight": (4096, 5120),
}


def qwen3(width: int, prefix: str = "model.") -> h.Shapes:
    shapes = {"embed_tokens.weight": (151936, width), "layers.0.self_attn.q_proj.weight": (4096, width)}
    return h.prefixed(prefix, {**shapes, "layers.0.self_attn.q_norm.weight": (128,)})


KREA_2 = {"txtfusion.projector.weight": (1, 12), "first.weight": (6144, 64)}


def qwen3_vl(width: int, visual: str = "model.visual", text: str = "model.language_model.") -> h.Shapes:
    return {f"{visual}.deepstack_merger_list.0.norm.weight": (4096,), **qwen3(width, text)}


BYT5 = {**h.T5_XXL, "shared.weight": (1510, 1472)}


TAKEN: list[tuple[str, str, h.Shapes, str, str]] = [
    (KONTEXT, "dit", h.FLUX1, "BF16", ""),
    (KONTEXT, "dit", h.prefixed(PREFIX, h.FLUX1), "F8_E4M3", ""),
    (KONTEXT, "vae", h.FLUX_AE, "F32", ""),
    (KONTEXT, "text_encoder1", h.T5_XXL, "F8_E4M3", ""),
    (KONTEXT, "text_encoder2", h.CLIP_L, "BF16", ""),
    (FLUX2, "dit", KLEIN_4B, "BF16", "klein-4b"),
    (FLUX2, "dit", KLEIN_9B, "BF16", "klein-base-9b"),
    (FLUX2, "dit", h.FLUX2, "F8_E4M3", "dev"),
    (FLUX2, "vae", FLUX2_AE, "F32", "dev"),
    (FLUX2, "text_encoder", qwen3(2560), "BF16", "klein-base-4b"),
    (FLUX2, "text_encoder", qwen3(4096), "BF16", "klein-9b"),
    (FLUX2, "text_encoder", MISTRAL, "BF16", "dev"),
    (HV15, "dit", h.HUNYUAN15, "BF16", "i2v"),
    (HV15, "byt5", BYT5, "BF16", ""),
    (HV15, "image_encoder", h.SIGLIP, "BF16", ""),
    (KREA2, "dit", KREA_2, "BF16", ""),
    (KREA2, "turbo_dit", KREA_2, "F8_E4M3", ""),
    (KREA2, "vae", h.WAN_VAE, "BF16", ""),
    (KREA2, "text_encoder", qwen3_vl(2560), "BF16", ""),
    (KREA2, "text_encoder", qwen3_vl(2560, "visual", "model."), "BF16", ""),
]


@pytest.mark.parametrize(("node", "field", "tensors", "dtype", "version"), TAKEN)
def test_what_musubi_tuner_reads_is_taken(
    node: str, field: str, tensors: h.Shapes, dtype: str, version: str, tmp_path: Path
) -> None:
    judge(h.weights_file(tmp_path / "x.safetensors", tensors, dtype), node, field, version)


SCHNELL = {name: shape for name, shape in h.FLUX1.items() if "guidance" not in name}
WHOLE = {**h.prefixed(PREFIX, h.FLUX1), "vae.encoder.conv_in.weight": (4,), "vae.decoder.conv_in.weight": (4,)}
REFUSED: list[tuple[str, str, h.Shapes, str, str, str]] = [
    (KONTEXT, "dit", SCHNELL, "", OTHER, "a FLUX.1 schnell DiT"),
    (KONTEXT, "dit", WHOLE, "", OTHER, "a FLUX.1 checkpoint"),
    (KONTEXT, "dit", h.FLUX2, "", OTHER, "a FLUX.2 dev DiT"),
    (KONTEXT, "dit", h.scaled(h.FLUX1), "", QUANTISED, "scaled fp8"),
    (KONTEXT, "dit", h.comfy_quant(h.FLUX1), "", QUANTISED, "comfy_quant"),
    (KONTEXT, "vae", FLUX2_AE, "", OTHER, "the VAE (ae) of FLUX.2"),
    (KONTEXT, "text_encoder1", h.UMT5, "", OTHER, "umt5"),
    (KONTEXT, "text_encoder2", h.T5_XXL, "", OTHER, "T5-XXL"),
    (FLUX2, "dit", KLEIN_4B, "klein-9b", TASK, "a FLUX.2 klein DiT (4B)"),
    (FLUX2, "dit", h.FLUX2, "klein-base-4b", TASK, "a FLUX.2 dev DiT"),
    (FLUX2, "dit", h.FLUX1, "dev", OTHER, "a FLUX.1 or FLUX.1 Kontext DiT"),
    (FLUX2, "dit", h.prefixed(PREFIX, KLEIN_4B), "klein-4b", PREFIXED, PREFIX),
    (FLUX2, "dit", h.comfy_quant(h.FLUX2), "dev", QUANTISED, "comfy_quant"),
    (FLUX2, "vae", h.FLUX_AE, "dev", OTHER, "FLUX.1"),
    (FLUX2, "text_encoder", qwen3(2560), "klein-9b", TASK, "the Qwen3 4B"),
    (FLUX2, "text_encoder", qwen3(4096, ""), "klein-9b", PREFIXED, "the Qwen3 8B"),
    (FLUX2, "text_encoder", MISTRAL, "klein-4b", TASK, "Mistral 3"),
    (FLUX2, "text_encoder", h.prefixed("model.", MISTRAL), "dev", PREFIXED, "Mistral 3"),
    (FLUX2, "text_encoder", MISTRAL_OF_COMFYUI, "dev", OTHER, "ComfyUI's Mistral 3"),
    (HV15, "dit", h.HUNYUAN_DIT, "", OTHER, "a HunyuanVideo T2V DiT"),
    (HV15, "vae", h.HUNYUAN_VAE, "", OTHER, "HunyuanVideo's VAE"),
    (HV15, "byt5", h.T5_XXL, "", OTHER, "T5-XXL"),
    (HV15, "image_encoder", h.CLIP_VISION_H, "", OTHER, "clip_vision_h"),
    (KREA2, "dit", h.QWEN_IMAGE, "", OTHER, "a Qwen-Image"),
    (KREA2, "dit", h.prefixed(PREFIX, KREA_2), "", PREFIXED, PREFIX),
    (KREA2, "vae", h.FLUX_AE, "", OTHER, "FLUX.1"),
    (KREA2, "text_encoder", qwen3_vl(4096), "", OTHER, "the Qwen3-VL 8B text encoder of Ideogram 4"),
    (KREA2, "text_encoder", qwen3(2560), "", OTHER, "the Qwen3 4B"),
]


@pytest.mark.parametrize(("node", "field", "tensors", "version", "code", "named"), REFUSED)
def test_what_it_cannot_read_is_refused_with_what_it_is(
    node: str, field: str, tensors: h.Shapes, version: str, code: str, named: str, tmp_path: Path
) -> None:
    with fails(code, named):
        judge(h.weights_file(tmp_path / "x.safetensors", tensors, "BF16"), node, field, version)
