"""A practice musubi-tuner: the same options, lines and files as v0.3.4, with toy arithmetic on the CPU."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from musubi_nodes import hookimpl
from musubi_nodes.families import Install

from .demos import DEMOS

__version__ = "0.1.0"

CHECKOUT = Path(__file__).parent / "checkout"
"""The folder that looks like a musubi-tuner checkout."""

MISBEHAVE = "MUSUBI_MINIATURE_MISBEHAVE"
"""What the scripts are to do wrong (``miniature/misbehave.py`` of the checkout)."""

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Toy matrices are too small to share: numpy's threads would only wait for each other."""


class ToyModels(Mapping[str, Path]):
    """The folders of the toy models by kind; they are written when somebody first asks, not when ComfyUI starts."""

    @cached_property
    def _folders(self) -> dict[str, Path]:
        from .toys import toy_models

        try:
            return toy_models()
        except OSError as error:
            logging.getLogger(__name__).warning("the toy models could not be written: %s", error)
            return {}

    def __getitem__(self, kind: str) -> Path:
        return self._folders[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __len__(self) -> int:
        return len(self._folders)


@hookimpl
def musubi_provide_installs() -> list[Install]:
    """The install ``miniature``: this Python, any device, and toy models that appear only while it is chosen."""
    faults = {name: value for name, value in os.environ.items() if name == MISBEHAVE}
    environment = {**ONE_THREAD, **faults}
    return [
        Install("miniature", CHECKOUT, Path(sys.executable), environment, cpu=True, models=ToyModels(), demos=DEMOS)
    ]
