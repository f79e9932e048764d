"""What the page makes of a node's line: HTML, or Markdown in Nodes 2.0."""

from __future__ import annotations

import pytest

from musubi_nodes.hosts.comfyui.markup import JOINER, plain

INVISIBLE = str.maketrans({JOINER: None, "\u00a0": " "})


@pytest.mark.parametrize(
    "text",
    [
        "musubi/my_lora-2.safetensors · loss 1.54",
        "datasets[0] C:\\Users\\me\\cats: 4 images, 4 with caption",
        "2 of 3 items; 100 % of [1, 2]",
    ],
)
def test_a_usual_line_is_left_alone(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://example.com/x.png)",
        "[x]: http://example.com",
        "# name",
        "1. name",
        "- name",
        "|a|b|",
        "a\n===",
        "C:\\[x]",
        "&copy;",
        "__init__.txt",
    ],
)
def test_markdown_is_ended_by_a_letter_that_is_not_seen(text: str) -> None:
    shown = plain(text)
    assert JOINER in shown
    assert shown.translate(INVISIBLE).replace("  \n", "\n") == text


def test_a_tag_and_code_become_letters_that_look_like_them() -> None:
    assert not set("<>`*~") & set(plain("<img src=x> `a` *b* ~~c~~"))


def test_each_line_stays_a_line() -> None:
    assert plain("one\ntwo\n  three") == "one  \ntwo  \n\u00a0\u00a0three"
