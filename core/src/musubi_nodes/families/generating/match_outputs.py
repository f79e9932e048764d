"""Matches the outputs of one invocation to its prompts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from musubi_nodes.families.generating.appearance import Expected
from musubi_nodes.families.generating.generated_files import GeneratedFiles, files_in_order
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.stated import outputs_of

T = TypeVar("T")
NAME = re.compile(r"(\d{8}-\d{6}[-\d]{0,40})(?:_layer\d+)?_(\d+)(?=[_./]|$)", re.ASCII)
"""Time and seed, the beginning of each output's name (``get_time_flag``, v0.3.4)."""


def match_outputs(
    folder: RunFolder, output_type: str, seeds: Mapping[int, int], asked: Mapping[int, Expected]
) -> dict[int, GeneratedFiles]:
    """Return complete outputs by the number of their prompt.

    ``seeds``: by prompt, in the order of the prompt file. The script prints a file's name once it is written, in that
    order, which separates equal seeds; if one of those is missing, none of that seed counts (``save_video``,
    ``save_images``, ``save_latent`` of wan_generate_video.py and fpack_generate_video.py, v0.3.4).
    """
    parts: dict[int, list[GeneratedFiles]] = defaultdict(list)
    for seed, files in _outputs(folder):
        parts[seed].append(GeneratedFiles.of(files))
    found = {}
    for seed in set(seeds.values()):
        numbers = [number for number, own in seeds.items() if own == seed]
        for number, made in zip(numbers, _shared_out(parts[seed], len(numbers)), strict=False):
            if made.is_good(folder, output_type, asked[number]):
                found[number] = made
    return found


def _outputs(folder: RunFolder) -> Iterator[tuple[int, list[Path]]]:
    """Yield seed and files of each output that the script named, in that order."""
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in files_in_order(folder.out):
        if name := NAME.match(path.relative_to(folder.out).as_posix()):
            files[name[1], name[2]].append(path)
    if not files:
        return
    stated = [name for output in outputs_of(folder) if (name := NAME.match(output))]
    named = dict.fromkeys((name[1], name[2]) for name in stated)
    yield from ((int(name[1]), files[name]) for name in named if name in files)


def _shared_out(parts: Sequence[GeneratedFiles], count: int) -> list[GeneratedFiles]:
    """Return one per prompt: the first video, pictures and latent are the first prompt's."""
    videos = _as_many([part.video for part in parts if part.video], count)
    images = _as_many([part.images for part in parts if part.images], count)
    latents = _as_many([part.latent for part in parts if part.latent], count)
    return [
        GeneratedFiles(video, pictures or (), latent)
        for video, pictures, latent in zip(videos, images, latents, strict=True)
    ]  # fmt: skip


def _as_many(found: list[T], count: int) -> Sequence[T | None]:
    return found if len(found) == count else [None] * count
