"""How FramePack makes a video: section by section, each seeing clean latents of what is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from .encoders import ToyVAE
from .output import MAIN
from .tensors import Array

HISTORY = (1, 2, 16)
"""Latent frames of history at full, half and quarter size."""

Clean = tuple[Array | None, ...]
"""Clean latents at full, half and quarter size."""


@dataclass(frozen=True)
class Course:
    """Sections of ``window`` latent frames; ``f1`` goes forward in time, plain FramePack backward."""

    count: int
    window: int
    f1: bool = False
    paddings: str | None = None

    def latent_paddings(self) -> Any:
        """How many windows lie between the start frame and each section."""
        if self.f1:
            return [0] * self.count
        # upstream writes into an iterator, too, where few paddings are given for few sections
        found: Any = reversed(range(self.count))
        if self.count > 4:
            found = [3] + [2] * (self.count - 3) + [1, 0]
        if self.paddings is None:
            return found
        given = [int(text) for text in self.paddings.split(",")]
        if len(given) < self.count:
            print(f"User defined latent paddings length {len(given)} does not match total sections {self.count}.")
            print("Use default paddings instead for unspecified sections.")
            found[: len(given)] = given
            return found
        if len(given) > self.count:
            print(f"User defined latent paddings length {len(given)} is greater than total sections {self.count}.")
            print(f"Use only first {self.count} paddings instead.")
        return given[: self.count]


def clean_latents(start: Array, history: Array, f1: bool) -> Clean:
    """The start frame and the newest of the history, which stands first, or last where time goes forward."""
    if f1:
        far, middle, near = np.split(history[:, -sum(HISTORY) :], np.cumsum(HISTORY[::-1])[:-1], axis=1)
    else:
        near, middle, far = np.split(history[:, : sum(HISTORY)], np.cumsum(HISTORY)[:-1], axis=1)
    return np.concatenate([start, near], axis=1), middle, far


def blank_history(height: int, width: int) -> Array:
    return np.zeros((16, sum(HISTORY), height, width), np.float32)


def make_latent(
    course: Course,
    history: Array,
    start_of: Callable[[int, int], Array],
    make: Callable[[int, Clean], Array],
) -> Array:
    """All sections: ``start_of`` a section gets its padding, ``make`` its clean latents."""
    made = 0
    if course.f1:
        history, made = np.concatenate([history, start_of(0, 0)], axis=1), 1
    for turn, padding in enumerate(list(course.latent_paddings())):
        section = turn if course.f1 else course.count - 1 - turn
        size = 0 if course.f1 else padding * course.window
        last = section == 0
        if not course.f1:
            MAIN.info(f"latent_padding_size = {size}, is_last_section = {last}")
        start = start_of(section, size)
        new = make(section, clean_latents(start, history, course.f1))
        made += new.shape[1]
        if course.f1:
            history = np.concatenate([history, new], axis=1)
        else:
            new = np.concatenate([start, new], axis=1) if last else new
            made += 1 if last else 0
            history = np.concatenate([new, history], axis=1)
        latent = history[:, -made:] if course.f1 else history[:, :made]
        MAIN.info(f"Generated. Latent shape torch.Size({[1, *latent.shape]})")
    return latent


def decode(latent: Array, vae: ToyVAE, sections: int, window: int, bulk: bool, one_frame: bool) -> Array:
    """The frames of a latent, with upstream's bar over sections; one-frame latents give one image each."""
    MAIN.info("Decoding video...")
    if bulk or one_frame:
        MAIN.info("Bulk decoding or one frame inference")
        pieces = [latent[:, i : i + 1] for i in range(latent.shape[1])] if one_frame else [latent]
        frames = np.concatenate([vae.decode(piece) for piece in pieces])
    else:
        frames = np.concatenate(list(_section_frames(latent, vae, sections, window)))
    MAIN.info(f"Decoded. Pixel shape torch.Size({[1, 3, *frames.shape[:3]]})")
    return frames


def _section_frames(latent: Array, vae: ToyVAE, sections: int, window: int) -> Iterator[Array]:
    """Section by section; the toy's VAE is causal, so that they fit together without blending."""
    begins = [index * window for index in range(sections) if not index or index * window + 1 < latent.shape[1]]
    for begin in tqdm(begins):
        # the last one reaches over two windows, as upstream
        end = begin + window * (2 if begin == begins[-1] else 1) + 1
        frames = vae.decode(latent[:, begin:end])
        yield frames[1:] if begin else frames


def section_strings(text: str | None) -> dict[int, str]:
    """``0:a cat;;;1-2:a dog`` by section; without ``;;;`` all of it is for section 0."""
    if text is None:
        return {}
    if ";;;" not in text:
        return {0: text}
    found: dict[int, str] = {}
    for part in text.split(";;;"):
        for index in _indices(part):
            found[index] = (part.split(":", 1)[1] if _is_numbered(part) or ":" in part else part).strip()
    if 0 not in found:
        known = [index for index in found if index >= 0]
        found[0] = found[min(known or list(found))]
    return found


def _is_numbered(part: str) -> bool:
    head, colon, _ = part.partition(":")
    first, _, last = head.strip().removeprefix("-").partition("-")
    return bool(colon) and first.isdigit() and (not last or last.isdigit()) and not head.strip().endswith("-")


def _indices(part: str) -> range:
    if not _is_numbered(part):
        return range(1)
    head = part.split(":", 1)[0].strip()
    sign = -1 if head.startswith("-") else 1
    first, _, last = head.removeprefix("-").partition("-")
    start = sign * int(first)
    return range(start, (int(last) if last else start) + 1)
