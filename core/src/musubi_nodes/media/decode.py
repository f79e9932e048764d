"""Decodes into one array: one thread reads, others convert."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.budget import LOOK_SECONDS
from musubi_nodes.errors import MusubiError
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.ffmpeg import Ffmpeg, Watch, evenly, progressed, readable, unwatched
from musubi_nodes.media.probe import VideoFacts, probe

if TYPE_CHECKING:
    import numpy as np

_BLOCK_BYTES = 1 << 20
_BLOCKS = 8
_CONVERTERS = 2


def decode(path: Path, cut: ClipSpec | None = None, watch: Watch = unwatched) -> np.ndarray[Any, Any]:
    """Return float32 [frames, height, width, 3], 0..1 in steps of 1/255.

    MusubiError for no video, nothing to decode, or too little memory.
    """
    import numpy as np

    cut, facts = cut or ClipSpec(), probe(path)
    (width, height), most = cut.size(facts), cut.most(facts)
    check_memory(path, most * width * height * 12)
    frames, done = np.empty((most, height, width, 3), np.float32), 0
    output = ["-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
    with (
        ThreadPoolExecutor(_CONVERTERS) as pool,
        Ffmpeg([*_command(path, cut, facts, most), *output], stdout=subprocess.PIPE, bufsize=0) as run,
        _Blocks(run.process.stdout, height, width) as blocks,
    ):
        work = []
        for block, found in blocks:
            if found:
                work.append(pool.submit(_convert, block, frames[done : done + found], blocks.free))
                done += found
            watch(done, most)
        _check_end(path, run, done, lambda: watch(done, most))
        for each in work:
            each.result()
    return frames[:done]


def _convert(block: Any, target: Any, free: queue.Queue[Any]) -> None:
    import numpy as np

    try:
        np.divide(block[: len(target)], np.float32(255), out=target)
    finally:
        free.put(block)


def count(path: Path, cut: ClipSpec, watch: Watch = unwatched) -> int:
    facts = probe(path)
    if not cut.picks() and not facts.uneven:
        return facts.frames
    most, done = cut.most(facts), 0
    options = _command(path, replace(cut, width=0, height=0), facts, most)
    with Ffmpeg(["-progress", "pipe:1", *options, "-f", "null", "-"], stdout=subprocess.PIPE) as run:
        for done in progressed(run):
            watch(done, most)
        _check_end(path, run, done, lambda: watch(done, most))
    return done


def _command(path: Path, cut: ClipSpec, facts: VideoFacts, most: int) -> list[str]:
    """Output frames evenly, so that no ffmpeg repeats or drops any."""
    rate = cut.rate(facts)
    filters = [*cut.filters(facts), *evenly(rate)]
    return [*cut.opening(facts), *readable(path), "-map", "0:V:0", "-vf", ",".join(filters), "-r", str(rate),
            "-frames:v", str(most)]  # fmt: skip


def _check_end(path: Path, run: Ffmpeg, done: int, look: Any) -> None:
    if run.wait(look) or not done:
        fix = "Convert or download it again." if run.said() else "Choose an earlier start, or try another file."
        raise MusubiError(
            "video-unreadable", f"{path} could not be decoded (after {done} frames)", why=run.said(), fix=fix
        )


def check_memory(path: Path, needed: int) -> None:
    """Raise if that many bytes are not free."""
    import psutil

    free = psutil.virtual_memory().available
    if needed > free:
        raise MusubiError(
            "memory-too-small",
            f"the frames of {path} need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free",
            fix="Set length, a smaller size or a lower fps; or use the video output, which needs no memory.",
        )


class _Blocks:
    """Yields uint8 blocks [frames, height, width, 3] and their frames.

    Without input it yields (None, 0); used blocks go to ``free``.
    """

    def __init__(self, pipe: Any, height: int, width: int) -> None:
        import numpy as np

        self._pipe, self._frame = pipe, height * width * 3
        self.free: queue.Queue[Any] = queue.Queue()
        self._full: queue.Queue[tuple[Any, int] | None] = queue.Queue()
        for _ in range(_BLOCKS):
            self.free.put(np.empty((max(1, _BLOCK_BYTES // self._frame), height, width, 3), np.uint8))

    def __enter__(self) -> _Blocks:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.free.put(None)  # ends a waiting reader

    def _read(self) -> None:
        whole = True
        while whole and (block := self.free.get()) is not None:
            memory, got = memoryview(block).cast("B"), 0
            try:
                while got < len(memory) and (more := self._pipe.readinto(memory[got:])):
                    got += more
            except (OSError, ValueError):
                got = 0  # the pipe was closed to end the reader
            whole = got == len(memory)
            self._full.put((block, got // self._frame))
        self._full.put(None)

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        while True:
            try:
                item = self._full.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                yield None, 0
                continue
            if item is None:
                return
            yield item
