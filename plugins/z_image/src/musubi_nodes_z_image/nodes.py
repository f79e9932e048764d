"""Z-Image's family and nodes: declarations on the core's bases."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from musubi_nodes import families as mn

Z_IMAGE = mn.Family(
    key="z_image",
    title="Z-Image",
    architecture="zi",
    network_module="networks.lora_zimage",
    frame_rule=mn.PICTURES,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 2.0},
    fp8_text_encoder="fp8_llm",
    # fitted on the one measured training (512x512, rank 128, fp8: 9.8 GiB); nobody measured generating: as Wan 2.1
    sizes=(mn.DitSize("6B", 30, 0.16, 34, 3840, (0.8, 0.26), 72_960, most_swap=(28, 28)),),
    lora_modules=r"layers\.\d+\.(attention\.(to_[qkv]|to_out\.0)|feed_forward\.w[123])",
)
BASE, TURBO, FOLDER = "Comfy-Org/z_image", "Comfy-Org/z_image_turbo", "split_files/diffusion_models"
DITS = (
    *mn.hub_files(BASE, FOLDER, "z_image_bf16.safetensors"),
    *mn.hub_files(TURBO, FOLDER, "z_image_turbo_bf16.safetensors"),
    *mn.hub_files("ostris/Z-Image-De-Turbo", "", "z_image_de_turbo_v1_bf16.safetensors"),
)
VAES = mn.hub_files(TURBO, "split_files/vae", "ae.safetensors")
ENCODERS = mn.hub_files(TURBO, "split_files/text_encoders", "qwen_3_4b.safetensors")
AE, QWEN3_4B = "FLUX.1, Z-Image or Stable Diffusion 3", "the Qwen3 4B text encoder of Z-Image and FLUX.2 klein"
DIT = mn.accepts_known("a Z-Image DiT", sharded=True)
VAE = mn.accepts_known(f"the VAE (ae) of {AE}", f"the VAE of {AE}, in diffusers format")
QWEN3 = mn.accepts_known(QWEN3_4B, "a Qwen3 text encoder", prefixes=("model.",), sharded=True)


class ZImageModels(mn.Models):
    """Z-Image's files."""

    socket, size = "MUSUBI_Z_IMAGE_MODELS", Z_IMAGE.sizes[0]
    dit: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT, downloads=DITS), mn.Option()] = Field(
        description="The DiT: base to train and to use, De-Turbo to train, Turbo to use."
    )
    vae: Annotated[str, mn.ModelFile("vae", accepts=VAE, downloads=VAES), mn.Option()]
    text_encoder: Annotated[str, mn.ModelFile("text_encoders", accepts=QWEN3, downloads=ENCODERS), mn.Option()]


class ZImageModelsNode(mn.ModelsNode):
    """Names the files of Z-Image (base, Turbo or De-Turbo) and checks them. It loads nothing."""

    id, title, models = "MusubiTuner_ZImageModels", "Z-Image Models", ZImageModels


class ZImageLatentCache(mn.LatentCache):
    """Encodes a dataset's pictures with Z-Image's VAE."""

    id, title = "MusubiTuner_ZImageLatentCache", "Z-Image Latent Cache"
    family, script = Z_IMAGE, "zimage_cache_latents.py"

    class Inputs(mn.LatentCacheInputs):
        models: Annotated[ZImageModels, mn.ForwardOptions("vae")]


class ZImageTextEncoderCache(mn.TextEncoderCache):
    """Encodes a dataset's captions with Qwen3."""

    id, title = "MusubiTuner_ZImageTextEncoderCache", "Z-Image Text Encoder Cache"
    family, script = Z_IMAGE, "zimage_cache_text_encoder_outputs.py"

    class Inputs(mn.CacheInputs):
        models: Annotated[ZImageModels, mn.ForwardOptions("text_encoder")]


class ZImageLoRATrainer(mn.LoRATrainer):
    """Trains a Z-Image LoRA on finished caches. To train on Turbo, connect its training adapter to base_weights."""

    id, title = "MusubiTuner_ZImageLoRATrainer", "Z-Image LoRA Trainer"
    family, script, sample_models = Z_IMAGE, "zimage_train_network.py", ("vae", "text_encoder")

    class Inputs(mn.LoRATrainerInputs):
        models: Annotated[ZImageModels, mn.ForwardOptions("dit")]
        use_32bit_attention: mn.Flag = Field(False, description="Compute attention in 32 bits: slower, more memory.")


class ZImageGenerator(mn.ImageGenerator):
    """Makes a picture with Z-Image from a text."""

    id, title = "MusubiTuner_ZImageGenerator", "Z-Image Generator"
    family, script, kept_by_text = Z_IMAGE, "zimage_generate_image.py", frozenset[str]()

    class Inputs(mn.ImageGeneratorInputs):
        models: Annotated[ZImageModels, mn.ForwardOptions("dit", "vae", "text_encoder")]
        infer_steps: mn.Steps = Field(25, description="Denoising steps; 8 for Turbo.")
        guidance_scale: mn.Scale = Field(4.0, description="How strictly to follow the prompt: 4 for base, 0 for Turbo.")
        flow_shift: mn.Scale = Field(3.0, description="Shift of the timesteps.")
        use_32bit_attention: mn.Flag = Field(False, description="Compute attention in 32 bits: slower, more memory.")
        cpu_noise: mn.Flag = Field(False, description="Draw the noise on the CPU, as ComfyUI does.")


NODES = (ZImageModelsNode, ZImageLatentCache, ZImageTextEncoderCache, ZImageLoRATrainer, ZImageGenerator)
