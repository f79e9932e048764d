"""Sharded models: ``model-00001-of-00003.safetensors``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import is_file
from musubi_nodes.weights import Header, read_header

MOST = 50
"""FLUX.2's text encoder comes in ten."""
_NAME = re.compile(r"(?P<stem>.*?)(?P<number>\d+)-of-(?P<count>\d+)\.safetensors")


@dataclass(frozen=True)
class Part:
    """One file of a model that lies in ``count`` files."""

    stem: str
    number: int
    count: int

    def names(self) -> list[str]:
        """Return the names of all files; none for more than :data:`MOST`.

        Source: ``get_split_weight_filenames`` (utils/safetensors_utils.py, v0.3.4).
        """
        numbers = range(1, self.count + 1) if self.count <= MOST else ()
        return [f"{self.stem}{number:05d}-of-{self.count:05d}.safetensors" for number in numbers]


def part_of(path: Path) -> Part | None:
    """Return the part that a file's name says it is, ``None`` for a whole model."""
    found = _NAME.fullmatch(path.name)
    return Part(found["stem"], int(found["number"][-9:]), int(found["count"][-9:])) if found else None


def parts_of(path: Path) -> tuple[Path, ...]:
    """Return the existing files that are loaded with ``path``."""
    part = part_of(path)
    others = (path.with_name(name) for name in part.names() if name != path.name) if part else ()
    return (path, *filter(is_file, others))


def all_parts(path: Path) -> list[Path]:
    """Return all files of the model in order; MusubiError if one is missing."""
    part = part_of(path)
    if part is None:
        return [path]
    found = [path.with_name(name) for name in part.names()]
    if not found:
        raise MusubiError(
            "model-part-name-invalid",
            f"{path.name} cannot be one of {part.count} parts of a model",
            fix="Give the file another name.",
        )
    if missing := next((each for each in found if not is_file(each)), None):
        raise MusubiError(
            "model-part-missing",
            f"{path.name} is part {part.number} of {part.count} of a model, and {missing.name} is not beside it",
            fix="Put all parts into one folder.",
        )
    return found


def whole_header(path: Path) -> Header:
    """Return the headers of all parts as one."""
    headers = [read_header(each) for each in all_parts(path)]
    tensors = {name: tensor for header in headers for name, tensor in header.tensors.items()}
    return Header(tensors, headers[0].metadata)
