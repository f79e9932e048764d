"""Control files of items (dataset/datasources.py, v0.3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from musubi_nodes.datasets.files.listing import File, Names, files_in
from musubi_nodes.datasets.files.names import VIDEO_EXTENSIONS, is_image, stem_of
from musubi_nodes.errors import Problem


@dataclass
class Controls:
    """Controls by item path; ``bad`` names stop musubi-tuner."""

    of: dict[str, tuple[File, ...]] = field(default_factory=dict)
    bad: list[Problem] = field(default_factory=list)


def image_controls(images: Sequence[File], folder: Path) -> Controls:
    """Match x.*, x_0.*, x_1.* to x.png; the longest stem wins."""
    return numbered(images, [file for file in _listed(folder) if is_image(file.name) and not file.is_folder], "._")


def numbered(images: Sequence[File], candidates: Iterable[File], separators: str) -> Controls:
    """Match ``candidates`` named by a stem and a number."""
    by_stem = {stem_of(image.path): image for image in sorted(images, key=lambda image: len(image.name))}
    found: dict[File, list[tuple[int, File]]] = {}
    result = Controls()
    for file in sorted(candidates):
        name = file.name
        owners = [by_stem[name[:i]] for i, c in enumerate(name) if c in separators and name[:i] in by_stem]
        if not owners:
            continue
        owner = max(owners, key=lambda image: len(image.name))
        tail = stem_of(name).rsplit("_", 1)[-1]
        if stem_of(name) == stem_of(owner.path):
            found.setdefault(owner, []).append((0, file))
        elif tail.isdecimal():
            found.setdefault(owner, []).append((int(tail) + 1, file))
        else:
            text = f"{file.path} looks like a companion of {owner.name} but ends in no number, e.g. _1"
            result.bad.append(Problem("companion-not-numbered", text))
    for owner, files in found.items():
        first = [file.name for number, file in files if number == min(files)[0]]
        if len(first) > 1:  # upstream sorts a set by number, so its choice varies
            text = f"{owner.name} has several first companions, and which one is used is random: {', '.join(first)}"
            result.bad.append(Problem("companion-ambiguous", text))
    result.of = {owner.path: tuple(file for _, file in sorted(files)) for owner, files in found.items()}
    return result


def video_controls(videos: Sequence[File], folder: Path) -> Controls:
    """Match the same name, a folder of that stem, or another ending."""
    listed, result = _listed(folder), Controls()
    files = Names(file for file in listed if not file.is_folder)
    folders = Names(file for file in listed if file.is_folder)
    for video in videos:
        stem = stem_of(video.path)
        others = (files.find(stem + ending) for ending in sorted(VIDEO_EXTENSIONS))
        if match := files.find(video.name) or folders.find(stem) or next(filter(None, others), None):
            result.of[video.path] = (match,)
    return result


def _listed(folder: Path) -> list[File]:
    try:
        return [file for _, file in files_in(folder)]
    except (OSError, ValueError):
        return []
