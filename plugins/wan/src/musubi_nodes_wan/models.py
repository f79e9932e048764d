"""The files of a Wan model, and whether they fit the task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from musubi_nodes.families import DitSize, Header, ModelFile, Models, MusubiError, Option, Widget, read_header, say
from musubi_nodes_wan.family import A14B, SIZES, TASKS, Task

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

    task: Annotated[WanTask, Option()] = Field(
        "t2v-14B", description="What the model does. A14B is Wan 2.2, FC is Fun-Control, flf2v first-last-frame."
    )
    noise: Literal["both", "high", "low"] = Field(
        "both", description="Wan 2.2 has two models. One choice sets files, boundary and timestep range."
    )
    dit: Annotated[str | None, ModelFile("diffusion_models")] = Field(
        None, description="The DiT; of Wan 2.2 the low-noise one."
    )
    dit_high_noise: Annotated[str | None, ModelFile("diffusion_models")] = Field(
        None, description="The high-noise DiT of Wan 2.2."
    )
    vae: Annotated[str, ModelFile("vae", pickled=True), Option()] = Field(
        description="Wan 2.1's VAE; Wan 2.2 14B uses it too."
    )
    t5: Annotated[str, ModelFile("text_encoders", pickled=True), Option()] = Field(
        description="The T5 text encoder: models_t5_umt5-xxl-enc-bf16."
    )
    clip: Annotated[str | None, ModelFile("clip_vision", pickled=True)] = Field(
        None, description="The CLIP image encoder; only Wan 2.1's tasks that begin with a picture need it."
    )
    timestep_boundary: Annotated[int | None, Widget(advanced=True)] = Field(
        None, ge=0, le=1000, description="Wan 2.2: timestep between the two models. -1: 900 for i2v, 875 for t2v."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.two_models and self.noise != "low" and not self.dit_high_noise:
            raise ValueError(f"task {self.task} with noise {self.noise} needs dit_high_noise")
        if not self.dit and not (self.two_models and self.noise == "high"):
            raise ValueError(f"task {self.task} needs dit")
        if not self.two_models and self.noise != "both":
            raise ValueError(f"noise {self.noise} is for Wan 2.2 (A14B) only; task {self.task} has one model: both")
        if self.needs.clip and not self.clip:
            raise ValueError(f"task {self.task} needs clip, the CLIP image encoder")
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

    def check(self, headers: Mapping[str, Header]) -> None:
        used = (
            ("dit",)
            if not self.two_models
            else {"both": ("dit", "dit_high_noise"), "high": ("dit_high_noise",)}.get(self.noise, ("dit",))
        )
        for name in used:
            if name in headers:
                check_dit(headers[name], str(getattr(self, name)), self.task)
        if "vae" in headers:
            check_vae(headers["vae"], self.vae)
        if "t5" in headers:
            check_t5(headers["t5"], self.t5)


def check_dit(header: Header, name: str, task: str) -> None:
    """The DiT's input channels and width must be the task's: a mismatch would show after minutes of loading."""
    patch = next((t for n, t in header.tensors.items() if n.endswith("patch_embedding.weight")), None)
    if patch is None or len(patch.shape) < 2:
        raise MusubiError(f"{name} is no Wan DiT: it has no patch_embedding", fix="Choose another file for dit.")
    if any("scale_weight" in n for n in header.tensors):
        raise MusubiError(
            f"{name} is an fp8_scaled file",
            why="musubi-tuner cannot read them, not even with fp8_scaled.",
            fix="Choose the fp16, bf16 or fp8_e4m3fn file of the same model.",
        )
    dim, channels = patch.shape[:2]
    needs = TASKS[task]
    if channels != needs.channels:
        fitting = ", ".join(t for t, n in TASKS.items() if n.channels == channels) or say("none")
        raise MusubiError(
            f"{name} does not fit task {task}",
            why=say(
                "Its DiT takes {channels} channels, the task gives {given}.", channels=channels, given=needs.channels
            ),
            fix=say("Choose another file, or one of the tasks that fit this file: {fitting}.", fitting=fitting),
        )
    if dim in SIZES and dim != needs.dim:
        raise MusubiError(
            f"{name} is a {SIZES[dim].name} model, but the task is {task}", fix="Choose the task of this size."
        )
    has_image = any("img_emb" in n for n in header.tensors)
    if channels == 36 and has_image and needs.boundary is not None:
        raise MusubiError(f"{name} is a Wan 2.1 model, but the task is {task} (Wan 2.2)", fix="Choose i2v-14B.")
    if channels == 36 and not has_image and needs.clip and dim in SIZES:
        raise MusubiError(f"{name} is a Wan 2.2 model, but the task is {task} (Wan 2.1)", fix="Choose i2v-A14B.")


def check_vae(header: Header, name: str) -> None:
    """Wan 2.1's VAE has 16 latent channels; another VAE fails with ``Cannot copy out of meta tensor``."""
    inner = header.tensors.get("conv2.weight")
    if "encoder.conv1.weight" not in header.tensors or inner is None:
        raise MusubiError(f"{name} is not Wan's VAE", fix="Choose wan_2.1_vae.safetensors.")
    if inner.shape[0] != 16:
        raise MusubiError(
            f"{name} has {inner.shape[0]} latent channels: it is the VAE of Wan 2.2 5B",
            fix="Choose wan_2.1_vae.safetensors; the 14B models of Wan 2.2 use it too.",
        )


def check_t5(header: Header, name: str) -> None:
    """musubi-tuner reads Wan's own file; ComfyUI's has other names inside."""
    if "blocks.0.attn.q.weight" not in header.tensors:
        raise MusubiError(
            f"{name} is not Wan's own T5 file",
            why="musubi-tuner does not read ComfyUI's repackaged umt5 files.",
            fix="Download models_t5_umt5-xxl-enc-bf16.pth from Wan-AI's repository.",
        )


def dit_dtype(path: str) -> str:
    """The DiT's own precision as safetensors spells it (F16, BF16, F8_E4M3, F32), as musubi-tuner looks it up."""
    tensors = read_header(Path(path)).tensors
    return next((t.dtype for n, t in tensors.items() if n.endswith("blocks.0.cross_attn.k.weight")), "")
