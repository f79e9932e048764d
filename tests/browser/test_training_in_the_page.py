"""A training on the miniature, seen in a real browser: queued, watched, reloaded, cancelled."""

from __future__ import annotations

from tests.browser.page import TRAINER, Page

from musubi_nodes.runs.folder import run_named
from musubi_nodes.runs.guard import marked

HOSTILE = "<img src=x onerror=document.title='hacked'>"
CURVE = ".musubi-chart canvas"
STEPS_SEEN = "([least]) => Number(document.querySelector('.musubi-chart canvas')?.ariaLabel?.match(/^step (\\d+)/)?.[1]) >= least"


def test_a_training_grows_survives_a_reload_and_is_cancelled(page: Page) -> None:
    page.open_example({"MusubiTuner_TrainingConfig": {"max_train_epochs": 4000}})
    page.queue()
    page.wait(STEPS_SEEN, 3)
    first = page.panels()[0]
    page.wait(STEPS_SEEN, first["points"][-1][0] + 3)
    before = page.panels()[0]
    assert len(before["points"]) > len(first["points"])

    page.reload()
    page.wait(STEPS_SEEN, before["points"][-1][0] + 1)
    after = page.panels()[0]
    assert after["run"] == before["run"]
    assert dict(before["points"][:-1]).items() <= dict(after["points"]).items()

    stop = page.see("text=Stop now")
    stop.click()
    page.see("text=Really stop?").click()
    page.see(".musubi-panel[data-status=cancelled]")
    assert run_named(page.folder / "output", before["run"]).status()["status"] == "cancelled"
