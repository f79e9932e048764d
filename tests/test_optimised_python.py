"""``python -O`` and ``-OO`` leave out assertions and docstrings: everything else is the same."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOADED = """
import json
from musubi_nodes.plugins.manager import plugins
found = plugins()
facts = {node.id: [node.title, bool(node.description())] for node in found.nodes}
print(json.dumps([sorted(found.loaded), {name: str(error) for name, error in found.failed.items()}, facts]))
"""


def loaded(*options: str) -> list[dict[str, list[object]]]:
    done = subprocess.run([sys.executable, *options, "-c", LOADED], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_all_plugins_are_loaded(option: str) -> None:
    plugins, failed, nodes = loaded(option)
    assert failed == {}
    assert (plugins, nodes.keys()) == (loaded()[0], loaded()[2].keys())
