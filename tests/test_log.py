"""A log that cannot be written ends nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from musubi_nodes.log import log


class Broken(logging.Handler):
    """As another pack may have added it: it lets its errors out."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(28, "No space left on device")


@pytest.fixture
def broken() -> Iterator[None]:
    handler = Broken()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


def test_a_handler_that_raises_is_passed_over(broken: None) -> None:
    log.warning("musubi-nodes: %s", "a word")
    log.error("musubi-nodes: %s", "two words")


def test_a_stream_that_was_closed_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    stream = open(f"{tmp_path}/log.txt", "w")  # noqa: SIM115
    handler = logging.StreamHandler(stream)
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    logging.getLogger().addHandler(handler)
    try:
        log.warning("musubi-nodes: a word")
    finally:
        logging.getLogger().removeHandler(handler)


def test_it_says_whose_line_it_is(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("a word")
    assert (caplog.records[-1].name, caplog.records[-1].getMessage()) == ("musubi_nodes", "a word")


def test_no_module_asks_for_a_logger_of_its_own() -> None:
    """Another would let a broken handler end a run."""
    from tests.test_layers import CORE, FILES

    own = [file for file in FILES if "getLogger" in file.read_text("utf-8")]
    assert own == [CORE / "log.py"]
