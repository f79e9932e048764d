"""A practice musubi-tuner: the same options, lines and files as v0.3.4, with toy arithmetic on the CPU."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from musubi_nodes import hookimpl
from musubi_nodes.runs.install import Install

from .toys import toy_models

__version__ = "0.1.0"

CHECKOUT = Path(__file__).parent / "checkout"
"""The folder that looks like a musubi-tuner checkout."""


@hookimpl
def musubi_provide_installs() -> list[Install]:
    """The install ``miniature``: this Python, any device, and toy models that appear only while it is chosen."""
    try:
        models = toy_models()
    except OSError as error:
        logging.getLogger(__name__).warning("the toy models could not be written: %s", error)
        models = {}
    return [Install("miniature", CHECKOUT, Path(sys.executable), environment={}, cpu=True, models=models)]
