"""Saved training states, whole ones by step."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import LINES, read_bytes, write_bytes, write_json
from musubi_nodes.parsing import parse_json
from musubi_nodes.runs.record.folder import RESUMED, RunFolder
from musubi_nodes.runs.record.stated import Length, length_of
from musubi_nodes.weights import read_header

# of names of checkpoints and states (utils/train_utils.py, v0.3.4)
_ENDING = re.compile(r"(?:-(?:step(?P<step>\d{8,})|(?P<epoch>\d{6,})))?")
# in accelerate's order: the last one proves the others
FILES = ("model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl")
SCHEDULE_FREE = "schedulefree"  # optimizers without scheduler (get_lr_scheduler, training/trainer_base.py)


By = Literal["epoch", "step", "end"]


@dataclass(frozen=True)
class State:
    """``step`` counts in the whole training; ``by`` tells why it was saved."""

    path: Path
    step: int
    length: Length
    by: By = "end"


def states(folder: RunFolder) -> list[State]:
    paths = list(folder.out.glob("*-state"))
    length, needed = length_of(folder) if paths else None, needed_files(folder)
    if length is None:
        return []
    found = []
    for path in paths:
        ending = _ending(folder, path.name.removesuffix("-state"))
        if ending and is_whole(path, needed):
            step = folder.before.steps + _own_step(ending, length)
            by: By = "step" if ending["step"] else "epoch" if ending["epoch"] else "end"
            found.append(State(path, step, length, by))
    return sorted(found, key=lambda state: state.step)


def needed_files(folder: RunFolder) -> tuple[str, ...]:
    without = _option(folder, "optimizer_type").lower().endswith(SCHEDULE_FREE)
    return tuple(name for name in FILES if not (without and name == "scheduler.bin"))


def is_whole(state: Path, needed: Sequence[str] = FILES) -> bool:
    """Whether it is complete, as seen without PyTorch."""
    try:
        read_header(state / FILES[0])
        return all((state / name).stat().st_size for name in needed) and zipfile.is_zipfile(state / "optimizer.bin")
    except (MusubiError, OSError):
        return False


def _option(folder: RunFolder, name: str) -> str:
    words, begins = folder.read_json("command.json").get("command"), f"--{name}="
    given = [word for word in words if str(word).startswith(begins)] if isinstance(words, list) else []
    return str(given[-1]).removeprefix(begins) if given else ""


def _ending(folder: RunFolder, name: str) -> re.Match[str] | None:
    output_name = _option(folder, "output_name")
    return _ENDING.fullmatch(name.removeprefix(output_name)) if name.startswith(output_name) else None


def _own_step(ending: re.Match[str], length: Length) -> int:
    if ending["step"]:
        return int(ending["step"])
    return int(ending["epoch"]) * length.per_epoch if ending["epoch"] else length.total


def is_last(folder: RunFolder, checkpoint: Path) -> bool:
    """Whether it is the final one, which has no number."""
    return checkpoint.stem == _option(folder, "output_name")


def true_name(folder: RunFolder, checkpoint: Path) -> str:
    """Name a checkpoint by its step or epoch in the whole training."""
    (steps, epochs), ending = folder.before, _ending(folder, checkpoint.stem)
    length = length_of(folder) if steps and ending and ending[0] else None
    if not ending or length is None:
        return checkpoint.name
    if ending["epoch"] and steps % length.per_epoch == 0:
        number = f"{int(ending['epoch']) + epochs:06d}"
    else:
        number = f"step{steps + _own_step(ending, length):08d}"
    return f"{checkpoint.stem.removesuffix(ending[0])}-{number}{checkpoint.suffix}"


def go_on(folder: RunFolder, state: State, earlier: RunFolder) -> None:
    """Resume from ``state``: note it and copy the metrics until there."""
    where = {"state": f"{earlier.path.name}/out/{state.path.name}", "step": state.step}
    write_json(folder.path / RESUMED, {**where, "epoch": state.step // state.length.per_epoch})
    rows = read_bytes(earlier.metrics, LINES).splitlines(keepends=True) if earlier.metrics.is_file() else []
    write_bytes(folder.metrics, b"".join(row for row in rows if _until(row, state.step)))


def _until(row: bytes, step: int) -> bool:
    try:
        return bool(row.endswith(b"\n") and parse_json(row.decode())["step"] <= step)
    except (ValueError, TypeError, KeyError):
        return False
