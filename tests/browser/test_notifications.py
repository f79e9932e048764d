"""A notification of the browser when a long run ends: a setting, off at first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser.page import Page

from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RunFolder

SETTING = "app.extensionManager.setting"
RECORD = """() => {
  window.shown = [];
  const real = window.Notification;
  window.Notification = class extends real {
    constructor(title, options) {
      super(title, options);
      window.shown.push([title, options.body]);
    }
  };
}"""


@pytest.fixture
def notified(page: Page) -> Iterator[Page]:
    """The setting is switched on in the page's settings, and what is shown is written down besides."""
    assert page.page.evaluate(f"{SETTING}.get('musubi.notify')") is False
    page.context.grant_permissions(["notifications"])
    page.page.evaluate(RECORD)
    page.page.evaluate("app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    page.see("text=Musubi Nodes").click()
    page.see("text=Notify when a run of over a minute ends")
    with page.page.expect_response("**/musubi/runs?newest=100"):  # what has ended until now is not told
        page.see("[id='musubi.notify']").click()
    page.page.keyboard.press("Escape")
    yield page
    page.page.evaluate(f"{SETTING}.set('musubi.notify', false)")
    page.context.clear_permissions()


def ended_run(output: Path, seconds: float) -> RunFolder:
    """A training that ends now and began so many seconds ago."""
    folder = RunFolder.create(output, "WanLoRATrainer")
    origin = {"time": time.time() - seconds, "class": "MusubiTuner_WanLoRATrainer"}
    write_json(folder.path / "origin.json", origin)
    folder.write_status("failed", error="out of memory\nmore")
    return folder


def test_the_end_of_a_long_run_is_told_once(notified: Page) -> None:
    page = notified
    ended_run(page.comfy.folder / "output", 3723)
    page.open_example(max_train_epochs=1)
    page.queue()  # the short run itself is not told
    page.see(".musubi-panel[data-status=done]")
    page.page.wait_for_function("shown.length")
    assert page.page.evaluate("shown") == [["Wan LoRA Trainer: failed", "1:02:03 · out of memory"]]
