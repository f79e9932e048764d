"""Marks a socket whose fields are options of the node that takes it."""

from __future__ import annotations


class Takes:
    """``models: Annotated[WanModels, Takes("vae")]``: of all fields marked as options, these are sent."""

    def __init__(self, *fields: str) -> None:
        self.fields = fields
