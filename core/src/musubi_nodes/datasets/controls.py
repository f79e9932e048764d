"""Which control files belong to which item (dataset/datasources.py, v0.3.4)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from musubi_nodes.datasets.names import VIDEO_EXTENSIONS, is_image, stem_of


@dataclass
class Controls:
    """Controls by item; ``bad`` are names that stop musubi-tuner."""

    of: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)


def image_controls(images: Sequence[Path], folder: Path) -> Controls:
    """For x.png: x.*, then x_0.*, x_1.* ... in ``folder``; a file goes to the image with the longest fitting name."""
    return numbered(images, [folder / name for name in _names(folder) if is_image(name)], "._")


def numbered(images: Sequence[Path], candidates: Sequence[Path], separators: str) -> Controls:
    """``candidates`` named after an image plus a number, sorted by it."""
    by_stem = {stem_of(image): image for image in sorted(images, key=lambda image: len(image.name))}
    found: dict[Path, list[tuple[int, Path]]] = {}
    result = Controls()
    for path in sorted(candidates):
        name = path.name
        owners = [by_stem[name[:i]] for i, c in enumerate(name) if c in separators and name[:i] in by_stem]
        if not owners:
            continue
        owner = max(owners, key=lambda image: len(image.name))
        tail = stem_of(path).rsplit("_", 1)[-1]
        if stem_of(path) == stem_of(owner):
            found.setdefault(owner, []).append((0, path))
        elif tail.isdecimal():
            found.setdefault(owner, []).append((int(tail) + 1, path))
        else:
            result.bad.append(f"{path} looks like a companion of {owner.name} but ends in no number, e.g. _1")
    for owner, paths in found.items():
        first = [path.name for number, path in paths if number == min(paths)[0]]
        if len(first) > 1:  # upstream sorts a set by number: which one it takes changes from run to run
            result.bad.append(f"{owner.name} has several first companions, and chance takes one: {', '.join(first)}")
    result.of = {owner: tuple(path for _, path in sorted(paths)) for owner, paths in found.items()}
    return result


def video_controls(videos: Sequence[Path], folder: Path) -> Controls:
    """The file of the same name, else a folder of images named like the stem, else another video ending."""
    names, result = _names(folder), Controls()
    for video in videos:
        stem = stem_of(video)
        choices = [video.name, stem if (folder / stem).is_dir() else "", *(stem + e for e in sorted(VIDEO_EXTENSIONS))]
        match = next((name for name in choices if name and name in names), None)
        if match:
            result.of[video] = (folder / match,)
    return result


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - only names are wanted
    except (OSError, ValueError):
        return frozenset()
