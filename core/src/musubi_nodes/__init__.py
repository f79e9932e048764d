"""musubi-tuner on the ComfyUI canvas and in a terminal."""

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("musubi_nodes")
"""Marks a plugin's implementation of one of the hooks in ``hookspecs``."""
