"""convert_lora.py: between musubi-tuner's LoRA format and the one of ComfyUI and diffusers."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, Field

from musubi_nodes.families import (
    Context,
    Header,
    Lora,
    MusubiError,
    NodeOutputs,
    Option,
    Outcome,
    Run,
    ToolInputs,
    ToolNode,
    Widget,
    check_numbers,
    checked_name,
    lora_format,
    publish_lora,
    read_header,
)
from musubi_nodes_lora_tools.names import families_of, wrong_names

TARGETS = {"musubi": "default", "other": "other"}
"""Format -> ``--target`` (convert_lora.py, v0.3.4)."""


class LoRAFormatConverter(ToolNode):
    """Converts a LoRA from musubi-tuner's format to the one of ComfyUI and diffusers, or back. The format is detected
    from the names in the file."""

    id, title = "MusubiTuner_LoRAFormatConverter", "LoRA Format Converter"
    search = ("convert lora", "diffusers", "kohya", "safetensors", "変換", "形式")
    script: ClassVar[str] = "convert_lora.py"
    resolved_sockets: ClassVar[frozenset[str]] = frozenset({"lora"})

    class Inputs(ToolInputs):
        lora: Lora = Field(description="The LoRA to convert.")
        target: Literal["auto", "musubi", "other"] = Field(
            "auto", description="auto: the other format than the LoRA has. other: ComfyUI and diffusers."
        )
        output_name: str = Field(
            "", description="Name in models/loras/musubi. Empty: the old one with the format.", examples=["other"]
        )
        diffusers_prefix: Annotated[str, Option(), Widget(advanced=True)] = Field(
            "", pattern=r"^[A-Za-z0-9_.]*$", description="Prefix of the names. Empty: diffusion_model."
        )

    class Outputs(NodeOutputs):
        lora: Lora = Field(description="The converted LoRA.")
        format: str = Field(description="What was detected, and what it is now.")
        run: Run = Field(description="The run folder.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        super().validate(values, linked, context)
        if "lora" in values and "target" not in linked:
            _planned(values["lora"], values["target"], context)

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        self.prepare(inputs, context)
        source = inputs.lora
        before, found, target = _planned(source, inputs.target, context)
        name = checked_name(inputs.output_name or f"{source.path.stem}_{target}", "output_name", ".safetensors")
        with self.new_folder(context) as folder:
            made = folder.out / f"{name}.safetensors"
            runner_options = {"input": str(source.path), "output": str(made), "target": TARGETS[target]}

            def accept(outcome: Outcome) -> None:
                self._check(made, before, target, context, folder.log, inputs.diffusers_prefix)

            run = self.run_tool(inputs, context, folder, runner_options, accept)
        path = publish_lora(context, made)
        context.show(text=f"{found} -> {target}: musubi/{path.name}")
        lora = source.model_copy(update={"path": path, "format": target, "previous": source.previous})
        return self.Outputs(lora=lora, format=f"{found} -> {target}", run=run)

    def _check(self, made: Path, before: Header, target: str, context: Context, log: Path, prefix: str) -> None:
        """The wrong way round, or on a file that is no LoRA, the script ends well and writes next to nothing."""
        after = read_header(made) if made.is_file() else None
        if after is None or lora_format(after) != target:
            raise MusubiError("output-not-lora", "the converted file holds no LoRA", fix="Look into the log.", log=log)
        check_numbers(made, "converted LoRA", log)
        pairs = [sum(".lora_" in name for name in header.tensors) for header in (before, after)]
        if pairs[0] != pairs[1]:
            raise MusubiError(
                "output-incomplete",
                f"{pairs[0] - pairs[1]} weights were lost in the conversion",
                fix="See the log.",
                log=log,
            )
        found = families_of(before, context.services.families)
        wrong = wrong_names(after, *found) if found and target == "other" and not prefix else []
        if wrong:
            raise MusubiError(
                "lora-modules-unknown",
                f"ComfyUI would not load {len(wrong)} modules of the converted LoRA: {', '.join(wrong[:3])}",
                fix="Use the LoRA in its old format.",
                log=log,
            )


class _Plan(NamedTuple):
    before: Header
    found: str
    target: str


def _planned(lora: Lora, wanted: str, context: Context) -> _Plan:
    """What is to be converted into what; a :class:`MusubiError` where that cannot be done."""
    if lora.previous is not None:
        raise MusubiError(
            "lora-chain-not-allowed",
            "the converter takes one LoRA, not a chain",
            fix="Connect a single LoRA Select node.",
        )
    before = read_header(lora.path)
    found = lora_format(before)
    target = _target(wanted, found, lora.path)
    families = families_of(before, context.services.families)
    if target == "other" and families and all(family.not_convertible for family in families):
        family = families[0]
        raise MusubiError(
            "lora-not-convertible",
            f"{lora.path.name} is a {family.title} LoRA: it cannot be converted",
            why=family.not_convertible,
            fix="Use it as it is, in musubi-tuner's own format.",
        )
    return _Plan(before, found, target)


def _target(wanted: str, found: str, path: Path) -> str:
    if not found:
        raise MusubiError("file-not-lora", f"{path.name} is no LoRA", fix="Choose another file.")
    target = {"musubi": "other", "other": "musubi"}[found] if wanted == "auto" else wanted
    if target == found:
        raise MusubiError(
            "lora-already-converted",
            f"{path.name} is in the format {found} already",
            why="The wrong way round, the script ends well and writes an empty file.",
            fix="Choose auto, or the other format.",
        )
    return target
