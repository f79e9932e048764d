"""All nodes that a workflow can name: those of the bundled plugins, of the example family, and of the terminal."""

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

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example_family" / "src"


@cache
def every_node() -> list[type[Node]]:
    """The nodes by themselves, without configuration."""
    sys.path.append(str(EXAMPLE))
    try:
        example = importlib.import_module("musubi_nodes_heron.nodes").NODES
    finally:
        sys.path.remove(str(EXAMPLE))
    return [*Plugins(Config(), find_plugins(checkout())).nodes, *example, *FOREIGN.values()]
