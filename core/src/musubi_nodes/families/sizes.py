"""Widths and heights of all families."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from musubi_nodes.datasets.config.buckets import SIZE_STEP
from musubi_nodes.errors import InvalidValue
from musubi_nodes.families.fields import Widget


def whole_blocks(size: int | None) -> int | None:
    if size is not None and size % SIZE_STEP:
        lower = size // SIZE_STEP * SIZE_STEP
        raise InvalidValue("size-not-divisible", f"is not divisible by {SIZE_STEP}: use {lower} or {lower + SIZE_STEP}")
    return size


Side = Annotated[int, Widget(step=SIZE_STEP), AfterValidator(whole_blocks)]
SideOrNone = Annotated[int | None, Widget(step=SIZE_STEP, unset=0), AfterValidator(whole_blocks)]
"""A side, or 0 for "not set"."""
