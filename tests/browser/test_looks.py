"""Whether everybody can read a panel: its words, its colors, its names for screen readers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.browser.page import TRAINER, Page
from tests.browser.runs import made_run

GIB = 2**30
COLORS = """() => {
  const of = (element) => {
    let ground = element;
    while (ground && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    const own = ground && ground.closest(".musubi-panel") ? getComputedStyle(ground).backgroundColor : NODE;
    return [getComputedStyle(element).color, own];
  };
  const pen = document.createElement("canvas").getContext("2d");
  const NODE = LiteGraph.NODE_DEFAULT_BGCOLOR;
  const bytes = (color) => {
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const parts = ["text", "time", "numbers", "log", "buttons button", "asked"].map((name) => `.musubi-${name}`);
  return Object.fromEntries(parts.map((name) => [name, of(document.querySelector(name)).map(bytes)]));
}"""
DRAWN = """async () => {
  const { panels } = await import("/extensions/musubi-nodes/js/monitor/panels.js");
  const pen = document.createElement("canvas").getContext("2d");
  const bytes = (color) => {
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const [{ chart }] = panels.values();
  const ground = bytes(getComputedStyle(chart.element).backgroundColor);
  return Object.fromEntries(Object.entries(chart.colors).map(([name, color]) => [name, [bytes(color), ground]]));
}"""
LEAST = {"loss": 3, "smooth": 3, "rate": 3}
"""Contrast of what is no text (WCAG 2.2, 1.4.11); of text it is 4.5."""

GROUNDS = """() => {
  const own = LiteGraph.vueNodesMode ? "--component-node-widget-background" : "--comfy-input-bg";
  const probe = document.createElement("div");
  probe.style.background = `var(${own})`;
  document.querySelector(".musubi-panel").append(probe);
  const parts = [probe, ...document.querySelectorAll(".musubi-log, .musubi-chart, .musubi-samples")];
  const colors = parts.map((part) => getComputedStyle(part).backgroundColor);
  probe.remove();
  return colors;
}"""
HEAR = "([nodeId, text]) => app.api.dispatchCustomEvent('progress_text', { nodeId, text })"
LOG = "document.querySelector('.musubi-log')"
AT_END = f"{LOG}.clientHeight && {LOG}.scrollTop + {LOG}.clientHeight >= {LOG}.scrollHeight - 2"


@pytest.fixture
def light(page: Page) -> Iterator[Page]:
    page.page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'light')")
    yield page
    page.page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")


def luminance(color: list[int]) -> float:
    """WCAG 2.2's relative luminance."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[int], other: list[int]) -> float:
    """From 1 to 21."""
    dark, bright = sorted(map(luminance, (one, other)))
    return (bright + 0.05) / (dark + 0.05)


def running(page: Page) -> None:
    rows = [{"step": step, "loss": 0.5, "lr": 0.0001, "epoch": 1} for step in range(1, 41)]
    progress = {
        "stage": "training",
        "step": 39,
        "steps": 100,
        "rate": 2.0,
        "seconds_left": 30.0,
        "epoch": 1,
        "epochs": 4,
    }
    gpu = {"gpu_used": int(12.3 * GIB), "gpu_total": 24 * GIB, "gpu_use": 97}
    run = made_run(page.comfy.folder / "output", "running", rows, **progress, **gpu)
    run.log.write_text("a line\n" * 20)
    page.open_with_run(run, prompt="p")
    page.show(TRAINER)


def colors(page: Page) -> dict[str, list[list[int]]]:
    """Color and ground of each part of the panel, once the chart is drawn."""
    page.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: dict[str, list[list[int]]] = page.page.evaluate(COLORS) | page.page.evaluate(DRAWN)
    return found


def test_text_can_be_read_in_the_light_theme_which_has_colors_of_its_own(light: Page) -> None:
    page = light
    running(page)
    page.see("text=Stop now").click()
    bright = colors(page)
    page.page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")
    page.wait("document.querySelector('.musubi-panel:not(.musubi-light)')")
    page.see("text=Stop now").click()
    dark = colors(page)
    for theme in (bright, dark):
        told = {name: round(contrast(*found), 1) for name, found in theme.items()}
        low = {name: value for name, value in told.items() if value < LEAST.get(name, 4.5)}
        assert low == {}
    assert all(bright[name] != dark[name] for name in bright)


def test_in_the_light_theme_its_ground_is_that_of_the_pages_widgets(light: Page) -> None:
    running(light)
    light.see(".musubi-panel.musubi-light")
    light.wait(f"({GROUNDS})().every((color, _, all) => color === all[0])")


def test_its_figures_agree_and_say_what_they_are(page: Page) -> None:
    running(page)
    assert page.see(".musubi-text").text_content() == "training · step 40/100"  # as the chart, which may be ahead
    numbers = page.see(".musubi-numbers").text_content()
    assert numbers == "epoch 1/4 · smoothed loss 0.5 · lr 1.00e-4 · GPU 12.3 of 24 GB · 97 %"


def test_the_newest_step_is_shown_whatever_tells_it(page: Page) -> None:
    """A chart with each step's own loss is one step behind the progress; the node's line is told more often."""
    progress = {"stage": "training", "step": 41, "steps": 100, "epoch": 1, "epochs": 4}
    run = made_run(page.comfy.folder / "output", "running", [{"step": 40, "loss": 0.5}], **progress)
    page.open_with_run(run, prompt="p")
    assert page.see(".musubi-text").text_content() == "training · step 41/100"
    page.page.evaluate(HEAR, [run.origin()["node"], "training\u00a057/100 · epoch\u00a02/4 ·\n1:15\u00a0left"])
    assert page.see(".musubi-text").text_content() == "training · step 57/100"
    assert str(page.see(".musubi-numbers").text_content()).startswith("epoch 2/4")
    page.page.evaluate(HEAR, [run.origin()["node"], "sampling 3/20"])
    assert page.see(".musubi-text").text_content() == "training · step 57/100"
    run.write_status("done")


def test_a_screen_reader_hears_what_is_there_and_how_far_it_is(page: Page) -> None:
    running(page)
    bar = page.page.get_by_role("progressbar", name="Progress of the training")
    assert [bar.get_attribute(f"aria-value{end}") for end in ("min", "now", "max")] == ["0", "40", "100"]
    assert page.page.get_by_role("region", name="Log").count() == 1
    assert page.page.locator(".musubi-panel [aria-live=polite]").text_content() == "training"


def test_a_log_stays_at_its_end_when_the_node_gets_narrower(page: Page) -> None:
    running(page)
    page.wait(AT_END)
    tall = page.page.evaluate(f"{LOG}.scrollHeight")
    page.page.evaluate(f"{LOG}.parentElement.style.width = '30px'")
    page.wait(f"{LOG}.scrollHeight > {tall}")
    page.wait(AT_END)
