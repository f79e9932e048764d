"""A page in Japanese: menus, categories and the panel's words are other ones, what the panel does is the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.browser.page import Page


@pytest.fixture
def japanese(page: Page) -> Iterator[Page]:
    page.start({"Comfy.Locale": "ja"})
    yield page
    page.start({"Comfy.Locale": "en"})


def test_the_panel_is_there_and_speaks_japanese(japanese: Page) -> None:
    japanese.open_example(max_train_epochs=1)
    japanese.queue()
    head = japanese.see(".musubi-panel[data-status=done] .musubi-text")
    assert head.text_content().startswith("完了 · 4 ステップ")
    assert japanese.see(".musubi-buttons button:visible >> nth=0").text_content() == "コマンドをコピー"
