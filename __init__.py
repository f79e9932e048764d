"""ComfyUI's door: puts this checkout's packages first, and hands on what the plugins registered."""

import sys
from pathlib import Path

_SOURCE = str(Path(__file__).resolve().parent / "core" / "src")
if _SOURCE not in sys.path:
    sys.path.insert(0, _SOURCE)

from musubi_nodes.hosts.comfyui import mappings  # noqa: E402

NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = mappings()
WEB_DIRECTORY = "./web"

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
