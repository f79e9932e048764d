"""The end of a log without replaced bar updates."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from itertools import pairwise
from pathlib import Path

from musubi_nodes.files import open_file
from musubi_nodes.runs.record.output import LineSplitter
from musubi_nodes.runs.record.progress import is_update

CHUNK = 1 << 20
MOST = 4 << 20  # bytes; tiny lines take a second per million


def log_text(path: Path) -> Generator[str, None, None]:
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
    return [one for one, later in pairwise(pieces) if one and not is_update(one, later)] + pieces[-1:]


def _text(pieces: Iterable[str]) -> str:
    return "".join(f"{piece}\n" for piece in pieces if piece)
