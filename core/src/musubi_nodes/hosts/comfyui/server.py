"""Access to the running ComfyUI server."""

from __future__ import annotations

import sys
from typing import Any


def running_server() -> Any:
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
