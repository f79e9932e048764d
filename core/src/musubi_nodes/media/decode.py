"""Frames out of a file, straight into one array: read by one thread, converted by another, never held twice."""

from __future__ import annotations

import queue
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.cut import Cut
from musubi_nodes.media.ffmpeg import LOOK_SECONDS, Ffmpeg, Watch, progressed, readable, unwatched
from musubi_nodes.media.probe import VideoFacts, probe

if TYPE_CHECKING:
    import numpy as np

_BLOCK_BYTES = 8 << 20
_BLOCKS = 3


def decode(path: Path, cut: Cut | None = None, watch: Watch = unwatched) -> np.ndarray[Any, Any]:
    """The chosen frames, float32 [frames, height, width, 3] in 0..1; each value is a whole number of 1/255.

    Raises :class:`MusubiError` where the file is no video, nothing is left to decode, or memory would not do.
    """
    import numpy as np

    cut, facts = cut or Cut(), probe(path)
    (width, height), most = cut.size(facts), cut.most(facts)
    _check_memory(path, most * width * height * 12)
    frames = np.empty((most, height, width, 3), np.float32)
    done = 0
    output = ["-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
    with Ffmpeg([*_command(path, cut, facts, most), *output], stdout=subprocess.PIPE, bufsize=0) as run:
        assert run.process.stdout
        for block in _Blocks(run.process.stdout, height, width):
            np.divide(block, np.float32(255), out=frames[done : done + len(block)])
            done += len(block)
            watch(done, most)
        _check_end(path, run, done, lambda: watch(done, most))
    return frames[:done]


def count(path: Path, cut: Cut, watch: Watch = unwatched) -> int:
    """How many frames :func:`decode` would return, without keeping any."""
    facts = probe(path)
    if not cut.picks():
        return facts.frames
    most, done = cut.most(facts), 0
    options = _command(path, replace(cut, width=0, height=0), facts, most)
    with Ffmpeg(["-progress", "pipe:1", *options, "-f", "null", "-"], stdout=subprocess.PIPE) as run:
        for done in progressed(run):
            watch(done, most)
        _check_end(path, run, done, lambda: watch(done, most))
    return done


def _command(path: Path, cut: Cut, facts: VideoFacts, most: int) -> list[str]:
    """Evenly timed frames at the output's own rate: no version of ffmpeg then doubles or drops any."""
    rate = cut.rate(facts)
    filters = [*cut.filters(facts), "settb=AVTB", f"setpts=N/({rate})/TB"]
    return [*cut.opening(), *readable(path), "-map", "0:V:0", "-vf", ",".join(filters), "-r", str(rate),
            "-frames:v", str(most)]  # fmt: skip


def _check_end(path: Path, run: Ffmpeg, done: int, look: Any) -> None:
    if run.wait(look) or not done:
        fix = "Convert or download it again." if run.said() else "Choose an earlier start, or try another file."
        raise MusubiError(f"{path} could not be decoded (after {done} frames)", why=run.said(), fix=fix)


def _check_memory(path: Path, needed: int) -> None:
    import psutil

    free = psutil.virtual_memory().available
    if needed > free:
        raise MusubiError(
            f"the frames of {path} need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free",
            fix="Set length, a smaller size or a lower fps; or use the video output, which needs no memory.",
        )


class _Blocks:
    """uint8 blocks [frames, height, width, 3] from a pipe; empty ones while nothing comes, so that one can look up."""

    def __init__(self, pipe: IO[bytes], height: int, width: int) -> None:
        import numpy as np

        self._pipe, self._frame = pipe, height * width * 3
        each = max(1, _BLOCK_BYTES // self._frame)
        self._nothing = np.empty((0, height, width, 3), np.uint8)
        self._free: queue.Queue[Any] = queue.Queue()
        self._full: queue.Queue[Any] = queue.Queue()
        for _ in range(_BLOCKS):
            self._free.put(np.empty((each, height, width, 3), np.uint8))

    def _read(self) -> None:
        whole = True
        while whole:
            block = self._free.get()
            memory, got = memoryview(block).cast("B"), 0
            try:
                while got < len(memory) and (more := self._pipe.readinto(memory[got:])):  # type: ignore[attr-defined]
                    got += more
            except (OSError, ValueError):
                got = 0  # the pipe was closed: the reader is being ended
            whole = got == len(memory)
            self._full.put((block, got // self._frame))
        self._full.put(None)

    def __iter__(self) -> Any:
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            try:
                item = self._full.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                yield self._nothing
                continue
            if item is None:
                return
            block, frames = item
            yield block[:frames]
            self._free.put(block)
