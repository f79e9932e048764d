"""ComfyUI's door: puts this checkout's packages first, and hands on what the plugins registered."""

import sys
from pathlib import Path

_SOURCE = Path(__file__).resolve().parent / "core" / "src"
sys.path[:] = [str(_SOURCE), *(entry for entry in sys.path if entry != str(_SOURCE))]

import musubi_nodes  # noqa: E402

_FOUND = Path(musubi_nodes.__file__ or "").resolve().parent
if _FOUND != _SOURCE / "musubi_nodes":
    raise ImportError(
        f"another musubi_nodes ({getattr(musubi_nodes, '__version__', 'of unknown version')}) was imported before this "
        f"one, from {_FOUND}. Two in one ComfyUI would not know each other's nodes, so this one is left out. "
        "Fix: remove the other (a second clone in custom_nodes, or `pip uninstall musubi-nodes` in ComfyUI's Python), "
        "then restart ComfyUI."
    )

from musubi_nodes.hosts.comfyui import mappings  # noqa: E402

NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = mappings(Path(__file__).parent.name)
WEB_DIRECTORY = "./web"

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
