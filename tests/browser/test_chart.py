"""The curve of the loss: its gaps, its readings by mouse and keyboard, and how sharp it is."""

from __future__ import annotations

import math
from typing import Any

from tests.browser.page import TRAINER, Page
from tests.browser.runs import made_run

CANVAS = ".musubi-chart canvas"
CURVE_AT = """([share]) => {
  const canvas = document.querySelector(".musubi-chart canvas");
  const [dots, width] = [canvas.width / canvas.clientWidth, canvas.clientWidth];
  const x = Math.round((46 + share * (width - 46 - 8)) * dots);
  const { data } = canvas.getContext("2d").getImageData(x, 0, 1, canvas.height);
  return Array.from({ length: canvas.height }, (_, y) => data.slice(4 * y, 4 * y + 4))
    .some(([red, green, blue, alpha]) => alpha > 60 && blue - red > 100);
}"""
NARROW = """() => {
  window.drawn = [];
  window.whole = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, most) {
    if (/^step/.test(text)) drawn.push([text, this.measureText(text).width <= most]);
    return whole.apply(this, arguments);
  };
  const node = app.graph.nodes.find((each) => each.type.endsWith("LoRATrainer"));
  node.setSize([225, node.size[1]]);
  app.canvas.setDirty(true, true);
}"""
HIGHEST = """async () => {
  const { panels } = await import("/extensions/musubi-nodes/js/monitor/panels.js");
  const [{ chart }] = panels.values();
  return chart.placed?.high;
}"""
DOTS = f"document.querySelector('{CANVAS}').width / document.querySelector('{CANVAS}').clientWidth"


def curve(page: Page, steps: int = 100, gap: range = range(0)) -> None:
    """A training of so many steps, whose loss is no number in the gap."""
    rows: list[dict[str, Any]] = [
        {"step": step, "loss": math.nan if step in gap else 1 / step, "lr": 0.0001} for step in range(1, steps + 1)
    ]
    page.open_with_run(made_run(page.comfy.folder / "output", rows=rows))
    page.show(TRAINER)
    page.wait(f"{DOTS} > 0 && document.querySelector('{CANVAS}').ariaValueText?.startsWith('step {steps}')")


def test_where_the_loss_was_no_number_the_curve_has_a_gap(page: Page) -> None:
    curve(page, gap=range(41, 60))
    at = {share: page.page.evaluate(CURVE_AT, [share]) for share in (0.3, 0.45, 0.5, 0.55, 0.8)}
    assert at == {0.3: True, 0.45: False, 0.5: False, 0.55: False, 0.8: True}


def test_the_mouse_and_the_arrow_keys_read_a_step(page: Page) -> None:
    curve(page)
    canvas = page.see(CANVAS)
    canvas.hover()
    page.wait(f"/^step 4\\d  loss 0.02\\d+ /.test(document.querySelector('{CANVAS}').ariaValueText)")
    page.page.mouse.move(5, 5)
    page.wait(f"document.querySelector('{CANVAS}').ariaValueText.startsWith('step 100 ')")
    canvas.focus()
    for key, step in (("ArrowLeft", 99), ("ArrowLeft", 98), ("ArrowRight", 99), ("Home", 1), ("End", 100)):
        page.page.keyboard.press(key)
        page.wait(f"document.querySelector('{CANVAS}').ariaValueText.startsWith('step {step} ')")
    assert canvas.get_attribute("role") == "slider" and canvas.get_attribute("aria-valuenow") == "100"


def test_a_curve_that_has_ended_is_sharp_when_it_is_looked_at_closely(page: Page) -> None:
    curve(page)
    before = page.page.evaluate(DOTS)
    page.page.evaluate("app.canvas.ds.changeScale(3, [800, 450])")
    page.show(TRAINER)
    page.wait(f"{DOTS} > {before + 1}")
    page.page.evaluate("app.canvas.ds.changeScale(1, [800, 450])")


def test_a_narrow_node_drops_parts_of_the_reading_and_squeezes_none(page: Page) -> None:
    curve(page)
    page.page.evaluate(NARROW)
    page.wait("drawn.length && !drawn.at(-1)[0].includes('lr')")
    text, fits = page.page.evaluate("{ CanvasRenderingContext2D.prototype.fillText = whole; drawn.at(-1); }")
    assert fits and text.startswith("step 100  loss 0.01")


def highest(page: Page, last: float) -> float:
    """The upper end of the scale of a loss between 1 and 2 that ends with ``last``."""
    losses = [*(1.0 + step % 2 for step in range(1, 80)), last]
    rows = [{"step": step, "loss": loss} for step, loss in enumerate(losses, 1)]
    page.open_with_run(made_run(page.comfy.folder / "output", rows=rows))
    page.show(TRAINER)
    page.wait(f"document.querySelector('{CANVAS}').ariaValueText?.startsWith('step 80')")
    found: float = page.page.evaluate(HIGHEST)
    return found


def test_a_value_somewhat_above_the_others_is_not_cut_off(page: Page) -> None:
    assert highest(page, 2.2) > 2.2


def test_a_single_spike_does_not_flatten_the_curve(page: Page) -> None:
    assert highest(page, 90.0) < 4
