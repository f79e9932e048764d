"""What a file is, told by the names and shapes of real ones."""

from __future__ import annotations

import pytest
from tests.recognition import headers as h

from musubi_nodes.families.recognition.kinds import recognise
from musubi_nodes.families.recognition.quantisation import COMFY, FP8, PLAIN, SCALED, quantisation_of
from musubi_nodes.families.recognition.table import accepts_known
from musubi_nodes.plugins.manager import plugins

FILES = {
    "a Wan 2.1 or 2.2 T2V DiT (14B)": h.wan_dit(5120, 16),
    "a Wan 2.1 T2V DiT (1.3B)": h.prefixed("model.diffusion_model.", h.wan_dit(1536, 16)),
    "a Wan 2.1 I2V DiT (14B)": h.wan_dit(5120, 36, h.IMAGE),
    "a Wan 2.1 FLF2V DiT (14B)": h.wan_dit(5120, 36, h.IMAGE, h.FIRST_AND_LAST),
    "a Wan 2.2 I2V DiT (A14B)": h.wan_dit(5120, 36),
    "a Wan Fun-Control DiT (14B)": h.wan_dit(5120, 48, h.IMAGE),
    "a Wan 2.2 TI2V DiT (5B)": h.wan_dit(3072, 48),
    "a Wan VACE DiT": h.wan_dit(5120, 16, "vace_patch_embedding.weight", "vace_blocks.0.before_proj.weight"),
    "a Wan 2.2 Animate DiT": h.wan_dit(5120, 36, h.IMAGE, "face_adapter.fuser_blocks.0.k_norm.weight"),
    "a Wan DiT in diffusers format": {
        "patch_embedding.weight": (5120, 16, 1, 2, 2),
        "blocks.0.attn1.to_q.weight": (5120, 5120),
    },
    "the VAE of Wan 2.1 or Qwen-Image": h.WAN_VAE,
    "Wan 2.2's VAE, which is for the 5B model only": h.WAN22_VAE,
    "Wan's own T5 text encoder": h.WAN_T5,
    "ComfyUI's umt5 text encoder": h.UMT5,
    "the T5-XXL text encoder of FLUX.1 and Stable Diffusion 3": h.T5_XXL,
    "Wan's CLIP image encoder": h.WAN_CLIP,
    "ComfyUI's CLIP vision (clip_vision_h)": h.CLIP_VISION_H,
    "a HunyuanVideo T2V DiT": h.HUNYUAN_DIT,
    "a HunyuanVideo I2V DiT (SkyReels)": {**h.HUNYUAN_DIT, "img_in.proj.weight": (3072, 32, 1, 2, 2)},
    "a HunyuanVideo 1.5 DiT": h.HUNYUAN15,
    "HunyuanVideo's VAE": h.HUNYUAN_VAE,
    "a LLaVA-Llama 3 text encoder": h.LLAVA_LLAMA,
    "the Llama 3.1 8B text encoder (HiDream)": {**h.LLAVA_LLAMA, "model.embed_tokens.weight": (128256, 4096)},
    "a CLIP-L text encoder": h.CLIP_L,
    "a FramePack DiT": h.FRAMEPACK_DIT,
    "a HunyuanVideo DiT in diffusers format": {
        name: shape for name, shape in h.FRAMEPACK_DIT.items() if not name.startswith(("clean_", "image_"))
    },
    "a SigLIP image encoder": h.SIGLIP,
    "a FLUX.1 or FLUX.1 Kontext DiT": h.FLUX1,
    "a FLUX.1 schnell DiT": {name: shape for name, shape in h.FLUX1.items() if "guidance" not in name},
    "a FLUX.1 checkpoint (DiT, VAE and text encoders in one file)": {
        **h.prefixed("model.diffusion_model.", h.FLUX1),
        "vae.encoder.conv_in.weight": (128, 3, 3, 3),
        "vae.decoder.conv_in.weight": (512, 16, 3, 3),
    },
    "a FLUX.1 Fill DiT": {**h.FLUX1, "img_in.weight": (3072, 384)},
    "a FLUX.2 dev DiT": h.FLUX2,
    "a FLUX.2 klein DiT (4B)": {**h.FLUX2, "img_in.weight": (3072, 128)},
    "a Qwen-Image or Qwen-Image-Edit DiT": h.QWEN_IMAGE,
    "a Qwen-Image-Edit 2511 DiT": {**h.QWEN_IMAGE, "__index_timestep_zero__": (1,)},
    "a Z-Image DiT": h.Z_IMAGE,
    "a Lumina 2 DiT": {"cap_embedder.1.weight": (2304, 2304), "noise_refiner.0.attention_norm1.weight": (2304,)},
    "an SDXL UNet": h.SDXL_UNET,
    "an SDXL checkpoint (UNet, VAE and text encoder in one file)": {
        **h.prefixed("model.diffusion_model.", h.SDXL_UNET),
        "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    },
    "a Stable Diffusion 1.5 UNet": h.SD15_UNET,
    "the VAE (ae) of FLUX.1, Z-Image or Stable Diffusion 3": h.FLUX_AE,
    "the VAE of Stable Diffusion 1.5 or SDXL": h.SDXL_VAE,
    "a Krea 2 DiT": {"txtfusion.projector.weight": (1, 12), "first.weight": (6144, 64)},
    "an Ideogram 4 DiT": {"embed_image_indicator.weight": (2, 4096), "input_proj.weight": (4096, 128)},
    "HiDream-O1": {"model.t_embedder1.mlp.0.weight": (4096, 256), "model.x_embedder.proj1.weight": (1024, 3072)},
    "a Kandinsky 5 DiT": {"visual_transformer_blocks.0.cross_attention.key_norm.weight": (128,)},
    "an LTX-Video DiT": {
        "adaln_single.emb.timestep_embedder.linear_1.bias": (2048,),
        "transformer_blocks.0.attn2.to_k.weight": (2048, 2048),
    },
    "a Mochi DiT": {"t5_yproj.weight": (1536, 4096)},
    "the Qwen3 4B text encoder of Z-Image and FLUX.2 klein": {
        "model.embed_tokens.weight": (151936, 2560),
        "model.layers.0.self_attn.q_proj.weight": (4096, 2560),
        "model.layers.0.self_attn.q_norm.weight": (128,),
    },
    "the Qwen2.5-VL text encoder of Qwen-Image and HunyuanVideo 1.5": {
        "model.embed_tokens.weight": (152064, 3584),
        "model.layers.0.self_attn.q_proj.weight": (3584, 3584),
        "model.layers.0.self_attn.q_proj.bias": (3584,),
        "model.norm.weight": (3584,),
        "visual.blocks.0.attn.qkv.weight": (3840, 1280),
    },
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_called_by_its_name(name: str) -> None:
    assert recognise(h.header(FILES[name]), plugins().weights_kinds).name == name


@pytest.mark.parametrize("name", FILES)
def test_what_stands_before_the_names_of_the_tensors_does_not_hide_it(name: str) -> None:
    found = recognise(h.header(h.prefixed("module.", FILES[name])), plugins().weights_kinds)
    assert found.name == name or "model." in str(FILES[name])


def test_an_unknown_file_is_nothing() -> None:
    found = recognise(h.header({"a.weight": (4, 4)}), plugins().weights_kinds)
    assert (found.kind, found.name) == (None, "")


@pytest.mark.parametrize(
    ("tensors", "dtype", "quantisation"),
    [
        (h.FLUX1, "BF16", PLAIN),
        (h.FLUX1, "F8_E4M3", FP8),
        (h.scaled(h.FLUX1), "F8_E4M3", SCALED),
        (h.comfy_quant(h.FLUX1), "F8_E4M3", COMFY),
    ],
)
def test_how_a_file_is_quantised_is_told_by_its_header(tensors: h.Shapes, dtype: str, quantisation: object) -> None:
    assert quantisation_of(h.header(tensors, dtype)) == quantisation


def test_a_few_fp8_weights_among_others_are_no_fp8_file() -> None:
    mixed = h.header(h.FLUX1)
    mixed.tensors.update(h.header({"img_in.weight": (3072, 64)}, "F8_E4M3").tensors)
    assert quantisation_of(mixed) == PLAIN


@pytest.mark.parametrize("ending", [".weight.absmax", ".weight.quant_state.bitsandbytes__nf4", ".qweight", ".SCB"])
def test_other_quantisations_have_a_name_of_their_own(ending: str) -> None:
    assert quantisation_of(h.header({f"blocks.0.q{ending}": (8,)}, "U8")).name.startswith("quantised with ")


def test_a_field_accepts_known_kinds_by_their_names() -> None:
    found = accepts_known("a Z-Image DiT", "a Lumina 2 DiT", sharded=True)
    assert (found.name, found.sharded) == ("a Z-Image DiT", True)
    assert [kind.name for kind in found.kinds] == ["a Z-Image DiT", "a Lumina 2 DiT", "a Lumina 2 DiT"]
    with pytest.raises(ValueError, match="a Zimage DiT"):
        accepts_known("a Z-Image DiT", "a Zimage DiT")
