"""The files of a Wan model, and whether they fit the task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from musubi_nodes.families import DitSize, InvalidValue, ModelFile, Models, Option, Widget, read_header
from musubi_nodes_wan.downloads import CLIP, DITS, HIGH_NOISE, LOW_NOISE, T5, VAE
from musubi_nodes_wan.family import A14B, SIZES, TASKS, Task
from musubi_nodes_wan.files import WAN_CLIP, WAN_DIT, WAN_T5, WAN_VAE

WanTask = Literal[
    "t2v-14B",
    "t2v-1.3B",
    "i2v-14B",
    "t2i-14B",
    "flf2v-14B",
    "t2v-1.3B-FC",
    "t2v-14B-FC",
    "i2v-14B-FC",
    "i2v-A14B",
    "t2v-A14B",
]


class WanModels(Models):
    """Which Wan, and its files."""

    socket = "MUSUBI_WAN_MODELS"
    version_field = "task"

    task: Annotated[WanTask, Option()] = Field(
        "t2v-14B", description="What the model does. A14B is Wan 2.2, FC is Fun-Control, flf2v first-last-frame."
    )
    noise: Literal["both", "high", "low"] = Field(
        "both", description="Wan 2.2 has two models. One choice sets files, boundary and timestep range."
    )
    dit: Annotated[str | None, ModelFile("diffusion_models", accepts=WAN_DIT, downloads=DITS + LOW_NOISE)] = Field(
        None, description="The DiT; of Wan 2.2 the low-noise one."
    )
    dit_high_noise: Annotated[str | None, ModelFile("diffusion_models", accepts=WAN_DIT, downloads=HIGH_NOISE)] = Field(
        None, description="The high-noise DiT of Wan 2.2."
    )
    vae: Annotated[str, ModelFile("vae", pickled=True, accepts=WAN_VAE, downloads=VAE), Option()] = Field(
        description="Wan 2.1's VAE; Wan 2.2 14B uses it too."
    )
    t5: Annotated[str, ModelFile("text_encoders", pickled=True, accepts=WAN_T5, downloads=T5), Option()] = Field(
        description="The T5 text encoder: models_t5_umt5-xxl-enc-bf16."
    )
    clip: Annotated[str | None, ModelFile("clip_vision", pickled=True, accepts=WAN_CLIP, downloads=CLIP)] = Field(
        None, description="The CLIP image encoder; only Wan 2.1's tasks that begin with a picture need it."
    )
    timestep_boundary: Annotated[int | None, Widget(advanced=True)] = Field(
        None, ge=0, le=1000, description="Wan 2.2: timestep between the two models. -1: 900 for i2v, 875 for t2v."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.two_models and self.noise != "low" and not self.dit_high_noise:
            raise InvalidValue("wan-dit-missing", f"task {self.task} with noise {self.noise} needs dit_high_noise")
        if not self.dit and not (self.two_models and self.noise == "high"):
            raise InvalidValue("wan-dit-missing", f"task {self.task} needs dit")
        if not self.two_models and self.noise != "both":
            raise InvalidValue(
                "wan-noise-not-allowed",
                f"noise {self.noise} is for Wan 2.2 (A14B) only; task {self.task} has one model: both",
            )
        if self.needs.clip and not self.clip:
            raise InvalidValue("wan-clip-missing", f"task {self.task} needs clip, the CLIP image encoder")
        return self

    @property
    def needs(self) -> Task:
        return TASKS[self.task]

    @property
    def dit_size(self) -> DitSize:
        return A14B if self.two_models else SIZES[self.needs.dim]

    @property
    def two_models(self) -> bool:
        """Wan 2.2."""
        return self.needs.boundary is not None

    @property
    def main_dit(self) -> str:
        """The file that ``--dit`` takes: of Wan 2.2 the low-noise model, unless only the high-noise one is meant."""
        return str(self.dit_high_noise if self.two_models and self.noise == "high" else self.dit)

    @property
    def second_dit(self) -> str | None:
        return self.dit_high_noise if self.two_models and self.noise == "both" else None

    @property
    def boundary(self) -> int | None:
        """Per mille."""
        if self.timestep_boundary is not None or self.needs.boundary is None:
            return self.timestep_boundary
        return round(self.needs.boundary * 1000)

    def dits(self) -> dict[str, object]:
        """The options that name the DiTs."""
        return {"dit": self.main_dit, "dit_high_noise": self.second_dit}

    def used(self, field: str) -> bool:
        if field not in ("dit", "dit_high_noise"):
            return True
        return getattr(self, field) in (self.main_dit, self.second_dit)


def dit_dtype(path: str) -> str:
    """The DiT's own precision as safetensors spells it (F16, BF16, F8_E4M3, F32), as musubi-tuner looks it up."""
    tensors = read_header(Path(path)).tensors
    return next((t.dtype for n, t in tensors.items() if n.endswith("blocks.0.cross_attn.k.weight")), "")
