"""Workflows saved before a widget moved to another node."""

from __future__ import annotations

import json
from pathlib import Path

from tests.browser.page import Page

WORKFLOW = Path(__file__).with_name("workflow_of_2026_11_28.json")
"""Training Config with rank and alpha, which are Network Config's now."""

CONFIG = "MusubiTuner_TrainingConfig"
VALUES = """kind => {
  const node = app.graph.nodes.find((each) => each.type === kind);
  return Object.fromEntries(node.widgets.map((widget) => [widget.name, widget.value]));
}"""
INPUTS = "kind => app.graph.nodes.find((each) => each.type === kind).inputs.map((input) => input.name)"


def opened(page: Page, **widgets: float) -> None:
    """Open the workflow with these values in its Training Config."""
    workflow = json.loads(WORKFLOW.read_text("utf-8"))
    config = next(node for node in workflow["nodes"] if node["type"] == CONFIG)
    names = [each["name"] for each in config["inputs"]]
    for name, value in widgets.items():
        config["widgets_values"][names.index(name)] = value
    page.open(workflow)


def test_each_value_gets_its_own_widget(page: Page) -> None:
    opened(page, seed=7, save_every_n_epochs=3)
    values = page.page.evaluate(VALUES, CONFIG)
    assert (values["seed"], values["save_every_n_epochs"], values["mixed_precision"]) == (7, 3, "bf16")
    assert (values["max_data_loader_n_workers"], values["persistent_data_loader_workers"]) == (2, True)
    assert "network_dim" not in page.page.evaluate(INPUTS, CONFIG)


def test_values_without_a_widget_are_told_with_their_new_node(page: Page) -> None:
    opened(page, network_dim=128, network_alpha=16)  # its default there
    told = page.see("text=/^Training Config: .*network_dim 128/").text_content()
    assert "Network Config" in told and "network_alpha" not in told
