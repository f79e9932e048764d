"""The end of a run's log for reading: of a bar's updates the last one only. The log itself holds every byte."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from itertools import pairwise
from pathlib import Path

from musubi_nodes.files import open_file
from musubi_nodes.runs.record.output import LineSplitter
from musubi_nodes.runs.record.progress import is_update

CHUNK = 1 << 20
MOST = 4 << 20
"""Bytes of a log, its last ones, that are sent; a log of tiny lines takes a second for each million."""


def log_text(path: Path) -> Generator[str, None, None]:
    """The lines of the log's end, some thousand at once at most."""
    splitter, held = LineSplitter(), ""
    with open_file(path) as file:
        if skipped := max(os.fstat(file.fileno()).st_size - MOST, 0):
            file.seek(skipped)
            yield f"[the first {skipped} bytes are left out: {path}]\n"
        while chunk := file.read(CHUNK):
            *done, held = _told([held, *splitter.feed(chunk)])
            yield _text(done)
    yield _text(_told([held, *splitter.finish()]))


def _told(pieces: list[str]) -> list[str]:
    """Without what the next one replaces; the last one stays."""
    return [one for one, later in pairwise(pieces) if one and not is_update(one, later)] + pieces[-1:]


def _text(pieces: Iterable[str]) -> str:
    return "".join(f"{piece}\n" for piece in pieces if piece)
