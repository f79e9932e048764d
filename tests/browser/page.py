"""The page as a user has it, and what can be seen of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from musubi_nodes.files import write_json
from musubi_nodes.runs.process.guard import TOKEN
from musubi_nodes.runs.record.folder import RunFolder

EXAMPLE = Path(__file__).resolve().parents[2] / "example_workflows" / "wan_lora_training.json"
SECONDS = 60
READY = "window.app?.graph && app.canvas && app.extensionManager?.setting && !app.extensionManager.spinner"
"""Under the spinner newer pages bring back what was open, in place of what a test would open meanwhile (1.49.6)."""
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
KINDS = "() => app.graph.nodes.map((node) => node.type)"
SELECT = """kind => {
  app.canvas.deselectAll();
  app.canvas.select(app.canvas.graph.nodes.find((each) => each.type === kind));
}"""
SHOW = """kind => {
  const node = app.canvas.graph.nodes.find((each) => each.type === kind);
  app.canvas.centerOnNode(node);
  app.canvas.setDirty(true, true);
}"""
PANELS = """async () => {
  const { panels } = await import("/extensions/musubi-nodes/js/monitor/panels.js");
  const points = (run) => run.points.map(([step, ...values]) => [step, values]);
  return [...panels.values()].map(({ run }) => ({ run: run.name, points: points(run) }));
}"""


@dataclass(frozen=True)
class Comfy:
    """A running ComfyUI, or what stands in for it: its address, its folder, and its process."""

    url: str
    folder: Path
    pid: int

    def run_token(self) -> str:
        """What marks the processes of the run that it has started."""
        for child in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if token := child.environ().get(TOKEN):
                    return token
        raise AssertionError("no run is going on")


class Page:
    """One browser window."""

    def __init__(self, browser: Any, comfy: Comfy) -> None:
        self.comfy, self.url, self.seeds = comfy, comfy.url, itertools.count()
        self.context = browser.new_context(viewport={"width": 1600, "height": 900})
        self.context.route(lambda other: not other.startswith(comfy.url), lambda route: route.abort())
        self.context.set_default_timeout(SECONDS * 1000)
        self.page = self.context.new_page()

    def second(self) -> Page:
        """Another browser on the same server, with the workflow that is open here."""
        other = Page(self.context.browser, self.comfy)
        other.start({})
        other.open(self.page.evaluate("app.graph.serialize()"))
        other.page.bring_to_front()  # a hidden page does not look
        return other

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

    def open_example(self, **training: Any) -> None:
        """Open the example of a Wan training and fill in what it needs; ``training`` are widgets of Training Config.

        Each time it has another seed, because what was trained before is not trained again.
        """
        workflow = {**json.loads(EXAMPLE.read_text("utf-8")), "id": str(uuid4())}
        self.open(workflow)
        self.set({**SMALL, "MusubiTuner_TrainingConfig": {"seed": next(self.seeds), **training}})

    def open_with_run(self, folder: RunFolder, seen: bool = True, **origin: str) -> None:
        """Open the example as the workflow whose trainer has made this run; ``origin`` is what else is known of it."""
        workflow = {**json.loads(EXAMPLE.read_text("utf-8")), "id": str(uuid4())}
        node = next(each for each in workflow["nodes"] if each["type"] == TRAINER)
        known = {"class": TRAINER, "node": str(node["id"]), "workflow": workflow["id"], "time": time.time() - 60}
        write_json(folder.path / "origin.json", known | origin)
        self.open(workflow)
        if seen:
            self.see(".musubi-panel")

    def set(self, values: dict[str, dict[str, Any]]) -> None:
        """Set widgets, by node and widget."""
        self.page.evaluate(SET, values)

    def open(self, workflow: dict[str, Any]) -> None:
        """Open a workflow through the page's own file chooser."""
        content = json.dumps(workflow).encode()
        file = {"name": f"{workflow['id']}.json", "mimeType": "application/json", "buffer": content}
        self.page.locator("#comfy-file-input").set_input_files(file)
        self.page.wait_for_function(f"app.graph.id === '{workflow['id']}'")

    def show(self, kind: str) -> None:
        """Bring the node of this type into the middle of the canvas."""
        self.page.evaluate(SHOW, kind)
        self.page.wait_for_function("() => new Promise((done) => requestAnimationFrame(() => done(true)))")

    def select(self, kind: str) -> None:
        """Select the node of this type: what deletes it on the canvas would delete it now."""
        self.page.evaluate(SELECT, kind)

    def kinds(self) -> list[str]:
        """The types of the nodes on the canvas."""
        found: list[str] = self.page.evaluate(KINDS)
        return found

    def queue(self) -> None:
        """Queue by the page's own key."""
        self.page.keyboard.press("Control+Enter")

    def stop(self) -> None:
        """Stop the run that is going on by the panel's button."""
        self.see("text=Stop now").click()
        self.see("text=Really stop?").click()
        self.see(".musubi-panel[data-status=cancelled]")

    def panels(self) -> list[dict[str, Any]]:
        """What the panels of the page know: the run, and its points as [step, values]."""
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
