"""FLUX.2's family and nodes: declarations on the core's bases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from musubi_nodes import families as mn

Version = Literal["klein-base-4b", "klein-base-9b", "klein-4b", "klein-9b", "dev"]
KLEIN_4B, KLEIN_9B, DEV = ("klein-base-4b", "klein-4b"), ("klein-base-9b", "klein-9b"), ("dev",)
FAST = ("klein-4b", "klein-9b")
LORA = r"double_blocks\.\d+\.(img|txt)_(attn\.(qkv|proj)|mlp\.[02])|single_blocks\.\d+\.linear[12]"
GUIDED = {"sample_keys": {"cfg_scale": "guidance_scale"}, "ignores": frozenset({"guidance_scale"})}
DISTILLED = {"ignores": frozenset({"negative_prompt", "cfg_scale", "guidance_scale"})}
EMBEDDED = {"ignores": frozenset({"negative_prompt", "cfg_scale"}), "fp8_text_encoder": ""}
# klein is fitted on one measured training of each; nobody measured dev (in proportion to its width) or generating
SIZES = {
    KLEIN_4B: mn.DitSize("klein-4B", 15, 0.23, 25, 3072, (0.47, 0.16), 96_256, (13, 13), notes=mn.CONTROLS_COUNT),
    KLEIN_9B: mn.DitSize("klein-9B", 20, 0.41, 32, 4096, (0.85, 0.28), 129_434, (16, 16), notes=mn.CONTROLS_COUNT),
    DEV: mn.DitSize("dev-32B", 32, 0.91, 56, 6144, (1.27, 0.42), 190_464, (29, 29), notes=mn.CONTROLS_COUNT),
}

FLUX_2 = mn.Family(
    key="flux_2",
    title="FLUX.2",
    architecture="f2k4b",
    network_module="networks.lora_flux_2",
    not_convertible="convert_lora.py gives HunyuanVideo's names to its attention layers (v0.3.4).",
    frame_rule=mn.PICTURES,
    training_defaults={"timestep_sampling": "flux2_shift", "weighting_scheme": "none"},
    fp8_text_encoder="fp8_text_encoder",
    control_images=mn.PictureCount(),
    sizes=tuple(SIZES.values()),
    lora_modules=LORA,
    versions={
        "klein-base-4b": GUIDED,
        "klein-base-9b": {**GUIDED, "architecture": "f2k9b"},
        "klein-4b": DISTILLED,
        "klein-9b": {**DISTILLED, "architecture": "f2k9b"},
        "dev": {**EMBEDDED, "architecture": "f2d"},
    },
)
DITS = {
    "a FLUX.2 DiT": (*KLEIN_4B, *KLEIN_9B, *DEV),
    "a FLUX.2 klein DiT (4B)": KLEIN_4B,
    "a FLUX.2 klein DiT (9B)": KLEIN_9B,
    "a FLUX.2 dev DiT": DEV,
}
ENCODERS = {
    "the Qwen3 4B text encoder of Z-Image and FLUX.2 klein": KLEIN_4B,
    "the Qwen3 8B text encoder of FLUX.2 klein": KLEIN_9B,
    "a Qwen3 text encoder": (*KLEIN_4B, *KLEIN_9B),
    "the Mistral 3 text encoder of FLUX.2 dev": DEV,
}
DIT = mn.accepts_known(*DITS, versions=DITS, fix="Choose the bf16 file of this model version.")
VAE = mn.accepts_known("the VAE (ae) of FLUX.2 or Ideogram 4")
ENCODER = mn.accepts_known(
    *ENCODERS,
    versions=ENCODERS,
    prefixes=("model.",),
    sharded=True,
    fix="Choose Qwen3 4B or 8B for klein 4B or 9B, and for dev the first of Mistral 3's ten files.",
)


def files(*of: tuple[str, str]) -> tuple[mn.HubFile, ...]:
    """Black Forest Labs' files: the end of the repository's name, and the file's."""
    found = (mn.hub_files(f"black-forest-labs/FLUX.2-{end}", "", f"{name}.safetensors") for end, name in of)
    return tuple(file for each in found for file in each)


DIT_FILES = files(
    ("klein-base-4B", "flux-2-klein-base-4b"),
    ("klein-base-9B", "flux-2-klein-base-9b"),
    ("klein-4B", "flux-2-klein-4b"),
    ("klein-9B", "flux-2-klein-9b"),
    ("dev", "flux2-dev"),
)
VAE_FILES = files(("dev", "ae"))
ENCODER_FILES = mn.hub_files("Comfy-Org/z_image_turbo", "split_files/text_encoders", "qwen_3_4b.safetensors")


class Flux2Models(mn.Models):
    """FLUX.2's files."""

    socket, version_field = "MUSUBI_FLUX_2_MODELS", "model_version"
    model_version: Annotated[Version, mn.Option()] = Field(
        "klein-base-4b", description="Which FLUX.2: klein-base to train, klein-4b and klein-9b for few steps, or dev."
    )
    dit: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT, downloads=DIT_FILES), mn.Option()] = Field(
        description="The DiT of this version, in bf16; base and few steps cannot be told apart."
    )
    vae: Annotated[str, mn.ModelFile("vae", accepts=VAE, downloads=VAE_FILES), mn.Option()]
    text_encoder: Annotated[
        str, mn.ModelFile("text_encoders", accepts=ENCODER, downloads=ENCODER_FILES), mn.Option()
    ] = Field(description="Qwen3 4B or 8B for klein 4B or 9B; Mistral 3 for dev.")

    @property
    def dit_size(self) -> mn.DitSize:
        return next(size for versions, size in SIZES.items() if self.model_version in versions)


class Flux2ModelsNode(mn.ModelsNode):
    """Names the files of FLUX.2 klein or dev and checks that they fit the version. It loads nothing."""

    id, title, models = "MusubiTuner_Flux2Models", "FLUX.2 Models", Flux2Models


class Flux2LatentCache(mn.LatentCache):
    """Encodes a dataset's pictures, and control pictures if it has them, with FLUX.2's VAE."""

    id, title = "MusubiTuner_Flux2LatentCache", "FLUX.2 Latent Cache"
    family, script = FLUX_2, "flux_2_cache_latents.py"

    class Inputs(mn.LatentCacheInputs):
        models: Annotated[Flux2Models, mn.ForwardOptions("model_version", "vae")]
        vae_dtype: mn.Dtype = Field(None, description="Precision of the VAE. default: float32.")


class Flux2TextEncoderCache(mn.TextEncoderCache):
    """Encodes a dataset's captions with Qwen3, or Mistral 3 for dev."""

    id, title = "MusubiTuner_Flux2TextEncoderCache", "FLUX.2 Text Encoder Cache"
    family, script = FLUX_2, "flux_2_cache_text_encoder_outputs.py"

    class Inputs(mn.CacheInputs):
        models: Annotated[Flux2Models, mn.ForwardOptions("model_version", "text_encoder")]


class Flux2LoRATrainer(mn.LoRATrainer):
    """Trains a FLUX.2 LoRA on finished caches; the LoRA lands in models/loras/musubi."""

    id, title = "MusubiTuner_Flux2LoRATrainer", "FLUX.2 LoRA Trainer"
    family, script, sample_models = FLUX_2, "flux_2_train_network.py", ("vae", "text_encoder")

    class Inputs(mn.LoRATrainerInputs):
        models: Annotated[Flux2Models, mn.ForwardOptions("model_version", "dit")]
        sample_control_image: mn.SampleControl = None
        vae_dtype: mn.Dtype = Field(None, description="Precision of the VAE for samples. default: float32.")


class Flux2Generator(mn.ImageGenerator):
    """Makes a picture with FLUX.2 from a text, or from a text and other pictures."""

    id, title = "MusubiTuner_Flux2Generator", "FLUX.2 Generator"
    family, script, kept_by_text = FLUX_2, "flux_2_generate_image.py", frozenset[str]()

    class Inputs(mn.ImageGeneratorInputs):
        models: Annotated[Flux2Models, mn.ForwardOptions("model_version", "dit", "vae", "text_encoder")]
        control_image: Annotated[Any, mn.Picture("control_image_path", several=True)] = Field(
            None, description="Pictures to edit or to refer to, in order; none: from the text alone."
        )
        no_resize_control: mn.Flag = Field(False, description="Keep the size of control images.")
        infer_steps: int | None = Field(
            None, ge=1, le=1000, description="Denoising steps. 0: 4 for klein-4b and klein-9b, else 50."
        )
        guidance_scale: mn.Scale = Field(4.0, description="klein-base: how strictly to follow the prompt; 1 is off.")
        embedded_cfg_scale: mn.Scale = Field(4.0, description="dev: how strictly to follow the prompt.")
        flow_shift: mn.ShiftBySize = None
        no_metadata: mn.NoMetadata = False

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        steps = 4 if inputs.models.model_version in FAST else 50
        return {"infer_steps": inputs.infer_steps or steps}


NODES = (Flux2ModelsNode, Flux2LatentCache, Flux2TextEncoderCache, Flux2LoRATrainer, Flux2Generator)
