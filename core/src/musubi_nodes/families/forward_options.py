"""Marker for forwarded options."""

from __future__ import annotations


class ForwardOptions:
    """Sends these options of a socket, by default all.

    ``models: Annotated[WanModels, ForwardOptions("vae")]``
    """

    def __init__(self, *fields: str) -> None:
        self.fields = fields
