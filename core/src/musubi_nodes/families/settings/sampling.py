"""SAMPLING: timesteps, and samples during training."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from musubi_nodes.commands.option import Option
from musubi_nodes.errors import InvalidValue
from musubi_nodes.families.fields import Settings, Widget
from musubi_nodes.families.prompt_lines import SAMPLE_OPTIONS, first_option
from musubi_nodes.families.prompts import Prompt, Prompts, written_prompts
from musubi_nodes.families.settings.changed import back_to_start, changed
from musubi_nodes.families.settings.timesteps import FIELDS, ignored, of
from musubi_nodes.families.sizes import Side

ADVANCED = Widget(advanced=True)


class Sampling(Settings):
    socket: ClassVar[str] = "MUSUBI_SAMPLING"

    timestep_sampling: Annotated[
        Literal[
            "sigma", "uniform", "sigmoid", "shift", "flux_shift", "flux2_shift", "ideogram4_shift", "qwen_shift",
            "krea2_shift", "logsnr", "qinglong_flux", "qinglong_qwen",
        ]
        | None,
        Option(),
    ] = Field(None, description="How timesteps are drawn. default: the family's own.")  # fmt: skip
    discrete_flow_shift: Annotated[float | None, Option()] = Field(
        None,
        ge=0.0,
        le=100.0,
        description=of("discrete_flow_shift", "the shift; more trains more noise. -1: the family's own."),
    )
    sigmoid_scale: Annotated[float, Option(), ADVANCED] = Field(
        1.0, ge=0.0, le=100.0, description=of("sigmoid_scale", "the spread of the drawn timesteps.")
    )
    weighting_scheme: Annotated[Literal["none", "logit_normal", "mode", "cosmap", "sigma_sqrt"], Option()] = Field(
        "none",
        description="cosmap, sigma_sqrt: how the loss is weighted by timestep. logit_normal, mode: how "
        "timestep_sampling sigma draws.",
    )
    logit_mean: Annotated[float, Option(), ADVANCED] = Field(
        0.0, ge=-10.0, le=10.0, description=of("logit_mean", "the mean.")
    )
    logit_std: Annotated[float, Option(), ADVANCED] = Field(
        1.0, ge=0.0, le=10.0, description=of("logit_std", "the standard deviation.")
    )
    mode_scale: Annotated[float, Option(), ADVANCED] = Field(
        1.29, ge=-10.0, le=10.0, description=of("mode_scale", "the scale.")
    )
    min_timestep: Annotated[int | None, Option()] = Field(
        None, ge=0, le=999, description="Lowest trained timestep. -1: 0, or what the models node sets (Wan 2.2)."
    )
    max_timestep: Annotated[int | None, Option()] = Field(
        None, ge=1, le=1000, description="Highest trained timestep. 0: 1000, or what the models node sets (Wan 2.2)."
    )
    preserve_distribution_shape: Annotated[bool, Option(), ADVANCED] = Field(
        False,
        description="With a timestep range, not with sigma: draw again instead of squeezing the distribution into it.",
    )
    num_timestep_buckets: Annotated[int | None, Option(), ADVANCED] = Field(
        None,
        ge=2,
        le=1000,
        description="Draw timesteps evenly from N buckets: steadier for small datasets; not with sigma. 1: off.",
    )
    guidance_scale: Annotated[float, Option(), ADVANCED] = Field(
        1.0, ge=0.0, le=100.0, description="Embedded guidance scale of the training; 1 for all but distilled models."
    )
    sample_every_n_epochs: Annotated[int | None, Option()] = Field(
        None, ge=1, le=100_000, description="Make samples every N epochs. 0: not by epochs."
    )
    sample_every_n_steps: Annotated[int | None, Option()] = Field(
        None, ge=1, le=10_000_000, description="Make samples every N steps. 0: not by steps."
    )
    sample_at_first: Annotated[bool, Option()] = Field(False, description="Also make samples before the first step.")
    sample_prompts: Annotated[str, Widget(multiline=True)] = Field(
        "",
        description="Prompts of the samples, one per line, optionally followed by musubi-tuner's options (--w 832 --d "
        "7). Empty: no samples. They cost time and memory.",
    )
    sample_width: Side = Field(832, ge=16, le=4096, description="Width of the samples.")
    sample_height: Side = Field(480, ge=16, le=4096, description="Height of the samples.")
    sample_frames: int = Field(1, ge=1, le=1025, description="Frames of the samples; 1 makes pictures.")
    sample_steps: int = Field(20, ge=1, le=200, description="Denoising steps of the samples.")
    sample_seed: Annotated[int, ADVANCED] = Field(
        1, ge=0, le=2**32 - 1, description="Seed of the samples: the same at each step, so that they can be compared."
    )

    prompts: Prompts | None = Field(
        None, description="Prompts of the samples, each with its own size, frames, steps and seed."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wanted = bool(self.sample_every_n_epochs or self.sample_every_n_steps or self.sample_at_first)
        samples = self.samples()
        if wanted and not samples:
            raise InvalidValue(
                "prompt-empty",
                "samples are asked for, but sample_prompts is empty and prompts not connected: "
                "musubi-tuner would make none",
            )
        if samples and not wanted:
            raise InvalidValue(
                "setting-missing", "there are prompts for samples, but no sample_every_n_epochs or _steps says when"
            )
        if options := [found for each in samples if (found := first_option(each.prompt))]:
            raise InvalidValue(
                "prompt-option-unexpected",
                f"a prompt of the samples holds the option {options[0]!r}: it would be painted as text. "
                "Size, frames, steps and seed have fields of their own; remove it",
            )
        return self

    @model_validator(mode="after")
    def _draws(self) -> Self:
        if self.min_timestep is not None and self.max_timestep is not None and self.min_timestep >= self.max_timestep:
            raise InvalidValue(
                "timestep-range-empty",
                f"min_timestep {self.min_timestep} is not below max_timestep {self.max_timestep}",
            )
        if self.preserve_distribution_shape and self.min_timestep is None and self.max_timestep is None:
            raise InvalidValue(
                "setting-missing",
                "preserve_distribution_shape is for a timestep range: set min_timestep or max_timestep",
            )
        if why := self.ignored(self.timestep_sampling):
            raise InvalidValue("setting-ignored", why)
        return self

    def ignored(self, sampling: str | None) -> str:
        """Return which setting ``sampling`` would ignore and what to do, or "".

        ``None`` is the family's own sampling, unknown here.
        """
        why, name = ignored(sampling, self.weighting_scheme, changed(self, *FIELDS))
        if why:
            back = back_to_start(self, name) if name else "choose timestep_sampling sigma or weighting_scheme none"
            return f"{why}; {back}"
        return ""

    def samples(self) -> list[Prompt]:
        """Return typed prompts, then connected ones, completed by the settings."""
        written = written_prompts(self.sample_prompts, SAMPLE_OPTIONS)
        own: dict[str, Any] = {
            "width": self.sample_width,
            "height": self.sample_height,
            "frames": self.sample_frames,
            "steps": self.sample_steps,
            "seed": self.sample_seed,
        }
        connected = self.prompts.items if self.prompts else ()
        return [
            prompt.model_copy(update={name: value for name, value in own.items() if getattr(prompt, name) is None})
            for prompt in (*written, *connected)
        ]
