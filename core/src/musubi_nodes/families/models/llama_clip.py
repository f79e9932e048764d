"""Models that are conditioned by a LLaVA-Llama and a CLIP-L text encoder: HunyuanVideo and those built on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from musubi_nodes.commands.option import Option
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.fields import ModelFile
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.models.node import Models
from musubi_nodes.weights import Header

LLAMA_CLIP_DIT = DitSize("13B", 40, 0.29, 60, 3072, (0.43, 0.18), 92_160, most_swap=(36, 38))
"""20 double and 40 single blocks, of which two count as one (docs/hunyuan_video.md and docs/framepack.md, v0.3.4).
Training was fitted on HunyuanVideo's measurements; for generating its tensors were counted: 43 bytes for each token
and channel, times the 1.46 that Wan's training took more than such a count."""
TILED_VAE = {"vae_tiling": True, "vae_chunk_size": 32, "vae_spatial_tile_sample_min_size": 128}
"""What saves memory in HunyuanVideo's VAE (docs/hunyuan_video.md and docs/framepack.md, v0.3.4)."""


class LlamaClipModels(Models):
    """DiT, HunyuanVideo's VAE, and the two text encoders."""

    dit: Annotated[str, ModelFile("diffusion_models"), Option()] = Field(description="The DiT.")
    vae: Annotated[str, ModelFile("vae", pickled=True), Option()] = Field(description="HunyuanVideo's VAE.")
    text_encoder1: Annotated[str, ModelFile("text_encoders"), Option()] = Field(
        description="The LLaVA-Llama text encoder."
    )
    text_encoder2: Annotated[str, ModelFile("text_encoders"), Option()] = Field(description="The CLIP-L text encoder.")

    @property
    def dit_size(self) -> DitSize:
        return LLAMA_CLIP_DIT


def check_video_vae(header: Header, name: str) -> None:
    """HunyuanVideo's VAE; another one fails with 20 kB of missing keys."""
    if not any(key.startswith(("encoder.conv_in.", "encoder.conv_norm_out.")) for key in header.tensors):
        raise MusubiError(f"{name} is not HunyuanVideo's VAE", fix="Choose HunyuanVideo's VAE file.")
