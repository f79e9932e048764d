"""Which run a trainer's node shows, whatever was missed: the start, an answer, a move into a subgraph."""

from __future__ import annotations

import shutil
import time
from itertools import pairwise
from typing import Any

from tests.browser.page import EXAMPLE, TRAINER, Page
from tests.browser.runs import add_rows, made_run
from tests.browser.test_panel_on_the_canvas import ENTER, GROUP

from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RunFolder, run_named

TRUNCATED = '{"name": "'


def test_a_browser_opened_before_the_training_began_sees_it(page: Page) -> None:
    """While caches are made the queue is at work, and there is no run of the trainer yet: nothing else tells of it."""
    page.open_example(max_train_epochs=4000)
    page.queue()
    page.see(".musubi-panel[data-status=running]")
    run = run_named(page.comfy.folder / "output", page.panels()[0]["run"])
    origin = (run.path / "origin.json").rename(run.path / "later")
    other = page.second()
    try:
        for _ in range(2):  # it goes on looking
            other.page.wait_for_event("response", lambda answer: "/musubi/runs?newest=50" in answer.url)
        assert other.panels() == []
        origin.rename(run.path / "origin.json")
        other.see(".musubi-panel[data-status=running]")
        other.stop()
        page.see(".musubi-panel[data-status=cancelled]")
    finally:
        other.context.close()


def test_an_answer_that_was_cut_is_asked_for_again(page: Page) -> None:
    run = made_run(page.comfy.folder / "output", "running", rows=[{"step": 1, "loss": 1.0}])
    page.open_with_run(run)
    cut: list[str] = []

    def cut_once(route: Any) -> None:
        if cut:
            return route.continue_()
        cut.append(route.request.url)
        return route.fulfill(body=TRUNCATED, content_type="application/json")

    page.context.route("**/musubi/runs/*after=*", cut_once)
    with page.page.expect_response(lambda answer: "after=" in answer.url):
        pass
    add_rows(run, [{"step": 2, "loss": 1.0}])
    page.wait("document.querySelector('.musubi-chart canvas').ariaValueText?.startsWith('step 2')")
    assert cut
    page.context.unroute("**/musubi/runs/*after=*")
    run.write_status("done")


def test_what_gives_no_answer_is_asked_for_less_and_less_often(page: Page) -> None:
    """Until something happens in the queue."""
    run = made_run(page.comfy.folder / "output")
    asked: list[float] = []
    pattern = f"**/musubi/runs/{run.path.name}*"

    def refuse(route: Any) -> None:
        asked.append(time.monotonic())
        route.fulfill(status=500)

    page.context.route(pattern, refuse)
    with page.page.expect_request(pattern):
        page.open_with_run(run, seen=False)
    for _ in range(3):
        with page.page.expect_request(pattern):
            pass
    gaps = [later - earlier for earlier, later in pairwise(asked[-3:])]
    assert gaps[1] > 1.5 * gaps[0] > 1.5
    with page.page.expect_request(pattern, timeout=3000):
        page.page.evaluate("app.api.dispatchCustomEvent('status', { exec_info: { queue_remaining: 0 } })")
    page.context.unroute(pattern)
    page.see(".musubi-panel[data-status=done]")


def test_a_late_answer_puts_no_panel_on_a_node_that_is_gone(page: Page) -> None:
    page.open_example()
    run = made_run(page.comfy.folder / "output")
    held: list[Any] = []
    page.context.route(f"**/musubi/runs/{run.path.name}*", lambda route: held.append(route))
    with page.page.expect_request(f"**/musubi/runs/{run.path.name}*"):
        page.open_with_run(run, seen=False)
    page.open_example()
    with page.page.expect_response(f"**/musubi/runs/{run.path.name}*"):
        held[0].continue_()
    page.context.unroute(f"**/musubi/runs/{run.path.name}*")
    page.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.panels() == [] and page.page.locator(".musubi-panel").count() == 0


def test_a_run_whose_node_moved_into_a_subgraph_is_seen_there(page: Page) -> None:
    run = made_run(page.comfy.folder / "output", "running", stage="training", step=3, steps=9)
    page.open_with_run(run, prompt="p")
    page.page.evaluate(GROUP, [TRAINER])
    page.page.wait_for_function("() => app.graph.nodes.some((each) => each.subgraph)")
    page.page.evaluate(ENTER)
    page.see(".musubi-panel[data-status=running]")
    page.see("text=Stop now")
    run.write_status("done")


def test_a_run_is_found_behind_any_number_of_newer_ones(page: Page) -> None:
    """Each cache and each generator makes a run, and so do trainings of other workflows."""
    run, output = made_run(page.comfy.folder / "output"), page.comfy.folder / "output"
    others = [RunFolder.create(output, "WanLatentCache") for _ in range(60)] + [made_run(output) for _ in range(60)]
    for other in others[60:]:
        write_json(other.path / "origin.json", {"class": TRAINER, "node": "1", "workflow": "another"})
    page.open_with_run(run)
    assert page.panels()[0]["run"] == run.path.name
    for other in others:
        shutil.rmtree(other.path)


def test_a_copy_and_what_undoing_brings_back_leave_one_panel(page: Page) -> None:
    page.open_with_run(made_run(page.comfy.folder / "output"))
    page.show(TRAINER)
    page.select(TRAINER)
    page.page.evaluate("app.canvas.copyToClipboard(); app.canvas.pasteFromClipboard()")
    with page.page.expect_response("**/musubi/runs?newest=50*"):
        pass
    page.page.evaluate("new Promise(requestAnimationFrame)")
    assert page.kinds().count(TRAINER) == 2 and len(page.panels()) == 1
    page.page.evaluate("app.extensionManager.command.execute('Comfy.Undo')")
    page.see(".musubi-panel[data-status=done]")
    assert len(page.panels()) == 1


def test_an_example_is_another_workflow_each_time_it_is_opened(page: Page) -> None:
    """It has no id of its own: the run of one user is not shown, and not stopped, by the next who opens it."""
    file = {"name": EXAMPLE.name, "mimeType": "application/json", "buffer": EXAMPLE.read_bytes()}
    known = {page.page.evaluate("app.graph.id")}
    for count in (2, 3):
        page.page.locator("#comfy-file-input").set_input_files(file)
        page.wait("([known]) => app.graph.nodes.length > 5 && !known.includes(app.graph.id)", sorted(known))
        known.add(page.page.evaluate("app.graph.id"))
        assert len(known) == count
