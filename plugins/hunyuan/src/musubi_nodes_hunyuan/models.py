"""The files of HunyuanVideo, and what its loaders can read of them (hunyuan_model, v0.3.4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from musubi_nodes.families import Accepts, LlamaClipModels, ModelFile, Option, WeightsKind, hub_files

CHANNELS = {"t2v": 16, "i2v": 32}
"""Input channels of the two DiTs (hv_train_network.py, ``--dit_in_channels``, v0.3.4)."""


def _dit(name: str, task: str) -> WeightsKind:
    return WeightsKind(
        name,
        {
            "img_in.proj.weight": (None, CHANNELS[task]),
            "double_blocks.0.img_attn_qkv.weight": (),
            "single_blocks.0.linear1.weight": (),
        },
        tasks=(task,),
    )


DITS = (_dit("a HunyuanVideo T2V DiT", "t2v"), _dit("a HunyuanVideo I2V DiT (SkyReels)", "i2v"))
HUNYUAN_DIT = Accepts(
    "a HunyuanVideo DiT", DITS, fix="Choose mp_rank_00_model_states.pt, or mp_rank_00_model_states_fp8.safetensors."
)

DIT_FILES = hub_files("Kijai/HunyuanVideo_comfy", "", "hunyuan_video_720_cfgdistill_bf16.safetensors")


class HunyuanVideoModels(LlamaClipModels):
    """Which HunyuanVideo, and its files."""

    socket = "MUSUBI_HUNYUAN_MODELS"
    version_field = "task"

    dit: Annotated[
        str, ModelFile("diffusion_models", pickled=True, accepts=HUNYUAN_DIT, downloads=DIT_FILES), Option()
    ] = Field(description="The DiT.")
    task: Literal["t2v", "i2v"] = Field("t2v", description="Text to video, or image to video; must fit the DiT.")
