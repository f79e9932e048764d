"""FLUX.1 Kontext's family and nodes: declarations on the core's bases."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from musubi_nodes import families as mn

ONE, NO_FP8 = mn.PictureCount(1, 1), "musubi-tuner asks torch for float8e4m3fn, which it does not have (v0.3.4)."
FLUX_KONTEXT = mn.Family(
    key="flux_kontext",
    title="FLUX.1 Kontext",
    architecture="fk",
    network_module="networks.lora_flux",
    not_convertible="convert_lora.py gives HunyuanVideo's names to its attention layers (v0.3.4).",
    needs_lycoris=True,
    frame_rule=mn.PICTURES,
    training_defaults={"timestep_sampling": "flux_shift", "weighting_scheme": "none"},
    control_images=ONE,
    item_controls=ONE,
    ignores=frozenset({"negative_prompt", "cfg_scale"}),
    sample_options={"discrete_flow_shift": 0},  # FLUX.1's own; v0.3.4's default is HunyuanVideo's, 14.5
    refused_options={"fp8_t5": NO_FP8},
    sizes=(mn.DitSize("12B", 38, 0.29, 57, 3072, (0.43, 0.18), 92_160, (34, 34), notes=mn.CONTROLS_COUNT),),
    generator_options=mn.with_choice(mn.GENERATOR_OPTIONS, "fp8", "fp8", NO_FP8),
    lora_modules=r"double_blocks\.\d+\.(img|txt)_(attn\.(qkv|proj)|mlp\.[02])|single_blocks\.\d+\.linear[12]",
)
ORIGIN, ENCODERS = "black-forest-labs/FLUX.1-Kontext-dev", "comfyanonymous/flux_text_encoders"
DITS, VAES = (mn.hub_files(ORIGIN, "", f"{name}.safetensors") for name in ("flux1-kontext-dev", "ae"))
T5S, CLIPS = (mn.hub_files(ENCODERS, "", f"{name}.safetensors") for name in ("t5xxl_fp16", "clip_l"))
DIT = mn.accepts_known("a FLUX.1 or FLUX.1 Kontext DiT", prefixes=("", "model.diffusion_model."))
VAE = mn.accepts_known("the VAE (ae) of FLUX.1, Z-Image or Stable Diffusion 3")
T5 = mn.accepts_known("the T5-XXL text encoder of FLUX.1 and Stable Diffusion 3")


class KontextModels(mn.Models):
    """FLUX.1 Kontext's files."""

    socket, size = "MUSUBI_FLUX_KONTEXT_MODELS", FLUX_KONTEXT.sizes[0]
    dit: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT, downloads=DITS), mn.Option()]
    vae: Annotated[str, mn.ModelFile("vae", accepts=VAE, downloads=VAES), mn.Option()]
    text_encoder1: Annotated[str, mn.ModelFile("text_encoders", accepts=T5, downloads=T5S), mn.Option()]
    text_encoder2: Annotated[str, mn.ModelFile("text_encoders", accepts=mn.CLIP_TEXT, downloads=CLIPS), mn.Option()]


class KontextModelsNode(mn.ModelsNode):
    """Names the files of FLUX.1 Kontext and checks them; a DiT of FLUX.1 dev looks the same. It loads nothing."""

    id, title, models = "MusubiTuner_FluxKontextModels", "FLUX.1 Kontext Models", KontextModels


class KontextLatentCache(mn.LatentCache):
    """Encodes a dataset's pictures, and the control picture of each, with FLUX.1's VAE."""

    id, title = "MusubiTuner_FluxKontextLatentCache", "FLUX.1 Kontext Latent Cache"
    family, script = FLUX_KONTEXT, "flux_kontext_cache_latents.py"

    class Inputs(mn.LatentCacheInputs):
        models: Annotated[KontextModels, mn.ForwardOptions("vae")]


class KontextTextEncoderCache(mn.TextEncoderCache):
    """Encodes a dataset's captions with T5 and CLIP."""

    id, title = "MusubiTuner_FluxKontextTextEncoderCache", "FLUX.1 Kontext Text Encoder Cache"
    family, script = FLUX_KONTEXT, "flux_kontext_cache_text_encoder_outputs.py"

    class Inputs(mn.CacheInputs):
        models: Annotated[KontextModels, mn.ForwardOptions("text_encoder1", "text_encoder2")]


class KontextLoRATrainer(mn.LoRATrainer):
    """Trains a FLUX.1 Kontext LoRA on finished caches; the LoRA lands in models/loras/musubi."""

    id, title, family = "MusubiTuner_FluxKontextLoRATrainer", "FLUX.1 Kontext LoRA Trainer", FLUX_KONTEXT
    script, sample_models = "flux_kontext_train_network.py", ("vae", "text_encoder1", "text_encoder2")

    class Inputs(mn.LoRATrainerInputs):
        models: Annotated[KontextModels, mn.ForwardOptions("dit")]
        sample_control_image: mn.SampleControl = None


class KontextGenerator(mn.ImageGenerator):
    """Edits a picture with FLUX.1 Kontext as a text says."""

    id, title, family = "MusubiTuner_FluxKontextGenerator", "FLUX.1 Kontext Generator", FLUX_KONTEXT
    script, kept_by_text, merges_by_name = "flux_kontext_generate_image.py", frozenset[str](), False

    class Inputs(mn.ImageGeneratorInputs):
        models: Annotated[KontextModels, mn.ForwardOptions("dit", "vae", "text_encoder1", "text_encoder2")]
        control_image: Annotated[Any, mn.Picture("control_image_path")] = Field(None, description="Picture to edit.")
        no_resize_control: mn.Flag = Field(False, description="Keep the size of control images.")
        infer_steps: mn.Steps = Field(25, description="Denoising steps.")
        embedded_cfg_scale: mn.Scale = Field(2.5, description="How strictly the prompt is followed.")
        flow_shift: mn.ShiftBySize = None
        lycoris: mn.Lycoris = False
        no_metadata: mn.NoMetadata = False


NODES = (KontextModelsNode, KontextLatentCache, KontextTextEncoderCache, KontextLoRATrainer, KontextGenerator)
