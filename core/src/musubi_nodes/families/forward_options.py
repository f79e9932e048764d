"""Marks a socket whose fields are options of the node that takes it."""

from __future__ import annotations


class ForwardOptions:
    """``models: Annotated[WanModels, ForwardOptions("vae")]``: of all fields marked as options, these are sent."""

    def __init__(self, *fields: str) -> None:
        self.fields = fields
