"""Errors of plugins."""

from __future__ import annotations

import traceback
from pathlib import Path

from musubi_nodes.errors import MusubiError

_CORE = str(Path(__file__).parents[1])


class PluginError(MusubiError):
    """A mistake of a plugin, explained to its author."""


def plugin_error(error: BaseException) -> PluginError:
    """Convert any error to one line, with its place in the plugin."""
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return error.replace(what=text)
    files = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    outside = [at for at in files if not at[0].startswith(("<", _CORE)) and "importlib" not in at[0]]
    where = f" ({outside[-1][0]}, line {outside[-1][1]})" if outside else ""
    return PluginError("plugin-broken", f"{type(error).__name__}: {text}{where}")
