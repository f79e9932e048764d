"""All nodes that a workflow can name: those of the bundled plugins, of the example families, and of the terminal."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from pathlib import Path

from musubi_nodes.config import Config
from musubi_nodes.families.node import Node
from musubi_nodes.hosts.terminal.foreign import FOREIGN
from musubi_nodes.plugins.discovery import checkout, find_plugins
from musubi_nodes.plugins.manager import Plugins

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "example_families"


@cache
def every_node() -> list[type[Node]]:
    """The nodes by themselves, without configuration."""
    sources = [str(EXAMPLES / name / "src") for name in ("heron", "magpie")]
    sys.path += sources
    try:
        modules = [importlib.import_module(f"musubi_nodes_{name}.nodes") for name in ("heron", "magpie")]
    finally:
        sys.path[:] = [path for path in sys.path if path not in sources]
    examples = [node for module in modules for node in module.NODES]
    return [*Plugins(Config(), find_plugins(checkout())).nodes, *examples, *FOREIGN.values()]
