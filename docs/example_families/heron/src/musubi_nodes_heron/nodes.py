"""Heron's nodes: declarations on the core's bases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from musubi_nodes.families import (
    Accepts,
    CacheInputs,
    Dtype,
    ForwardOptions,
    LatentCache,
    LatentCacheInputs,
    LoRATrainer,
    LoRATrainerInputs,
    ModelFile,
    Models,
    ModelsNode,
    Option,
    TextEncoderCache,
    VideoGenerator,
    VideoGeneratorInputs,
    WeightsKind,
)
from musubi_nodes_heron.family import HERON

HERON_DIT = Accepts("a Heron DiT", (WeightsKind("a Heron DiT", {"patch_embedding.weight": ()}),))


class HeronModels(Models):
    """Which Heron, and its files."""

    socket = "MUSUBI_HERON_MODELS"

    task: Annotated[Literal["t2v-14B", "t2v-1.3B"], Option()] = Field("t2v-14B", description="The size of the DiT.")
    dit: Annotated[str, ModelFile("diffusion_models", accepts=HERON_DIT), Option()] = Field(description="The DiT.")
    vae: Annotated[str, ModelFile("vae"), Option()] = Field(description="The VAE.")
    t5: Annotated[str, ModelFile("text_encoders"), Option()] = Field(description="The T5 text encoder.")

    @property
    def most_blocks_to_swap(self) -> tuple[int, int]:
        return (39, 39) if self.task == "t2v-14B" else (29, 29)


class HeronModelsNode(ModelsNode):
    """Names the files of a Heron model and checks that they are Heron's. It loads nothing."""

    id, title = "MusubiTuner_HeronModels", "Heron Models"
    models = HeronModels


class HeronLatentCache(LatentCache):
    """Encodes a dataset's images and videos with Heron's VAE."""

    id, title = "MusubiTuner_HeronLatentCache", "Heron Latent Cache"
    family, script = HERON, "wan_cache_latents.py"

    class Inputs(LatentCacheInputs):
        models: Annotated[HeronModels, ForwardOptions("vae")]
        vae_dtype: Dtype = Field(None, description="Precision of the VAE. default: bfloat16.")


class HeronTextEncoderCache(TextEncoderCache):
    """Encodes a dataset's captions with Heron's text encoder."""

    id, title = "MusubiTuner_HeronTextEncoderCache", "Heron Text Encoder Cache"
    family, script = HERON, "wan_cache_text_encoder_outputs.py"

    class Inputs(CacheInputs):
        models: Annotated[HeronModels, ForwardOptions("t5")]


class HeronLoRATrainer(LoRATrainer):
    """Trains a Heron LoRA on finished caches; the LoRA lands in models/loras/musubi."""

    id, title = "MusubiTuner_HeronLoRATrainer", "Heron LoRA Trainer"
    family, script = HERON, "wan_train_network.py"
    sample_models = ("vae", "t5")

    class Inputs(LoRATrainerInputs):
        models: Annotated[HeronModels, ForwardOptions("task", "dit")]


class HeronGenerator(VideoGenerator):
    """Makes a video with Heron from a text."""

    id, title = "MusubiTuner_HeronGenerator", "Heron Generator"
    family, script = HERON, "wan_generate_video.py"

    class Inputs(VideoGeneratorInputs):
        models: Annotated[HeronModels, ForwardOptions("task", "dit", "vae", "t5")]
        video_length: Annotated[int, Option()] = Field(81, ge=1, le=1025, description="Frames: N*4+1.")
        infer_steps: Annotated[int, Option()] = Field(50, ge=1, le=1000, description="Denoising steps.")
        guidance_scale: Annotated[float | None, Option()] = Field(
            None, ge=0.0, le=100.0, description="How strictly the prompt is followed. -1: the model's own."
        )


NODES = (HeronModelsNode, HeronLatentCache, HeronTextEncoderCache, HeronLoRATrainer, HeronGenerator)
