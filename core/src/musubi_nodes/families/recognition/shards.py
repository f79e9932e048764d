"""A model in several files, named as transformers and diffusers do: ``model-00001-of-00003.safetensors``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.models.files import PART
from musubi_nodes.files import is_file
from musubi_nodes.weights import Header, read_header

MOST = 50
"""FLUX.2's text encoder comes in ten."""


@dataclass(frozen=True)
class Part:
    """One file of a model that lies in ``count`` files."""

    stem: str
    number: int
    count: int


def part_of(path: Path) -> Part | None:
    """Which part of a model the file is, by its name; ``None`` for a whole one."""
    found = PART.fullmatch(path.name)
    return Part(found["name"], int(found["number"][-9:]), int(found["count"][-9:])) if found else None


def shards(path: Path) -> list[Path]:
    """All files of the model that ``path`` belongs to; raises :class:`MusubiError` where one is missing.

    Numbered as musubi-tuner looks for them (``get_split_weight_filenames`` of utils/safetensors_utils.py, v0.3.4).
    """
    part = part_of(path)
    if part is None:
        return [path]
    if not 0 < part.count <= MOST:
        raise MusubiError(
            f"{path.name} cannot be one of {part.count} parts of a model", fix="Give the file another name."
        )
    names = [f"{part.stem}{number + 1:05d}-of-{part.count:05d}.safetensors" for number in range(part.count)]
    found = [path.with_name(name) for name in names]
    if missing := next((each for each in found if not is_file(each)), None):
        raise MusubiError(
            f"{path.name} is part {part.number} of {part.count} of a model, and {missing.name} is not beside it",
            fix="Put all parts into one folder.",
        )
    return found


def whole_header(path: Path) -> Header:
    """The headers of all files of the model as one."""
    headers = [read_header(each) for each in shards(path)]
    tensors = {name: tensor for header in headers for name, tensor in header.tensors.items()}
    return Header(tensors, headers[0].metadata)
