"""What can be done with a run: each button on a run that goes on."""

from __future__ import annotations

import json

import pytest
from tests.browser.page import TRAINER, Page
from tests.browser.runs import made_run

from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.rerun_script import Again, pasted_command, write_command

NARROW = """([kind, width]) => {
  const node = app.graph.nodes.find((each) => each.type === kind);
  node.setSize([width, node.size[1]]);
}"""
CUT = """() => [...document.querySelectorAll(".musubi-buttons button")]
  .filter((button) => button.scrollWidth > button.clientWidth + 1).map((button) => button.textContent)"""


@pytest.fixture
def run(page: Page) -> RunFolder:
    """A training that goes on, seen in its node."""
    return running(page)


def running(page: Page, **origin: str) -> RunFolder:
    run = made_run(page.comfy.folder / "output", "running", stage="training", step=3, steps=9)
    write_command(run, Again(["python", "train.py", "--name=a b"], "/tuner", {}))
    page.open_with_run(run, **{"prompt": "gone", **origin})
    page.show(TRAINER)
    return run


def test_stop_after_save_asks_once_and_says_so(page: Page, run: RunFolder) -> None:
    page.see("text=Stop after save").click()
    assert page.see("text=Stops after save").is_disabled()
    assert run.stop_request.exists()


def test_copy_command_puts_it_into_the_clipboard(page: Page, run: RunFolder) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.see("text=Copy command").click()
    page.see("text=The command is in the clipboard. >> nth=-1")  # newer pages say it twice
    assert page.page.evaluate("navigator.clipboard.readText()") == pasted_command(run)
    page.context.clear_permissions()


def test_open_log_shows_its_letters_and_of_a_bar_the_last_state(page: Page, run: RunFolder) -> None:
    bar = "".join(f"\rsteps: {step}%|█| {step}/100 [00:0{step % 10}<00:10, 1.00it/s]" for step in range(1, 101))
    run.log.write_bytes(f"Grüße, 猫 <b>\n{bar}\nsaved\n".encode())
    with page.context.expect_page() as opened:
        page.see("text=Open log").click()
    log = opened.value
    log.wait_for_load_state()
    lines = log.locator("pre").text_content().splitlines()
    assert lines[0] == "Grüße, 猫 <b>" and lines[-1] == "saved"
    assert len(lines) == 3 and "100/100" in lines[1]
    log.close()


def test_stop_now_ends_its_own_prompt_only(page: Page, run: RunFolder) -> None:
    with page.page.expect_request("**/interrupt") as sent:
        page.see("text=Stop now").click()
        page.see("text=Really stop?").click()
    assert json.loads(sent.value.post_data) == {"prompt_id": "gone"}


def test_stop_now_that_fails_can_be_asked_again(page: Page, run: RunFolder) -> None:
    page.context.route("**/interrupt", lambda route: route.abort())
    page.see("text=Stop now").click()
    page.see("text=Really stop?").click()
    page.see("text=Stop now")
    page.context.unroute("**/interrupt")


def test_a_run_of_no_prompt_is_not_stopped_by_cancelling_another(page: Page) -> None:
    running(page, prompt="")
    page.see("text=Stop after save")
    assert not page.page.locator("text=Stop now").is_visible()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_button_is_cut_in_the_narrowest_trainer_of_the_examples(page: Page, language: str) -> None:
    """Also with the longest words that the buttons take."""
    page.start({"Comfy.Locale": language})
    run = running(page)
    page.page.evaluate(NARROW, [TRAINER, 360])
    page.wait("document.querySelector('.musubi-panel').clientWidth < 350")
    page.see(".musubi-buttons button >> nth=1").click()
    run.stop_request.touch()
    page.see(".musubi-buttons button:disabled")
    cut = page.page.evaluate(CUT)
    run.write_status("done")
    page.start({"Comfy.Locale": "en"})
    assert cut == []


def test_a_run_of_another_hand_is_seen_but_not_stopped_at_once(page: Page) -> None:
    """What was queued without a page has no workflow, so that it is shown on anybody's node of the same number."""
    run = running(page, workflow="")
    page.see("text=Stop after save")
    shown = page.page.locator("text=Stop now").is_visible()
    run.write_status("done")  # or later tests see it on their nodes too
    assert not shown


def test_keys_that_delete_a_node_do_nothing_in_its_panel_and_copying_works(page: Page, run: RunFolder) -> None:
    run.log.write_text("a line to copy\n")
    log = page.see(".musubi-log:has-text('a line to copy')")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.select(TRAINER)
    log.focus()
    for key in ("Delete", "Backspace"):
        page.page.keyboard.press(key)
    assert TRAINER in page.kinds()
    log.evaluate("log => getSelection().selectAllChildren(log)")
    page.page.keyboard.press("Control+c")
    page.wait("navigator.clipboard.readText().then((text) => text === 'a line to copy')")
    page.context.clear_permissions()
    write_json(run.path / "status.json", {"status": "done"})
