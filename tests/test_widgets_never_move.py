"""Saved workflows hold widget values by position and node ids by name: neither may ever change.

After adding a field (with ``Widget(added=...)``, so that it comes last) or a node, write the file anew:
``python tests/test_widgets_never_move.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

from musubi_nodes.plugins.manager import plugins

KEPT = Path(__file__).with_name("widgets.json")


def order_now() -> dict[str, dict[str, list[str]]]:
    """Widgets and outputs of each node, in their order."""
    return {
        node.id: {
            "widgets": [spec.name for spec in node.fields() if spec.kind != "socket"],
            "outputs": [f"{spec.name}:{spec.wire}" for spec in node.outputs()],
        }
        for node in plugins().nodes
    }


def test_no_node_widget_or_output_has_moved() -> None:
    now = order_now()
    for node, kept in json.loads(KEPT.read_text("utf-8")).items():
        assert node in now, f"{node} is gone: old workflows break"
        for part, names in kept.items():
            assert now[node][part][: len(names)] == names, f"{part} of {node} have moved"


def test_every_node_and_widget_is_kept_in_the_file() -> None:
    assert json.loads(KEPT.read_text("utf-8")) == order_now(), "run: python tests/test_widgets_never_move.py"


if __name__ == "__main__":
    KEPT.write_text(json.dumps(order_now(), indent=1) + "\n", "utf-8")
