"""lora_post_hoc_ema.py: one LoRA out of several checkpoints of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from musubi_nodes.families import (
    Context,
    Lora,
    MusubiError,
    NodeOutputs,
    Option,
    Outcome,
    Run,
    ToolInputs,
    ToolNode,
    check_numbers,
    check_trained,
    checked_name,
    checkpoints_of,
    lora_format,
    publish_lora,
    read_header,
    translate,
)


class LoRAPostHocEMA(ToolNode):
    """Averages the checkpoints of a training into one steadier LoRA: those of a run, or a chosen chain."""

    id, title = "MusubiTuner_LoRAPostHocEMA", "LoRA Post-hoc EMA"
    search = ("average", "ema", "checkpoints", "smooth", "平均", "チェックポイント")
    script: ClassVar[str] = "lora_post_hoc_ema.py"
    resolved_sockets: ClassVar[frozenset[str]] = frozenset({"lora"})

    class Inputs(ToolInputs):
        run: Run | None = Field(
            None, description="A training: all its checkpoints are taken, also those of the runs that it went on from."
        )
        lora: Lora | None = Field(None, description="Or a chain of LoRAs, earliest first.")
        beta: Annotated[float, Option()] = Field(
            0.95, ge=0.0, le=1.0, description="How much of the average is kept at each checkpoint."
        )
        beta2: Annotated[float | None, Option()] = Field(
            None, ge=0.0, le=1.0, description="beta at the end, reached step by step. -1: as beta."
        )
        sigma_rel: Annotated[float | None, Option()] = Field(
            None, ge=0.0, le=1.0, description="Power function EMA with this relative width, instead of beta. -1: off."
        )
        no_sort: Annotated[bool, Option()] = Field(
            False, description="Keep the order of the chain instead of sorting by time."
        )
        output_name: str = Field("ema", description="Name in models/loras/musubi.", examples=["other"])

    class Outputs(NodeOutputs):
        lora: Lora = Field(description="The averaged LoRA.")
        run: Run = Field(description="The run folder.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        super().validate(values, linked, context)
        _check_sources("run" in linked, "lora" in linked)
        if "lora" in values:
            _check_checkpoints([lora.path for lora in values["lora"].chain()])

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        self.prepare(inputs, context)
        name = checked_name(inputs.output_name, "output_name", ".safetensors")
        paths = _given(inputs)
        if inputs.run:  # their order is known better than by time: a clock may have been set back
            inputs = inputs.model_copy(update={"no_sort": True})
        with self.new_folder(context) as folder:
            made = folder.out / f"{name}.safetensors"
            runner_options = {"path": [str(path) for path in paths], "output_file": str(made)}

            def accept(outcome: Outcome) -> None:
                check_trained(made, folder.log)
                check_alike([paths[0], made])

            run = self.run_tool(inputs, context, folder, runner_options, accept)
        path = publish_lora(context, made)
        context.show(
            text=translate("{count} checkpoints averaged: {file}", count=len(paths), file=f"musubi/{path.name}")
        )
        lora = Lora(path=path, format=lora_format(read_header(path)))
        return self.Outputs(lora=lora, run=run)


def _given(inputs: Any) -> list[Path]:
    """The LoRAs to average, earliest first."""
    _check_sources(inputs.run is not None, inputs.lora is not None)
    paths = [lora.path for lora in inputs.lora.chain()] if inputs.lora else checkpoints_of(inputs.run)
    _check_checkpoints(paths)
    for path in paths:
        check_numbers(path, "chosen LoRA")
    return paths


def _check_sources(run: bool, lora: bool) -> None:
    if run == lora:
        raise MusubiError(
            "inputs-conflict",
            "connect either run or lora",
            fix="run takes all checkpoints of a training, lora a chain.",
        )


def _check_checkpoints(found: Sequence[Path]) -> None:
    if len(found) < 2:
        raise MusubiError(
            "checkpoints-too-few",
            f"EMA needs at least two checkpoints, and there {'is one' if found else 'are none'}",
            fix="Set save_every_n_epochs or save_every_n_steps of the training settings, and train again.",
        )
    check_alike(found)


def check_alike(paths: Sequence[Path]) -> None:
    """All have the same weights of the same shapes; the script would fail or mix what does not belong together."""
    first = {name: tensor.shape for name, tensor in read_header(paths[0]).tensors.items()}
    for path in paths[1:]:
        other = {name: tensor.shape for name, tensor in read_header(path).tensors.items()}
        if other != first:
            ranks = f"{_rank(first)} and {_rank(other)}"
            raise MusubiError(
                "checkpoints-mismatch",
                f"{paths[0].name} and {path.name} do not have the same weights (rank {ranks})",
                fix="Take checkpoints of one training only.",
            )


def _rank(shapes: dict[str, tuple[int, ...]]) -> int | str:
    return next((shape[0] for name, shape in shapes.items() if "lora_down" in name or "lora_A" in name), "unknown")
