"""Node classes at startup, cached until a source or setting changes.

Settings are kept as digests: config.toml contains secrets.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from musubi_nodes import __version__
from musubi_nodes.config import config_file
from musubi_nodes.files import CONFIG, read_bytes
from musubi_nodes.hosts.comfyui.classes import SHAPE, Answer, Facts, build
from musubi_nodes.json_types import fits
from musubi_nodes.memo import Memo
from musubi_nodes.plugins.discovery import checkout

FORMAT = 3
SETTINGS = "MUSUBI_"
"""Prefix of the environment variables that affect loading."""


def classes() -> tuple[dict[str, type], dict[str, str]]:
    state = _state()  # first: loading plugins changes sys.path
    nodes = _kept(state) or _loaded(state)
    made = {each["id"]: build(each, partial(_answer, each["id"])) for each in nodes}
    return made, {each["id"]: each["title"] for each in nodes}


def _answer(node_id: str, name: str) -> Answer:
    from musubi_nodes.hosts.comfyui.emit import answer
    from musubi_nodes.plugins.manager import plugins

    found = plugins()
    return answer(next(node for node in found.nodes if node.id == node_id), found, name)


def _loaded(state: dict[str, Any]) -> list[Facts]:
    """Load all plugins; cache the nodes only if none failed."""
    from musubi_nodes.hosts.comfyui.emit import describe
    from musubi_nodes.plugins.manager import plugins

    found = plugins()
    nodes = [describe(node) for node in found.nodes]
    if not found.failed:
        memo = Memo("nodes")
        packages = {"musubi_nodes", *(node.__module__.split(".")[0] for node in found.nodes)}
        memo.keep(nodes, {file: memo.stamp(file) for file in _sources(packages)}, state)
    return nodes


def _kept(state: dict[str, Any]) -> list[Facts]:
    kept = Memo("nodes").find(state)
    return kept if isinstance(kept, list) and all(fits(node, SHAPE) for node in kept) else []


def _state() -> dict[str, Any]:
    root, config, stamp = checkout(), config_file(), Memo("nodes").stamp
    settings = [variable for variable in sorted(os.environ.items()) if variable[0].startswith(SETTINGS)]
    packages = [entry for entry in sorted(set(sys.path)) if entry.endswith("-packages") and Path(entry).is_dir()]
    return {
        "format": [FORMAT, __version__, sys.version, sys.flags.optimize, __file__],
        "settings": _digest(json.dumps(settings).encode()),
        "config": _digest(read_bytes(config, CONFIG)) if config.is_file() else "",
        "packages": {entry: stamp(entry) for entry in packages},
        "plugins": {str(path): stamp(path) for path in sorted(root.glob("plugins/*/pyproject.toml") if root else ())},
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sources(packages: set[str]) -> list[str]:
    modules = [module for name, module in list(sys.modules.items()) if _top(name) in packages or _ours(name)]
    return [str(file) for module in modules if (file := getattr(module, "__file__", None))]


def _top(name: str) -> str:
    return name.split(".")[0]


def _ours(name: str) -> bool:
    return name.startswith("musubi_nodes_")
