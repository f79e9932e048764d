"""The page as a user has it, and what can be seen of it."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

EXAMPLE = Path(__file__).resolve().parents[2] / "example_workflows" / "wan_lora_training.json"
SECONDS = 60
READY = "window.app?.graph && window.app?.canvas && window.app.extensionManager?.setting && !window.app.loading"
TRAINER = "MusubiTuner_WanLoRATrainer"
SMALL = {
    "MusubiTuner_DatasetConfigLoader": {"path": "balls/demo.toml"},
    "MusubiTuner_WanModels": {
        "dit": "miniature/wan_t2v_14b.safetensors",
        "vae": "miniature/wan_vae.safetensors",
        "t5": "miniature/umt5_xxl.safetensors",
    },
    "MusubiTuner_MemoryOptimizer": {"fp8": "off", "blocks_to_swap": 0},
}
"""What the example needs to run on the miniature, by node and widget."""

SET = """values => {
  for (const node of app.graph.nodes)
    for (const widget of node.widgets ?? [])
      if (widget.name in (values[node.type] ?? {})) widget.value = values[node.type][widget.name];
}"""
PANELS = """async () => {
  const { panels } = await import("/extensions/musubi-nodes/js/monitor/panels.js");
  return [...panels].map(([node, { run }]) => ({
    node: String(node.id), run: run.name, status: run.state.status, points: run.points.map(([step, ...rest]) => [step, rest]),
  }));
}"""


class Page:
    """One browser window on a stand-in."""

    def __init__(self, browser: Any, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.context = browser.new_context(viewport={"width": 1600, "height": 900})
        self.context.route(lambda other: not other.startswith(url), lambda route: route.abort())
        self.context.set_default_timeout(SECONDS * 1000)
        self.page = self.context.new_page()

    def start(self, settings: dict[str, Any]) -> None:
        """Open ComfyUI's page with these settings of its user."""
        self.post("/settings", settings)
        self.page.goto(self.url)
        self.page.wait_for_function(READY)

    def reload(self) -> None:
        """What F5 does."""
        self.page.reload()
        self.page.wait_for_function(READY)

    def get(self, path: str) -> Any:
        """A JSON answer of the server."""
        with urllib.request.urlopen(self.url + path, timeout=SECONDS) as answer:
            return json.load(answer)

    def post(self, path: str, value: Any) -> None:
        """Send JSON to the server."""
        head = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(self.url + path, json.dumps(value).encode(), head)).close()

    def open_example(self, changes: dict[str, dict[str, Any]]) -> None:
        """Open the example of a Wan training through the page's own file chooser, and fill in what it needs."""
        workflow = {**json.loads(EXAMPLE.read_text("utf-8")), "id": str(uuid4())}
        file = {"name": f"{workflow['id']}.json", "mimeType": "application/json", "buffer": json.dumps(workflow).encode()}
        self.page.locator("#comfy-file-input").set_input_files(file)
        self.page.wait_for_function(f"app.graph.id === '{workflow['id']}'")
        self.page.evaluate(SET, {**SMALL, **changes})

    def queue(self) -> None:
        """Queue by the page's own key."""
        self.page.keyboard.press("Control+Enter")

    def panels(self) -> list[dict[str, Any]]:
        """What the panels of the page know: node, run, status, and points as [step, values]."""
        found: list[dict[str, Any]] = self.page.evaluate(PANELS)
        return found

    def see(self, selector: str) -> Any:
        """The only element of this kind, once it can be seen."""
        found = self.page.locator(selector)
        found.wait_for()
        return found

    def wait(self, expression: str, *given: Any) -> None:
        """Until a JavaScript expression is true."""
        self.page.wait_for_function(expression, arg=given)
