"""The log lines and bars: same texts, same streams as upstream's."""

from __future__ import annotations

import logging

from . import NOTICE

MAIN = logging.getLogger("__main__")
"""The logger of what upstream's script file itself says; the other loggers carry upstream's module names too."""


def start_log() -> None:
    """Lines ``LEVEL:logger:text`` on stderr; the first one says what this is."""
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("musubi_tuner.miniature").info(NOTICE)
