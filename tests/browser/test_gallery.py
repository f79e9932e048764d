"""The samples of a training: a strip in the node, and each of them large."""

from __future__ import annotations

from tests.browser.page import TRAINER, Page
from tests.browser.runs import add_samples, made_run

LARGE = "dialog.musubi-large"


def samples_of(page: Page, count: int, video: int | None = None) -> None:
    """A run with this many samples, in its trainer's node."""
    run = made_run(page.comfy.folder / "output")
    add_samples(run, count, video)
    page.open_with_run(run)
    page.show(TRAINER)
    page.select(TRAINER)


def test_arrow_keys_turn_escape_closes_and_the_node_stays(page: Page) -> None:
    samples_of(page, 3, video=2)
    page.page.locator(".musubi-samples button").nth(0).click()
    dialog, keys = page.see(LARGE), page.page.keyboard
    assert "1 of 3" in dialog.text_content() and dialog.get_attribute("aria-label") == "step 1, prompt 1"
    assert dialog.locator("img").get_attribute("alt") == "step 1, prompt 1"
    keys.press("ArrowRight")
    assert "2 of 3" in dialog.text_content() and dialog.locator("video").count() == 1
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    keys.press("Delete")
    keys.press("Backspace")
    assert "3 of 3" in dialog.text_content()
    keys.press("ArrowLeft")
    assert "2 of 3" in dialog.text_content()
    keys.press("Escape")
    dialog.wait_for(state="detached")
    assert TRAINER in page.kinds()


def test_a_video_plays_by_itself_unless_motion_is_unwanted(page: Page) -> None:
    page.page.emulate_media(reduced_motion="reduce")
    samples_of(page, 1, video=1)
    card = page.see(".musubi-samples button")
    assert card.locator("video").get_attribute("preload") == "metadata"
    for motion, played in (("reduce", False), ("no-preference", True)):
        page.page.emulate_media(reduced_motion=motion)
        card.click()
        video = page.see(f"{LARGE} video")
        assert (video.evaluate("video => [video.autoplay, video.loop]")) == [played, played]
        page.page.keyboard.press("Escape")


def test_samples_that_the_strip_leaves_out_are_told(page: Page) -> None:
    samples_of(page, 62)
    assert page.page.locator(".musubi-samples button").count() == 60
    assert "2 older samples are in the run folder" in page.see(".musubi-samples").text_content()
