"""A training on the miniature, seen in a real browser: queued, watched, reloaded, cancelled."""

from __future__ import annotations

from tests.browser.page import Page

from musubi_nodes.runs.process.guard import marked
from musubi_nodes.runs.record.folder import RunFolder, run_named

HOSTILE = "<img src=x onerror=document.title='hacked'>"
STEPS_SEEN = """([least]) => {
  const text = document.querySelector(".musubi-chart canvas")?.ariaValueText;
  return Number(text?.match(/^step (\\d+)/)?.[1]) >= least;
}"""


def test_a_training_grows_survives_a_reload_and_is_cancelled(page: Page) -> None:
    page.open_example(max_train_epochs=4000)
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

    token = page.comfy.run_token()
    page.stop()
    assert run_named(page.comfy.folder / "output", before["run"]).status()["status"] == "cancelled"
    assert marked(token) == []


def test_what_a_log_holds_is_text(page: Page) -> None:
    folder = RunFolder.create(page.comfy.folder / "output", "WanLoRATrainer")
    folder.log.write_text(f"first\n{HOSTILE}\n")
    folder.write_status("failed", error=HOSTILE)
    page.open_with_run(folder)
    assert page.see(".musubi-log").text_content().splitlines() == ["first", HOSTILE]
    assert HOSTILE in page.see(".musubi-text").text_content()
    assert page.page.locator("img[src=x]").count() == 0
    assert page.page.title() != "hacked"


def test_of_a_hundred_thousand_points_a_page_gets_few_with_first_and_last(page: Page) -> None:
    folder = RunFolder.create(page.comfy.folder / "output", "WanLoRATrainer")
    with folder.metrics.open("w") as file:
        file.writelines(f'{{"step": {step}, "loss": 0.1, "lr": 0.0001}}\n' for step in range(1, 100_001))
    folder.write_status("done")
    page.open_with_run(folder)
    page.wait(STEPS_SEEN, 100_000)
    points = page.panels()[0]["points"]
    assert points[0][0] == 1 and points[-1][0] == 100_000 and len(points) <= 2001
