"""The log for people: a handler that fails, or whose file is closed, ends nothing."""

from __future__ import annotations

import contextlib
import logging
from typing import Any


class Log(logging.LoggerAdapter):
    """Handlers belong to the host, and to whoever else added one (ComfyUI's own and other packs' raise)."""

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        with contextlib.suppress(Exception):
            super().log(level, msg, *args, **{"stacklevel": 2, **more})


log = Log(logging.getLogger("musubi_nodes"), {})
