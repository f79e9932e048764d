from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musubi_nodes.runs.record.output import CONTINUED, LONGEST, LineSplitter


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    return [piece for chunk in chunks for piece in splitter.feed(chunk)] + list(splitter.finish())


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (b"one\ntwo\r\nthree", ["one", "two", "three"]),
        (b"\rsteps:   0%|  | 0/12\rsteps:   8%|8 | 1/12\n", ["steps:   0%|  | 0/12", "steps:   8%|8 | 1/12"]),
        (b"\n\n\r\r  \n", []),
        (b"    indented line of a traceback  \n", ["    indented line of a traceback"]),
        (
            b"\rsteps: 100%|##| 12/12 [00:01<00:00, avr_loss=1.27]INFO:musubi_tuner.hv_train_network:model saved.\n",
            ["steps: 100%|##| 12/12 [00:01<00:00, avr_loss=1.27]", "INFO:musubi_tuner.hv_train_network:model saved."],
        ),
        (
            b"\r3it [00:00,  8.37it/s]Traceback (most recent call last):\n",
            ["3it [00:00,  8.37it/s]", "Traceback (most recent call last):"],
        ),
        (b"\n\rSampling timesteps:  50%|5| 1/2\x1b[A", ["Sampling timesteps:  50%|5| 1/2"]),
        (b"\x1b[1;31mred\x1b[0m and \x1b]0;title\x07plain\x1b(B\n", ["red and plain"]),
        (b"bell\x07 nul\x00 back\x08 tab\tend\n", ["bell nul back tab\tend"]),
        ("学習開始\n".encode(), ["学習開始"]),
        (b"\xff\xfe broken \xe5\n", ["\ufffd\ufffd broken \ufffd"]),
    ],
)
def test_pieces_end_at_breaks_and_before_glued_log_lines(data: bytes, pieces: list[str]) -> None:
    assert split(data) == pieces


def test_a_character_that_two_chunks_share_stays_whole() -> None:
    text = "running training / 学習開始"
    assert split(*(bytes([byte]) for byte in text.encode())) == [text]


def test_a_very_long_line_is_cut_into_pieces_and_nothing_is_lost() -> None:
    line = b"x" * (3 * LONGEST + 5)
    pieces = split(line, b"\n", b"next")
    assert [len(piece.removeprefix(CONTINUED)) for piece in pieces] == [LONGEST, LONGEST, LONGEST, 5, 4]
    assert [piece.startswith(CONTINUED) for piece in pieces] == [False, True, True, True, False]


def test_an_endless_line_does_not_fill_the_memory() -> None:
    splitter, chunk = LineSplitter(), b"x" * 32_768
    tracemalloc.start()
    for _ in range(600):
        for _piece in splitter.feed(chunk):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


_alphabet = st.sampled_from(
    [b"a", b" ", b"\r", b"\n", b"\x1b[A", b"\xe5\xad\xa6", b"\xff", b"]INFO:a.b:c", b"Traceback", b"y" * LONGEST]
)


@given(st.lists(_alphabet, max_size=30).map(b"".join) | st.binary(max_size=200), st.data())
def test_how_the_output_is_chunked_makes_no_difference(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert split(*chunks) == split(data)
