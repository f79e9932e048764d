"""What nodes say on the canvas: once each, line by line, and still there when the run is over."""

from __future__ import annotations

from tests.browser.page import TRAINER, Page

from musubi_nodes.hosts.comfyui.markup import JOINER, plain

CACHE = "MusubiTuner_WanLatentCache"
LINE = """([kind]) => {
  const node = app.graph.nodes.find((each) => each.type === kind);
  const line = node.widgets.find((each) => each.name === "$$node-text-preview");
  return Boolean(line && !line.hidden);
}"""
ROOM = """([kind]) => {
  const node = app.graph.nodes.find((each) => each.type === kind);
  const at = node.widgets.findIndex((each) => each.name === "$$node-text-preview");
  const [line, next] = node.widgets.slice(at, at + 2);
  return LiteGraph.vueNodesMode || at < 0 || !next ? 0 : next.y - line.y;
}"""
END = """([kind]) => {
  const node = app.graph.nodes.find((each) => each.type === kind);
  const end = node.widgets.find((each) => each.name === "musubi_text");
  return end && !end.hidden ? end.element.innerText : null;
}"""
SPEAK = """([kind, text]) => {
  const { id } = app.graph.nodes.find((each) => each.type === kind);
  app.api.dispatchCustomEvent("progress_text", { nodeId: String(id), text });
}"""
EXECUTED = """([kind, text]) => app.graph.nodes.find((each) => each.type === kind).onExecuted({ text })"""
SEEN = '[aria-label="$$node-text-preview"]:visible, .break-all:visible > span:first-child'
HOSTILE = "[a](http://example.com/) ![x](http://example.com/x.png)\n# 1. _b_ <img src=x>\n  & &copy; C:\\[c] `d` **e**"


def test_a_trainer_says_how_far_it_is_in_its_panel_only(page: Page) -> None:
    page.open_example(max_train_epochs=400)
    page.queue()
    page.see(".musubi-panel[data-status=running]")
    page.wait(f"([kind]) => !({LINE})([kind])", TRAINER)
    page.wait(f"([kind]) => ({ROOM})([kind]) <= 0", TRAINER)
    page.show(TRAINER)
    page.stop()


def test_what_nodes_say_at_their_end_stays(page: Page) -> None:
    page.open_example(max_train_epochs=1)
    page.set({"MusubiTuner_DatasetConfigLoader": {"path": "./balls/demo.toml"}})  # what ComfyUI has cached says nothing
    page.queue()
    page.see(".musubi-panel[data-status=done]")
    page.wait("document.querySelector('.musubi-log').textContent.includes('saved as musubi/')")
    assert page.page.evaluate(END, [TRAINER]) is None
    for kind in (TRAINER, CACHE):
        assert not page.page.evaluate(LINE, [kind])
    assert page.page.evaluate(END, [CACHE])


def test_after_a_reload_during_the_run_its_end_is_said_once(page: Page) -> None:
    page.open_example(max_train_epochs=600)
    page.queue()
    page.see(".musubi-panel[data-status=running]")
    page.reload()
    page.see(".musubi-panel[data-status=running]")
    page.see(".musubi-panel[data-status=done]")
    page.wait("document.querySelector('.musubi-log').textContent.includes('saved as musubi/')")
    assert page.page.evaluate(END, [TRAINER]) is None
    assert not page.page.evaluate(LINE, [TRAINER])


def test_two_messages_are_two_lines_and_give_way_to_the_next_run(page: Page) -> None:
    page.open_example()
    page.page.evaluate(EXECUTED, [CACHE, ["first", "<b>second</b>"]])
    page.show(CACHE)
    page.see(".musubi-end")
    assert page.page.evaluate(END, [CACHE]) == "first\n<b>second</b>"
    page.page.evaluate(SPEAK, [CACHE, "3 of 4"])
    page.see(SEEN)
    page.page.locator(".musubi-end").wait_for(state="hidden")
    page.page.evaluate(EXECUTED, [CACHE, ["again"]])
    page.page.locator(SEEN).wait_for(state="hidden")
    assert page.see(".musubi-end").inner_text() == "again"


def test_the_pages_own_line_shows_no_markup(page: Page) -> None:
    page.open_example()
    page.page.evaluate(SPEAK, [CACHE, plain(HOSTILE)])
    page.show(CACHE)
    seen = page.see(SEEN)
    letters = str.maketrans({JOINER: None, "\u00a0": " "})
    assert [line.rstrip() for line in seen.inner_text().strip().translate(letters).splitlines() if line.strip()] == [
        line.rstrip() for line in plain(HOSTILE).translate(letters).splitlines()
    ]
    assert seen.locator("img, code, strong, em, h1, li").count() == 0
