"""Checks of a model field's file by its header."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.recognition.accepts import Accepts
from musubi_nodes.families.recognition.kinds import Recognised, WeightsKind, recognise
from musubi_nodes.families.recognition.loras import is_lora, lora_name
from musubi_nodes.families.recognition.parts import part_of, whole_header
from musubi_nodes.families.recognition.table import TABLE
from musubi_nodes.i18n import translate
from musubi_nodes.weights import Header, read_header


def judged_header(path: Path, accepts: Accepts | None, kinds: Iterable[WeightsKind], task: str = "") -> Header:
    """Return the header; raise if musubi-tuner can't load the file.

    ``kinds`` of other plugins only name a refused file.
    """
    if accepts is None:
        return read_header(path)
    part = part_of(path)
    if part and not accepts.sharded:
        raise MusubiError(
            "model-in-parts",
            f"{path.name} is part {part.number} of {part.count} of a model",
            why="musubi-tuner reads this one from a single file.",
            fix=accepts.fix or "Choose a file that holds the whole model.",
        )
    header = whole_header(path) if part else read_header(path)
    found = recognise(header, (*accepts.kinds, *TABLE))
    if found.kind not in accepts.kinds:
        raise _another(path, header, accepts, recognise(header, (*kinds, *TABLE)))
    _check_reading(path, found, accepts)
    if task and found.kind.tasks and task not in found.kind.tasks:
        raise _another_task(path, found.kind, task)
    return header


def _another(path: Path, header: Header, accepts: Accepts, found: Recognised) -> MusubiError:
    name = lora_name(header) if is_lora(header) else found.name
    missing = next((each for each in accepts.kinds[0].tensors if each not in header.tensors), "")
    why = "" if name or not missing else translate("It has no tensor {name}.", name=missing)
    what = f"{path.name} is {name}, not {accepts.name}" if name else f"{path.name} is not {accepts.name}"
    return MusubiError("model-other-kind", what, why=why, fix=accepts.fix or "Choose another file.")


def _check_reading(path: Path, found: Recognised, accepts: Accepts) -> None:
    if found.prefix not in ((found.kind and found.kind.prefixes) or accepts.prefixes):
        raise MusubiError(
            "model-prefix-unsupported",
            f"{path.name} is {found.name}, but with {found.prefix!r} before the name of each tensor",
            why="musubi-tuner does not remove this prefix here (v0.3.4).",
            fix=accepts.fix or "Choose the original file of the model's authors.",
        )
    if found.quantisation not in accepts.quantised:
        raise MusubiError(
            "model-quantisation-unsupported",
            f"{path.name} is {found.name}",
            why="musubi-tuner cannot read such weights for this model (v0.3.4), whatever fp8 is set to.",
            fix=accepts.fix or "Choose the fp16 or bf16 file of the same model.",
        )


def _another_task(path: Path, kind: WeightsKind, task: str) -> MusubiError:
    return MusubiError(
        "model-other-task",
        f"{path.name} is {kind.name}: it does not fit task {task}",
        fix=translate("Choose another file, or a task that fits this one: {fitting}.", fitting=", ".join(kind.tasks)),
    )
