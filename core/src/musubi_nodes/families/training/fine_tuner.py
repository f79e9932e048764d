"""Base of nodes that train a whole model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, create_model
from typing_extensions import TypeVar

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import OptionMap
from musubi_nodes.families.memory.needs import optimizer_of
from musubi_nodes.families.model_fits import check_unwrapped
from musubi_nodes.families.models.files import SAFETENSORS
from musubi_nodes.families.node import NodeOutputs
from musubi_nodes.families.product import MODEL, Product
from musubi_nodes.families.settings import Memory, Optimizer, Training
from musubi_nodes.families.sockets import Run
from musubi_nodes.families.training.disk_space import check_space, parameters_of, saves_of, state_bytes
from musubi_nodes.families.training.epochs import steps_of_epoch
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.trainer import Trainer
from musubi_nodes.runs.install import Install

NO_FP8 = "A whole model cannot be trained in 8 bits. Plans for a card are for LoRAs: set mode to manual and fp8 to off."
WHOLE_MODEL: OptionMap = {
    "fp8": {"fp8": NO_FP8, "fp8_scaled": NO_FP8},
    "block_swap_h2d_only": {True: "It is for LoRAs: blocks of a whole model change, and must be copied back."},
}
"""What no script for whole models can do (v0.3.4)."""
NO_NETWORK = "a whole model is trained, without a network; use the LoRA trainer"
IGNORED = {
    **dict.fromkeys(
        "network_alpha network_args network_dim network_dropout network_module network_weights base_weights "
        "base_weights_multiplier dim_from_weights scale_weight_norms".split(),
        NO_NETWORK,
    ),
    **dict.fromkeys(("fp8_base", "fp8_scaled"), "a whole model cannot be trained in 8 bits"),
    "save_precision": "models are saved as they are trained, see full_bf16",
}
"""Options that these scripts share with LoRA trainers, and ignore (v0.3.4)."""


class FineTunerInputs(TrainerInputs):
    """Inputs of every fine-tuner; a family adds ``models``."""

    training: Training = Field(
        description="Length, learning rate, saving. A learning_rate of 1e-6 to 1e-5 suits most models."
    )
    output_name: str = Field(
        "my_model", description="Name of the model in models/diffusion_models/musubi.", examples=["other"]
    )
    full_bf16: Annotated[bool, Option()] = Field(
        False, description="Keep the weights in bfloat16: half the memory, less precise. Best with fused_backward_pass."
    )
    fused_backward_pass: Annotated[bool, Option()] = Field(
        False,
        description="With Adafactor: change each weight as soon as its gradient is known. Saves much memory. Set "
        "max_grad_norm to 0.",
    )
    mem_eff_save: Annotated[bool, Option(), SameResult()] = Field(
        False, description="Need less main memory when a model is saved. States need it all the same."
    )


FineTunerT = TypeVar("FineTunerT", bound=FineTunerInputs, default=Any)


class FineTuner(Trainer[FineTunerT]):
    """Trains a whole model on finished caches."""

    search: ClassVar[tuple[str, ...]] = (
        "train model",
        "fine-tune",
        "finetune",
        "full fine-tuning",
        "学習",
    )
    product: ClassVar[Product] = MODEL
    Inputs: ClassVar[type[BaseModel]] = FineTunerInputs
    refused_options: ClassVar[dict[str, str]] = IGNORED

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if declared := cls.Inputs.model_fields.get("models"):
            cls.Outputs = _outputs(declared.annotation)

    def swaps_while_training(self, inputs: FineTunerT) -> bool:
        """Whether weights are changed where swapped blocks are."""
        return bool(inputs.fused_backward_pass)

    def most_blocks_to_swap(self, inputs: FineTunerT) -> int | None:
        return super().most_blocks_to_swap(inputs) if self.swaps_while_training(inputs) else 0

    def option_map(self) -> OptionMap:
        return {**super().option_map(), **WHOLE_MODEL}

    def outputs_of(self, inputs: FineTunerT, path: Path, complete: bool) -> Mapping[str, Any]:
        return {"models": inputs.models.model_copy(update={"dit": str(path)})}

    def checks(self, context: Context) -> Iterator[Callable[[FineTunerT], None]]:
        yield from super().checks(context)
        yield from (self.check_model, self.check_precision, self.check_fused)

    def check_model(self, inputs: FineTunerT) -> None:
        check_unwrapped(Path(inputs.models.main_dit))

    def check_precision(self, inputs: FineTunerT) -> None:
        if inputs.full_bf16 and inputs.training.mixed_precision != "bf16":
            raise MusubiError(
                "settings-conflict",
                f"{self.title}: full_bf16 needs mixed_precision bf16, not {inputs.training.mixed_precision}",
                fix="Set mixed_precision of Training Config to bf16, or turn full_bf16 off.",
            )
        if inputs.training.save_precision:
            raise MusubiError(
                "setting-ignored",
                f"{self.title}: save_precision would be ignored",
                why="musubi-tuner saves the model as it was trained: in float32, with full_bf16 in bfloat16 (v0.3.4).",
                fix="Set save_precision of Training Config to default.",
            )

    def check_fused(self, inputs: FineTunerT) -> None:
        if not inputs.fused_backward_pass:
            return
        optimizer = inputs.optimizer or Optimizer()
        if optimizer.name != "Adafactor":
            raise MusubiError(
                "settings-conflict",
                f"{self.title}: fused_backward_pass needs Adafactor, not {optimizer.optimizer_type}",
                fix="Set optimizer_type of Optimizer Config to Adafactor, or turn fused_backward_pass off.",
            )
        if inputs.training.gradient_accumulation_steps > 1:
            raise MusubiError(
                "settings-conflict",
                f"{self.title}: fused_backward_pass cannot accumulate gradients",
                why="It changes each weight as soon as its gradient is known.",
                fix="Set gradient_accumulation_steps of Training Config to 1, or turn fused_backward_pass off.",
            )

    def check_memory(self, inputs: FineTunerT) -> None:
        if (inputs.memory or Memory()).blocks_to_swap and not self.swaps_while_training(inputs):
            raise MusubiError(
                "settings-conflict",
                f"{self.title}: with blocks_to_swap the optimizer would fail",
                why="Swapped weights are in main memory, and their gradients on the GPU (v0.3.4).",
                fix="Turn fused_backward_pass on, with Adafactor, or set blocks_to_swap of the Memory Optimizer to 0.",
            )
        super().check_memory(inputs)

    def check_space(self, inputs: FineTunerT, install: Install, folder: Path, target: Path) -> None:
        dit, training = Path(inputs.models.main_dit), inputs.training
        if dit.suffix.lower() in SAFETENSORS:
            width, parameters = 2 if inputs.full_bf16 else 4, parameters_of(dit)
            state = parameters * state_bytes(optimizer_of(inputs.optimizer or Optimizer(), install), width)
            saves = saves_of(training, steps_of_epoch(inputs, self.family))
            check_space(self.title, folder, target, saves, parameters * width, state)


def _outputs(models: Any) -> type[BaseModel]:
    given = Field(description="The same files with the trained model, for this family's nodes.")
    run = Field(description="The run folder: log, metrics, states, samples.")
    return create_model("Outputs", __base__=NodeOutputs, models=(models, given), run=(Run, run))
