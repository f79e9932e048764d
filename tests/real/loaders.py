"""Run by musubi-tuner's own Python: toy weights in many forms, and which of them its loaders read and can use.

``python loaders.py WEIGHTS VARIANTS`` prints JSON: loader -> file -> whether it was read and computed with.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.torch import load_file, save_file

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")
WEIGHTS, VARIANTS = Path(sys.argv[1]), Path(sys.argv[2])
VARIANTS.mkdir(parents=True, exist_ok=True)
NAMES = ("wan21_dit", "hv_dit", "fp_dit", "t5", "hv_llm", "hv_clip", "fp_siglip", "hv_vae", "wan_vae")
NAMES += (
    "zimage_dit",
    "zimage_vae",
    "qwen3",
    "kontext_dit",
    "kontext_vae",
    "t5xxl",
    "clip_l",
    "klein_dit",
    "flux2_vae",
)
PREFIXES = ("model.diffusion_model.", "transformer.", "model.", "encoder.", "vae.")


def weights(name):
    return load_file(WEIGHTS / f"{name}.safetensors")


def save(name, state):
    save_file(state, VARIANTS / f"{name}.safetensors")


for name in NAMES:
    state = weights(name)
    save(name, state)
    save(f"{name}_fp8", {k: v.to(torch.float8_e4m3fn) if v.ndim > 1 else v for k, v in state.items()})
    small = {k: v.to(torch.float8_e4m3fn) if v.ndim == 2 else v for k, v in state.items()}
    layers = [k[: -len(".weight")] for k, v in state.items() if v.ndim == 2 and k.endswith(".weight")]
    mark = torch.zeros(8, dtype=torch.uint8)
    save(
        f"{name}_scaled",
        {**small, **{f"{k}.scale_weight": torch.ones(()) for k in layers}, "scaled_fp8": torch.zeros(2)},
    )
    scales = {f"{k}.weight_scale": torch.ones(()) for k in layers}
    save(f"{name}_comfy", {**small, **scales, **{f"{k}.comfy_quant": mark.clone() for k in layers}})
    for prefix in PREFIXES:
        save(f"{name}_{prefix.replace('.', '_')}", {prefix + k: v for k, v in state.items()})
llm = weights("hv_llm")
save("hv_llm_headless", {k: v for k, v in llm.items() if k != "lm_head.weight"})
save("hv_llm_bare", {k.removeprefix("model."): v for k, v in llm.items() if k != "lm_head.weight"})
save("hv_llm_tokenizer", {**llm, "tokenizer": torch.zeros(4, dtype=torch.uint8)})
save("hv_clip_projection", {**weights("hv_clip"), "text_projection.weight": torch.zeros(768, 768)})


zimage = weights("zimage_dit")
comfy_names = {
    "all_x_embedder.2-1.": "x_embedder.",
    "all_final_layer.2-1.": "final_layer.",
    "attention.to_out.0.": "attention.out.",
    "attention.norm_q.": "attention.q_norm.",
    "attention.norm_k.": "attention.k_norm.",
}
joined = {}
for k, v in zimage.items():
    if ".attention.to_q." in k:
        parts = [zimage[k.replace("to_q", f"to_{part}")] for part in "qkv"]
        joined[k.replace("to_q", "qkv")] = torch.cat(parts)
    elif ".attention.to_k." not in k and ".attention.to_v." not in k:
        for ours, theirs in comfy_names.items():
            k = k.replace(ours, theirs)
        joined[k] = v
save("zimage_dit_names_of_comfyui", joined)
save("qwen3_headed", {**weights("qwen3"), "lm_head.weight": weights("qwen3")["model.embed_tokens.weight"].clone()})


def zimage_dit(path):
    from musubi_tuner.zimage.zimage_model import load_zimage_model

    load_zimage_model("cpu", path, "torch", False, "cpu", torch.bfloat16)


def zimage_vae(path):
    from musubi_tuner.zimage.zimage_autoencoder import load_autoencoder_kl

    load_autoencoder_kl(path).encode(torch.zeros(1, 3, 64, 64))


def zimage_text(path):
    from musubi_tuner.zimage.zimage_utils import get_text_embeds, load_qwen3

    get_text_embeds(*load_qwen3(path, torch.bfloat16, "cpu"), "a cat")


def hunyuan_llm(path):
    from musubi_tuner.cache_text_encoder_outputs import encode_prompt
    from musubi_tuner.hunyuan_model.text_encoder import load_text_encoder_1

    encode_prompt(load_text_encoder_1(path, "cpu", False, torch.float16), "a cat")


def hunyuan_clip(path):
    from musubi_tuner.cache_text_encoder_outputs import encode_prompt
    from musubi_tuner.hunyuan_model.text_encoder import load_text_encoder_2

    encode_prompt(load_text_encoder_2(path, "cpu", torch.float16), "a cat")


def hunyuan_dit(path):
    from musubi_tuner.hunyuan_model.models import load_transformer

    load_transformer(path, "torch", True, "cpu", torch.bfloat16)


def hunyuan_vae(path):
    from musubi_tuner.hunyuan_model.vae import load_vae

    load_vae(vae_dtype=torch.float16, device="cpu", vae_path=path)


def framepack_texts(llm, clip):
    from musubi_tuner.frame_pack.framepack_utils import load_text_encoder1, load_text_encoder2
    from musubi_tuner.frame_pack.hunyuan import encode_prompt_conds

    args = SimpleNamespace(text_encoder1=llm, text_encoder2=clip)
    tokenizer1, encoder1 = load_text_encoder1(args, False, "cpu")
    tokenizer2, encoder2 = load_text_encoder2(args)
    encode_prompt_conds("a cat", encoder1, encoder2, tokenizer1, tokenizer2)


def framepack_dit(path):
    from musubi_tuner.frame_pack.hunyuan_video_packed import load_packed_model

    load_packed_model("cpu", path, "torch", "cpu", False, False)


def framepack_image(path):
    from musubi_tuner.frame_pack.clip_vision import hf_clip_vision_encode
    from musubi_tuner.frame_pack.framepack_utils import load_image_encoders

    extractor, encoder = load_image_encoders(SimpleNamespace(image_encoder=path))
    hf_clip_vision_encode(np.zeros((64, 64, 3), np.uint8), extractor, encoder)


def wan_dit(path):
    from musubi_tuner.wan.configs import WAN_CONFIGS
    from musubi_tuner.wan.modules.model import detect_wan_sd_dtype, load_wan_model

    detect_wan_sd_dtype(path)
    load_wan_model(WAN_CONFIGS["t2v-14B"], "cpu", path, "torch", False, "cpu", torch.bfloat16, False)


def wan_t5(path):
    from musubi_tuner.wan.modules.t5 import T5EncoderModel

    encoder = T5EncoderModel(512, torch.bfloat16, "cpu", weight_path=path, fp8=False)
    with torch.amp.autocast("cpu", dtype=torch.bfloat16):
        encoder(["a cat"], "cpu")


def wan_vae(path):
    from musubi_tuner.wan.modules.vae import WanVAE

    WanVAE(vae_path=path, device="cpu", dtype=torch.float32).encode([torch.zeros(3, 1, 64, 64)])


def kontext_dit(path):
    from musubi_tuner.flux.flux_utils import load_flow_model

    load_flow_model(path, None, "cpu", disable_mmap=True)


def kontext_vae(path):
    from musubi_tuner.flux.flux_utils import load_ae

    load_ae(path, torch.float32, "cpu", disable_mmap=True).encode(torch.zeros(1, 3, 64, 64))


def kontext_t5(path):
    from musubi_tuner.flux.flux_utils import load_t5xxl

    tokenizer, encoder = load_t5xxl(path, torch.bfloat16, "cpu", disable_mmap=True)
    encoder(input_ids=tokenizer("a cat", return_tensors="pt")["input_ids"])


def kontext_clip(path):
    from musubi_tuner.flux.flux_utils import load_clip_l

    tokenizer, encoder = load_clip_l(path, torch.bfloat16, "cpu", disable_mmap=True)
    encoder(tokenizer("a cat", return_tensors="pt")["input_ids"])


def flux2_dit(path):
    from musubi_tuner.flux_2.flux2_utils import FLUX2_MODEL_INFO, load_flow_model

    load_flow_model("cpu", FLUX2_MODEL_INFO["klein-base-4b"], path, "torch", False, "cpu", torch.bfloat16)


def flux2_vae(path):
    from musubi_tuner.flux_2.flux2_utils import load_ae

    load_ae(path, torch.float32, "cpu", disable_mmap=True).encode(torch.zeros(1, 3, 64, 64))


def flux2_text(path):
    from musubi_tuner.flux_2.flux2_utils import FLUX2_MODEL_INFO, load_text_embedder

    load_text_embedder(FLUX2_MODEL_INFO["klein-base-4b"], path, torch.bfloat16, "cpu", True)(["a cat"])


LLM, CLIP = str(WEIGHTS / "hv_llm.safetensors"), str(WEIGHTS / "hv_clip.safetensors")
LOADERS = {
    "Wan dit": (wan_dit, ("wan21_dit", "hv_dit", "fp_dit")),
    "Wan vae": (wan_vae, ("wan_vae", "hv_vae")),
    "Wan t5": (wan_t5, ("t5", "hv_llm")),
    "HunyuanVideo dit": (hunyuan_dit, ("hv_dit", "fp_dit", "wan21_dit")),
    "HunyuanVideo vae": (hunyuan_vae, ("hv_vae", "wan_vae")),
    "HunyuanVideo text_encoder1": (hunyuan_llm, ("hv_llm", "hv_clip")),
    "HunyuanVideo text_encoder2": (hunyuan_clip, ("hv_clip", "hv_llm")),
    "FramePack dit": (framepack_dit, ("fp_dit", "hv_dit")),
    "FramePack text_encoder1": (lambda path: framepack_texts(path, CLIP), ("hv_llm", "hv_clip")),
    "FramePack text_encoder2": (lambda path: framepack_texts(LLM, path), ("hv_clip", "hv_llm")),
    "Z-Image dit": (zimage_dit, ("zimage_dit", "wan21_dit")),
    "Z-Image vae": (zimage_vae, ("zimage_vae", "hv_vae", "wan_vae")),
    "Z-Image text_encoder": (zimage_text, ("qwen3", "hv_llm")),
    "FramePack image_encoder": (framepack_image, ("fp_siglip", "hv_clip")),
    "Kontext dit": (kontext_dit, ("kontext_dit", "klein_dit", "hv_dit")),
    "Kontext vae": (kontext_vae, ("kontext_vae", "zimage_vae", "flux2_vae")),
    "Kontext text_encoder1": (kontext_t5, ("t5xxl", "t5")),
    "Kontext text_encoder2": (kontext_clip, ("clip_l", "hv_clip_projection")),
    "FLUX.2 dit": (flux2_dit, ("klein_dit", "kontext_dit")),
    "FLUX.2 vae": (flux2_vae, ("flux2_vae", "kontext_vae")),
    "FLUX.2 text_encoder": (flux2_text, ("qwen3", "hv_llm")),
}
read = {}
for name, (loader, families) in LOADERS.items():
    read[name] = {}
    for path in sorted(path for family in families for path in VARIANTS.glob(f"{family}*.safetensors")):
        try:
            loader(str(path))
            read[name][str(path)] = True
        except Exception:
            read[name][str(path)] = False
print("\n" + json.dumps(read))
