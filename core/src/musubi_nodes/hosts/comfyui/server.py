"""The server of this process, where ComfyUI runs in it."""

from __future__ import annotations

import sys
from typing import Any


def running_server() -> Any:
    """``PromptServer.instance``; ``None`` in a process without one, such as a test or an executor of its own."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
