"""Facts that a script states while it runs.

The log mixes stdout and stderr, so it can't be parsed later.
"""

from __future__ import annotations

import re
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from musubi_nodes.files import write_json
from musubi_nodes.runs.full import GPU, is_full
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.lines import STDERR, STDOUT, is_from, message

STATED = "stated.json"
"""Keys: steps, ``outputs`` below ``out``, ``replaced`` (NaN became 0)."""
LIMITS = {"outputs": 10_000, "replaced": 1_000}  # entries

_HEAD = re.compile(r"running training\b")
# _run_training_loop of training/trainer_base.py, v0.3.4
_LENGTH = {
    "batches": re.compile(r"  num batches per epoch[^:]*: (\d{1,12})", re.ASCII),
    "accumulated": re.compile(r"  gradient accumulation steps[^=]*= (\d{1,12})", re.ASCII),
    "total": re.compile(r"  total optimization steps[^:]*: (\d{1,12})", re.ASCII),
}
# wan_, hv_ and fpack_generate_video.py; krea2_generate_image.py, v0.3.4
_OUTPUT = re.compile(r"(?:(?:Latent|Video|Sample|Sample images) saved? to:|saved) (?P<path>.+)")

_REPLACED = re.compile(r"[\w.]{1,200} tensor has NaN: (?P<item>.+), replace NaN with 0")  # dataset/cache_io.py, v0.3.4


class Length(NamedTuple):
    """Steps of an epoch and of the run, which always counts from 0."""

    per_epoch: int
    total: int


class Statements:
    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._length: dict[str, int] = {}
        self._in_block, self._block_over = False, False
        self._facts: dict[str, Any] = {}

    def read(self, piece: str, stream: str) -> None:
        if not self._block_over and is_from(stream, STDOUT):
            self._read_length(piece)
        if is_from(stream, STDERR):
            said = message(piece)
            if (found := _OUTPUT.fullmatch(said)) and (name := self._own(found["path"])):
                self._add("outputs", name)
            if found := _REPLACED.fullmatch(said):
                self._add("replaced", found["item"])
            if "lacked_gpu_memory" not in self._facts and is_full(GPU, piece):
                self._note(lacked_gpu_memory=True)

    def _read_length(self, piece: str) -> None:
        if not self._in_block:
            self._in_block = bool(_HEAD.match(piece))
            return
        self._block_over = not piece.startswith("  ")
        self._length |= {name: int(found[1]) for name, line in _LENGTH.items() if (found := line.fullmatch(piece))}
        if self._length.keys() == _LENGTH.keys():
            per_epoch = ceil(self._length["batches"] / max(self._length["accumulated"], 1))
            self._note(steps_per_epoch=per_epoch, steps=self._length["total"])
            self._block_over = True

    def _own(self, path: str) -> str:
        try:
            name = Path(path).relative_to(self._folder.out)
        except ValueError:
            return ""
        return "" if ".." in name.parts else name.as_posix()

    def _add(self, name: str, item: str) -> None:
        listed = self._facts.get(name, [])
        if item not in listed and len(listed) < LIMITS[name]:
            self._note(**{name: [*listed, item]})

    def _note(self, **facts: Any) -> None:
        self._facts |= facts
        if self._folder.path.is_dir():
            write_json(self._folder.path / STATED, self._facts)


def length_of(folder: RunFolder) -> Length | None:
    found = folder.read_json(STATED)
    numbers = (found.get("steps_per_epoch", 0), found.get("steps", 0))
    return Length(*numbers) if min(numbers) > 0 else None


def outputs_of(folder: RunFolder) -> list[str]:
    return folder.read_json(STATED).get("outputs", [])


def replaced_items(folder: RunFolder) -> list[str]:
    return folder.read_json(STATED).get("replaced", [])


def lacked_gpu_memory(folder: RunFolder) -> bool:
    return "lacked_gpu_memory" in folder.read_json(STATED)
