"""The log for people."""

from __future__ import annotations

import contextlib
import logging
from typing import Any


class Log(logging.LoggerAdapter):
    """A logger that survives failing handlers."""

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        with contextlib.suppress(Exception):
            super().log(level, msg, *args, **{"stacklevel": 2, **more})


log = Log(logging.getLogger("musubi_nodes"), {})
