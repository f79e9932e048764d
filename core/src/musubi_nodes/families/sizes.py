"""Widths and heights that every family's DiT can take."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from musubi_nodes.datasets.buckets import SIZE_STEP
from musubi_nodes.errors import InvalidValue
from musubi_nodes.families.fields import Widget


def whole_blocks(size: int | None) -> int | None:
    """``size`` if it is whole blocks; an :class:`InvalidValue` that names the nearest ones."""
    if size is not None and size % SIZE_STEP:
        lower = size // SIZE_STEP * SIZE_STEP
        raise InvalidValue("size-not-divisible", f"is not divisible by {SIZE_STEP}: use {lower} or {lower + SIZE_STEP}")
    return size


Side = Annotated[int, Widget(step=SIZE_STEP), AfterValidator(whole_blocks)]
"""A width or height."""
SideOrNone = Annotated[int | None, Widget(step=SIZE_STEP, unset=0), AfterValidator(whole_blocks)]
"""The same where 0 in the widget means "not said"."""
