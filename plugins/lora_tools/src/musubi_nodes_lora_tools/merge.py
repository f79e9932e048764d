"""merge_lora.py: LoRAs into the DiT itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from musubi_nodes.families import (
    Context,
    Header,
    Lora,
    ModelFile,
    MusubiError,
    NodeOutputs,
    Outcome,
    Run,
    ToolInputs,
    ToolNode,
    check_fits,
    check_numbers,
    checked_name,
    find_model,
    publish,
    read_header,
    translate,
)

PATCH = "img_in.proj.weight"


class LoRAMerger(ToolNode):
    """Merges one or several LoRAs, each with its multiplier, into a HunyuanVideo DiT. musubi-tuner v0.3.4 merges no
    other family."""

    id, title = "MusubiTuner_LoRAMerger", "LoRA Merger"
    search = ("merge", "bake", "fuse", "checkpoint", "マージ", "統合")
    script: ClassVar[str] = "merge_lora.py"
    resolved_sockets: ClassVar[frozenset[str]] = frozenset({"lora"})

    class Inputs(ToolInputs):
        lora: Lora = Field(description="The LoRAs; for several, a chain of LoRA Select nodes.")
        dit: Annotated[str, ModelFile("diffusion_models")] = Field(description="The HunyuanVideo DiT.")
        output_name: str = Field(
            "merged", description="Name of the new DiT in output/musubi/merged.", examples=["other"]
        )

    class Outputs(NodeOutputs):
        path: str = Field(description="The merged DiT's path.")
        run: Run = Field(description="The run folder.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        super().validate(values, linked, context)
        if not linked & {"dit", "install"}:
            install = context.services.install(values["install"])
            dit = find_model(context.host, "diffusion_models", values["dit"], install)
            hunyuan_header(dit)
            if "lora" in values:
                _check_chain(values["lora"], dit)

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        install = self.prepare(inputs, context)
        name = checked_name(inputs.output_name, "output_name", ".safetensors")
        dit = find_model(context.host, "diffusion_models", inputs.dit, install)
        before = hunyuan_header(dit)
        chain = _check_chain(inputs.lora, dit)
        with self.new_folder(context) as folder:
            made = folder.out / f"{name}.safetensors"
            runner_options = {
                "dit": str(dit),
                "dit_in_channels": before.tensors[PATCH].shape[1],
                "lora_weight": [lora.path for lora in chain],
                "lora_multiplier": [lora.multiplier for lora in chain],
                "save_merged_model": str(made),
            }

            def accept(outcome: Outcome) -> None:
                check_whole(made, set(before.tensors), folder.log)

            run = self.run_tool(inputs, context, folder, runner_options, accept)
        path = publish(made, context.host.output_folder / "musubi" / "merged", made.name, move=True)
        context.track_output(path)
        told = translate("LoRAs merged: {count} · {file}", count=len(chain), file=f"musubi/merged/{path.name}")
        context.show(text=told)
        return self.Outputs(path=str(path), run=run)


def _check_chain(lora: Lora, dit: Path) -> Sequence[Lora]:
    """The LoRAs to merge, first to last; each fits the DiT."""
    chain = lora.chain()
    for each in chain:
        check_fits(each.path, dit)
    return chain


def hunyuan_header(dit: Path) -> Header:
    """The header of a HunyuanVideo DiT; a :class:`MusubiError` where it is another model."""
    header = read_header(dit)
    if PATCH not in header.tensors or not any(key.startswith("double_blocks.") for key in header.tensors):
        raise MusubiError(
            "model-other-kind",
            f"{dit.name} is no HunyuanVideo DiT",
            why="merge_lora.py of musubi-tuner merges LoRAs into HunyuanVideo only (v0.3.4).",
            fix="Give the LoRA to the generator instead; it merges it while loading.",
        )
    return header


def check_whole(made: Path, names: set[str], log: Path) -> None:
    """The merged file holds every weight of the DiT, and numbers only."""
    if not made.is_file() or set(read_header(made).tensors) != names:
        raise MusubiError(
            "output-incomplete", "the merged file is not the whole DiT", fix="Look into the log.", log=log
        )
    check_numbers(made, "merged model", log)
