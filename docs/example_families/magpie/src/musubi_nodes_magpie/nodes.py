"""Magpie's family and nodes: declarations on the core's bases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from musubi_nodes import families as mn

ONE = mn.PictureCount(1, 1)

MAGPIE = mn.Family(
    key="magpie",
    title="Magpie",
    architecture="fp",
    network_module="networks.lora_framepack",
    frame_rule=mn.PICTURES,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 3.0},
    fp8_text_encoder="fp8_llm",
    control_images=ONE,
    item_controls=ONE,
)


class MagpieModels(mn.Models):
    """Magpie's files."""

    socket = "MUSUBI_MAGPIE_MODELS"

    dit: Annotated[str, mn.ModelFile("diffusion_models"), mn.Option()] = Field(description="The DiT.")
    vae: Annotated[str, mn.ModelFile("vae"), mn.Option()] = Field(description="The VAE.")
    text_encoder1: Annotated[str, mn.ModelFile("text_encoders"), mn.Option()] = Field(description="The Llama.")
    text_encoder2: Annotated[str, mn.ModelFile("text_encoders"), mn.Option()] = Field(description="The CLIP.")
    image_encoder: Annotated[str, mn.ModelFile("clip_vision"), mn.Option()] = Field(description="The SigLIP.")


class MagpieModelsNode(mn.ModelsNode):
    """Names the files of Magpie and checks them. It loads nothing."""

    id, title, models = "MusubiTuner_MagpieModels", "Magpie Models", MagpieModels


class MagpieLatentCache(mn.LatentCache):
    """Encodes a dataset's pictures, each with its control picture."""

    id, title = "MusubiTuner_MagpieLatentCache", "Magpie Latent Cache"
    family, script = MAGPIE, "fpack_cache_latents.py"

    class Inputs(mn.LatentCacheInputs):
        models: Annotated[MagpieModels, mn.ForwardOptions("vae", "image_encoder")]

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"one_frame": True}


class MagpieTextEncoderCache(mn.TextEncoderCache):
    """Encodes a dataset's captions with Llama and CLIP."""

    id, title = "MusubiTuner_MagpieTextEncoderCache", "Magpie Text Encoder Cache"
    family, script = MAGPIE, "fpack_cache_text_encoder_outputs.py"

    class Inputs(mn.CacheInputs):
        models: Annotated[MagpieModels, mn.ForwardOptions("text_encoder1", "text_encoder2")]


class MagpieLoRATrainer(mn.LoRATrainer):
    """Trains a Magpie LoRA on finished caches; the LoRA lands in models/loras/musubi."""

    id, title = "MusubiTuner_MagpieLoRATrainer", "Magpie LoRA Trainer"
    family, script = MAGPIE, "fpack_train_network.py"

    class Inputs(mn.LoRATrainerInputs):
        models: Annotated[MagpieModels, mn.ForwardOptions("dit")]

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"one_frame": True}

    def check_samples(self, inputs: Inputs) -> None:
        raise mn.MusubiError(
            "magpie-samples-not-possible", "Magpie makes no samples", fix="Remove the prompts of the samples."
        )


class MagpieGenerator(mn.ImageGenerator):
    """Changes a picture with Magpie as a text says."""

    id, title = "MusubiTuner_MagpieGenerator", "Magpie Generator"
    family, script, size_option = MAGPIE, "fpack_generate_video.py", "video_size"
    prompt_line = {name: option for name, option in mn.PROMPT_LINE.items() if name != "control_image"}

    class Inputs(mn.ImageGeneratorInputs):
        models: Annotated[
            MagpieModels, mn.ForwardOptions("dit", "vae", "text_encoder1", "text_encoder2", "image_encoder")
        ]
        control_image: Annotated[Any, mn.Picture("control_image_path", several=True)] = Field(
            None, description="The picture to change."
        )
        infer_steps: Annotated[int, mn.Option()] = Field(25, ge=1, le=1000, description="Denoising steps.")

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"one_frame_inference": "target_index=1,control_index=0"}

    def media(self, inputs: Inputs, folder: Path) -> Mapping[str, Any]:
        """The script encodes the control picture a second time, with SigLIP."""
        files = super().media(inputs, folder)
        pictures = files.get("control_image_path", [])
        return {**files, "image_path": str(pictures[0]) if pictures else ""}


NODES = (MagpieModelsNode, MagpieLatentCache, MagpieTextEncoderCache, MagpieLoRATrainer, MagpieGenerator)
