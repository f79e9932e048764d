"""Krea 2's family and nodes: declarations on the core's bases."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from musubi_nodes import families as mn

NO_FP8 = "Krea 2 has scaled fp8 only (docs/krea2.md, v0.3.4): choose fp8_scaled."
SPLIT = dict.fromkeys(("flash", "xformers", "sage"), "musubi-tuner's docs/krea2.md asks for it")
GENERATOR = mn.with_choice(mn.GENERATOR_OPTIONS, "fp8", "fp8", NO_FP8)
LAYERS = r"(txtfusion\.\w+_)?blocks\.\d+\.(attn\.(w[qkvo]|gate)|mlp\.(gate|up|down))"
KREA_2 = mn.Family(
    key="krea_2",
    title="Krea 2",
    architecture="kr2",
    network_module="networks.lora_krea2",
    not_convertible="convert_lora.py gives wrong names to the layers of its text fusion (v0.3.4).",
    frame_rule=mn.PICTURES,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 2.5, "weighting_scheme": "none"},
    ignores=frozenset({"guidance_scale", "flow_shift"}),
    trainer_split_attn=SPLIT,
    generator_split_attn=SPLIT,
    trainer_options=mn.with_choice(mn.TRAINER_OPTIONS, "fp8", "fp8", NO_FP8),
    generator_options=mn.with_choice(GENERATOR, "fp8", "fp8_scaled", {"fp8_scaled": True}),
    lora_modules=rf"{LAYERS}|first|last\.linear|t\w*mlp\.\d|tproj\.1|txtfusion\.projector",
)
RAW, TURBO = (mn.hub_files(f"krea/Krea-2-{name}", "", f"{name.lower()}.safetensors") for name in ("Raw", "Turbo"))
VAES = mn.hub_files("Comfy-Org/Qwen-Image_ComfyUI", "split_files/vae", "qwen_image_vae.safetensors")
ENCODERS = mn.hub_files("Comfy-Org/Qwen3-VL", "text_encoders", "qwen3vl_4b_bf16.safetensors")
DIT, QWEN = mn.accepts_known("a Krea 2 DiT"), "the VAE of Wan 2.1 or Qwen-Image"
# the VAE computes in the file's precision (``load_vae``, v0.3.4)
VAE = mn.accepts_known(QWEN, f"{QWEN} in diffusers format", quantised=(mn.PLAIN,))
QWEN3_VL = mn.accepts_known("the Qwen3-VL 4B text encoder of Krea 2", "a Qwen3-VL text encoder")


class Krea2Models(mn.Models):
    """Krea 2's files."""

    socket, most_swap = "MUSUBI_KREA_2_MODELS", (26, 26)  # docs/krea2.md; nobody measured its memory
    dit: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT, downloads=RAW + TURBO), mn.Option()] = Field(
        description="The DiT: RAW to train, Turbo to use."
    )
    vae: Annotated[str, mn.ModelFile("vae", accepts=VAE, downloads=VAES), mn.Option()]
    text_encoder: Annotated[str, mn.ModelFile("text_encoders", accepts=QWEN3_VL, downloads=ENCODERS), mn.Option()]
    turbo_dit: Annotated[str | None, mn.ModelFile("diffusion_models", accepts=DIT, downloads=TURBO), mn.Option()] = (
        Field(None, description="Turbo, for the samples of a training on RAW. Not together with swapped blocks.")
    )


class Krea2ModelsNode(mn.ModelsNode):
    """Names the files of Krea 2 (RAW or Turbo) and checks them. It loads nothing."""

    id, title, models = "MusubiTuner_Krea2Models", "Krea 2 Models", Krea2Models


class Krea2LatentCache(mn.LatentCache):
    """Encodes a dataset's pictures with Qwen-Image's VAE."""

    id, title = "MusubiTuner_Krea2LatentCache", "Krea 2 Latent Cache"
    family, script = KREA_2, "krea2_cache_latents.py"

    class Inputs(mn.LatentCacheInputs):
        models: Annotated[Krea2Models, mn.ForwardOptions("vae")]


class Krea2TextEncoderCache(mn.TextEncoderCache):
    """Encodes a dataset's captions with Qwen3-VL."""

    id, title = "MusubiTuner_Krea2TextEncoderCache", "Krea 2 Text Encoder Cache"
    family, script = KREA_2, "krea2_cache_text_encoder_outputs.py"

    class Inputs(mn.CacheInputs):
        models: Annotated[Krea2Models, mn.ForwardOptions("text_encoder")]
        text_encoder_dtype: mn.Dtype = Field(None, description="Precision of the text encoder. default: bfloat16.")


class Krea2LoRATrainer(mn.LoRATrainer):
    """Trains a Krea 2 LoRA on RAW, for RAW and Turbo. Samples on RAW need a negative prompt and cfg_scale."""

    id, title, family = "MusubiTuner_Krea2LoRATrainer", "Krea 2 LoRA Trainer", KREA_2
    script, sample_models = "krea2_train_network.py", ("vae", "text_encoder", "turbo_dit")

    class Inputs(mn.LoRATrainerInputs):
        models: Annotated[Krea2Models, mn.ForwardOptions("dit")]

    def check_samples(self, inputs: Inputs) -> None:
        if inputs.models.turbo_dit and inputs.memory and inputs.memory.blocks_to_swap:
            raise mn.MusubiError(
                "settings-conflict",
                "samples on turbo_dit exclude blocks_to_swap",
                why="musubi-tuner would mix the weights of both models (v0.3.4).",
                fix="Set turbo_dit of Krea 2 Models to none, or blocks_to_swap to 0.",
            )


class Krea2Generator(mn.ImageGenerator):
    """Makes a picture with Krea 2 from a text."""

    id, title = "MusubiTuner_Krea2Generator", "Krea 2 Generator"
    family, script, kept_by_text = KREA_2, "krea2_generate_image.py", frozenset[str]()
    size_option, lacks = "", frozenset({"latent", "output_type"})

    class Inputs(mn.ImageGeneratorInputs):
        models: Annotated[Krea2Models, mn.ForwardOptions("dit", "vae", "text_encoder")]
        width: Annotated[mn.Side, mn.Option()] = Field(1024, ge=16, le=4096, description="Width in pixels.")
        height: Annotated[mn.Side, mn.Option()] = Field(1024, ge=16, le=4096, description="Height in pixels.")
        infer_steps: Annotated[int, mn.Option("steps")] = Field(28, ge=1, le=1000, description="Steps; 8 for Turbo.")
        guidance_scale: mn.Scale = Field(5.5, description="Guidance: 5.5 for RAW, 1 (off) for Turbo.")
        mu: Annotated[float | None, mn.Option()] = Field(
            None, ge=0.0, le=10.0, description="Shift of the timesteps: 1.15 for Turbo. -1: by the picture's size."
        )


NODES = (Krea2ModelsNode, Krea2LatentCache, Krea2TextEncoderCache, Krea2LoRATrainer, Krea2Generator)
