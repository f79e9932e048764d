"""How the panel fits into ComfyUI's canvas: nodes, subgraphs, wheel."""

from __future__ import annotations

from tests.browser.page import TRAINER, Page
from tests.browser.runs import add_samples, made_run

DONE = ".musubi-panel[data-status=done]"
GROUP = """([kind]) => {
  const wanted = app.graph.nodes.filter((node) => node.type === kind);
  app.graph.convertToSubgraph(new Set(wanted));
}"""
ENTER = """() => {
  const node = app.graph.nodes.find((each) => each.subgraph);
  app.canvas.openSubgraph(node.subgraph, node);
}"""
LEAVE = "() => app.canvas.setGraph(app.rootGraph ?? app.graph)"
HEIGHT = "([kind]) => app.graph.nodes.find((each) => each.type === kind).size[1]"
NONE = """async () => {
  const { panels } = await import("/extensions/musubi-nodes/js/monitor/panels.js");
  return panels.size === 0;
}"""
OTHER = """async first => {
  const { panels } = await import("/extensions/musubi-nodes/js/monitor/panels.js");
  return [...panels.values()].some(({ run }) => run.name !== first);
}"""
SCROLLED = """() => {
  const log = document.querySelector(".musubi-log");
  return log.scrollTop + log.clientHeight < log.scrollHeight - 1;
}"""
SCALE = "app.canvas.ds.scale"


def test_a_second_run_takes_the_place_of_the_first(page: Page) -> None:
    page.open_example(max_train_epochs=1)
    page.queue()
    page.see(DONE)
    first = page.panels()[0]["run"]
    page.set({"MusubiTuner_TrainingConfig": {"seed": next(page.seeds)}})
    page.queue()
    page.page.wait_for_function(OTHER, arg=first)
    page.see(DONE)
    assert page.page.locator(".musubi-panel").count() == 1


def test_a_run_inside_a_subgraph_is_seen_there(page: Page) -> None:
    page.open_example(max_train_epochs=1)
    page.page.evaluate(GROUP, [TRAINER])
    page.queue()
    page.page.wait_for_function("() => app.graph.nodes.some((each) => each.subgraph)")
    page.page.evaluate(ENTER)
    page.see(DONE)
    assert ":" in page.get("/musubi/runs?newest=1")["runs"][0]["node"]
    page.page.evaluate(LEAVE)
    page.page.locator(".musubi-panel").wait_for(state="hidden")
    page.page.evaluate(ENTER)
    page.see(DONE)
    page.open_example()
    assert page.panels() == []


def test_a_deleted_subgraph_takes_its_panel_with_it(page: Page) -> None:
    run = made_run(page.comfy.folder / "output", "running", stage="training", step=3, steps=9)
    page.open_with_run(run)
    page.page.evaluate(GROUP, [TRAINER])
    page.page.wait_for_function("() => app.graph.nodes.some((each) => each.subgraph)")
    page.page.evaluate(ENTER)
    page.see(".musubi-panel[data-status=running]")
    page.page.evaluate(LEAVE)
    page.page.evaluate("app.graph.remove(app.graph.nodes.find((each) => each.subgraph))")
    page.page.wait_for_function(NONE)
    run.write_status("done")


def test_samples_get_their_place_when_they_are_planned_after_the_run_was_seen(page: Page) -> None:
    run = made_run(page.comfy.folder / "output", "running", stage="loading")
    page.open_with_run(run)
    page.show(TRAINER)
    before = page.page.evaluate(HEIGHT, [TRAINER])
    add_samples(run, 2)
    page.see(".musubi-samples")
    page.wait(f"([kind, before]) => ({HEIGHT})([kind]) > before", TRAINER, before)
    assert page.page.locator(".musubi-samples button").count() == 2
    run.write_status("done")


def test_the_wheel_zooms_the_canvas_unless_the_log_scrolls(page: Page) -> None:
    page.open_example(max_train_epochs=1)
    page.queue()
    page.see(DONE)
    page.show(TRAINER)
    before = page.page.evaluate(SCALE)
    page.page.locator(".musubi-chart canvas").hover()
    page.page.mouse.wheel(0, 100)
    page.page.wait_for_function(f"before => {SCALE} < before", arg=before)
    before = page.page.evaluate(SCALE)
    log = page.see(".musubi-log")
    log.click()
    page.page.mouse.wheel(0, -20)
    page.page.wait_for_function(SCROLLED)
    assert page.page.evaluate(SCALE) == before
