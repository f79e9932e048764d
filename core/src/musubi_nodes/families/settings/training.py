"""TRAINING settings: length, rate, seed, saving, metadata, resume."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.commands.option_owners import NAMES
from musubi_nodes.errors import InvalidValue
from musubi_nodes.families.fields import Settings, Widget
from musubi_nodes.file_names import plain_name

ADVANCED = Widget(advanced=True)
LATER = Widget(advanced=True, added=1)
_SIZE = re.compile(r"\s*([1-9][0-9]{0,5})\s*(?:[xX,×]\s*([1-9][0-9]{0,5})\s*)?")


class Training(Settings):
    socket: ClassVar[str] = "MUSUBI_TRAINING"

    max_train_epochs: Annotated[int | None, Option()] = Field(
        16, ge=1, le=100_000, description="Passes over the whole dataset. 0: max_train_steps applies."
    )
    max_train_steps: Annotated[int | None, Option()] = Field(
        None, ge=1, le=10_000_000, description="Steps to train when max_train_epochs is 0. 0: not set."
    )
    learning_rate: Annotated[float, Option()] = Field(
        1e-4,
        gt=0,
        ge=0,
        le=100.0,
        description="1e-4 to 2e-4 suits most LoRAs; Prodigy and other D-adapting ones take 1.",
    )
    seed: Annotated[int, Option()] = Field(42, ge=0, le=2**32 - 1, description="The same seed trains the same LoRA.")
    mixed_precision: Annotated[Literal["bf16", "fp16", "no"], Option()] = Field(
        "bf16", description="Must fit the DiT's own precision: bf16 for bf16 and fp8 files, fp16 for fp16 files."
    )
    save_every_n_epochs: Annotated[int | None, Option()] = Field(
        1, ge=1, le=100_000, description="Save a checkpoint every N epochs. 0: only the final LoRA."
    )
    save_every_n_steps: Annotated[int | None, Option()] = Field(
        None, ge=1, le=10_000_000, description="Save a checkpoint every N steps. 0: not by steps."
    )
    gradient_accumulation_steps: Annotated[int, Option()] = Field(
        1, ge=1, le=1024, description="Batches that are added up for one step: a larger batch without its memory."
    )
    save_precision: Annotated[Literal["fp32", "fp16", "bf16"] | None, Option(), ADVANCED] = Field(
        None, description="Precision of the saved LoRA. default: fp32."
    )
    save_last_n_epochs: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=100_000, description="Keep this many numbered epoch checkpoints, beside the final one. 0: all."
    )
    save_last_n_steps: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=10_000_000, description="Keep the step checkpoints of the last N steps. 0: all."
    )
    save_state: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Save the optimizer's state with each checkpoint, so that the training can be resumed."
    )
    save_state_on_train_end: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Save the state once, at the end."
    )
    save_last_n_epochs_state: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=100_000, description="Keep the states of the last N epochs. 0: as many as checkpoints."
    )
    save_last_n_steps_state: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=10_000_000, description="Keep the states of the last N steps. 0: as many as checkpoints."
    )
    resume: Annotated[str, ADVANCED, SameResult()] = Field(
        "",
        description="auto: resume from the newest saved state of this training, if there is one. Or name a state (a "
        "...-state folder in the output folder). max_train_epochs and _steps apply to the whole training.",
    )
    max_data_loader_n_workers: Annotated[int, Option(), ADVANCED, SameResult()] = Field(
        2, ge=0, le=64, description="Processes that load the caches. Each costs some main memory; 2 is plenty."
    )
    persistent_data_loader_workers: Annotated[bool, ADVANCED, SameResult()] = Field(
        True, description="Keep these processes between epochs: saves the wait at each new epoch."
    )
    training_comment: Annotated[str, Option(), ADVANCED] = Field("", description="A note in the LoRA's metadata.")
    no_metadata: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Leave the training settings out of the LoRA's metadata."
    )
    metadata_title: Annotated[str, Option(), ADVANCED] = Field("", description="Title in the metadata.")
    metadata_author: Annotated[str, Option(), ADVANCED] = Field("", description="Author in the metadata.")
    metadata_description: Annotated[str, Option(), ADVANCED] = Field("", description="Description in the metadata.")
    metadata_license: Annotated[str, Option(), ADVANCED] = Field("", description="License in the metadata.")
    metadata_tags: Annotated[str, Option(), ADVANCED] = Field(
        "", description="Tags in the metadata, separated by commas."
    )
    metadata_reso: Annotated[str, Option(), ADVANCED] = Field(
        "", description="Resolution in the metadata: 1280x720.", examples=["1280x720"]
    )
    metadata_arch: Annotated[str, Option(), ADVANCED] = Field("", description="Architecture in the metadata.")
    log_with: Annotated[Literal["tensorboard", "wandb", "all"] | None, Option(), ADVANCED, SameResult()] = Field(
        None, description="default: TensorBoard if musubi-tuner's environment has it. wandb needs a key in config.toml."
    )
    log_prefix: Annotated[str, Option(), ADVANCED, SameResult()] = Field(
        "", description="Prefix of the log folder's name.", examples=["night"]
    )
    log_tracker_name: Annotated[str, Option(), ADVANCED, SameResult()] = Field(
        "", description="Name of the tracker in the logs.", examples=["night"]
    )
    wandb_run_name: Annotated[str, Option(), ADVANCED, SameResult()] = Field(
        "", description="Name of the run in Weights & Biases."
    )
    log_config: Annotated[bool, Option(), ADVANCED, SameResult()] = Field(
        False, description="Also log the training settings."
    )
    crash_retries: Annotated[int, LATER, SameResult()] = Field(
        0, ge=0, le=100, description="How often to resume automatically from the newest state after a crash."
    )
    accept_lr_change: Annotated[bool, LATER, SameResult()] = Field(
        False, description="Resume even if a new length changes the learning rate (decaying schedulers)."
    )

    SAME: ClassVar[tuple[str, ...]] = ("learning_rate", "seed", "mixed_precision", "gradient_accumulation_steps")
    """Fields that a resumed training must keep."""

    @field_validator(*sorted(NAMES))
    @classmethod
    def _plain(cls, name: str) -> str:
        return plain_name(name) if name else name

    @field_validator("metadata_reso")
    @classmethod
    def _size(cls, text: str) -> str:
        """Parse like the first save (utils/sai_model_spec.py, v0.3.4)."""
        sides = _SIZE.fullmatch(text)
        if text.strip() and not sides:
            raise InvalidValue("size-invalid", "write width x height, such as 1280x720")
        return ",".join(side for side in sides.groups() if side) if sides else ""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.max_train_epochs is None and self.max_train_steps is None:
            raise InvalidValue(
                "training-length-missing",
                "max_train_epochs and max_train_steps are both 0: the LoRA would not be trained at all",
            )
        if self.max_train_epochs is not None and self.max_train_steps is not None:
            raise InvalidValue(
                "settings-conflict",
                "max_train_epochs overrides max_train_steps in musubi-tuner: set one of the two to 0",
            )
        return self

    @model_validator(mode="after")
    def _has_states(self) -> Self:
        if self.crash_retries and not self.save_state:
            raise InvalidValue("setting-missing", "crash_retries goes on from saved states: switch save_state on")
        return self

    def steps(self, per_epoch: int) -> int:
        """Return the steps of the whole training."""
        return self.max_train_epochs * per_epoch if self.max_train_epochs else self.max_train_steps or 0

    def options(self) -> dict[str, Any]:
        """Return computed options.

        Persistent loading without workers fails after the models are loaded (trainer_base.py, v0.3.4).
        """
        persistent = self.persistent_data_loader_workers and self.max_data_loader_n_workers > 0
        return {"persistent_data_loader_workers": persistent}
