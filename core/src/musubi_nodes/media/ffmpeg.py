"""One ffmpeg process: started, listened to, and ended in every case."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from musubi_nodes import children
from musubi_nodes.errors import MusubiError

Watch = Callable[[int, int], None]
"""Told (frames done, frames expected) several times a second; raises where the user cancelled."""

LOOK_SECONDS = 0.2
PIPE_BYTES = 1 << 20
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,ogg,mpegts,mpeg,mpegvideo,gif,webp_anim,webp_pipe"
"""Files that hold their own pictures; lists of other files (HLS, concat, DASH) are not among them."""
_LINES = 30
_HOLLOW = re.compile("Task finished|Terminating thread|Conversion failed|Nothing was written")


def unwatched(done: int, total: int) -> None:
    """Nobody looks."""


@cache
def executable() -> str:
    """The ffmpeg that imageio-ffmpeg brings."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def readable(path: Path) -> list[str]:
    """The options that open ``path``; a playlist that calls itself a video reaches neither network nor files."""
    return ["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-i", f"file:{path.absolute()}"]


def asked(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    """A short call with all its output; OSError, ValueError or TimeoutExpired where there is none."""
    return children.run([executable(), "-hide_banner", "-nostdin", *arguments], seconds=seconds)


class Ffmpeg:
    """``with Ffmpeg([...]) as run``: ``run.process`` has the pipes that were asked for; leaving kills what is left."""

    def __init__(self, arguments: Sequence[str], *, folder: Path | None = None, **pipes: Any) -> None:
        self._last: deque[str] = deque(maxlen=_LINES)
        try:
            self.process = children.start(
                [executable(), "-hide_banner", "-nostdin", "-nostats", "-v", "error", "-y", *arguments],
                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **pipes},
                stderr=subprocess.PIPE,
                cwd=folder,
                env={**os.environ, "SVT_LOG": "1"},  # SVT-AV1 writes its settings to stderr otherwise
            )
        except OSError as error:
            raise MusubiError(f"ffmpeg cannot be started: {error}", fix="Install imageio-ffmpeg again.") from error
        _widen(self.process.stdin, self.process.stdout)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self.process.stderr or ():
            self._last.append(line.decode("utf-8", "replace").strip()[:300])

    def __enter__(self) -> Ffmpeg:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        self._listener.join()
        if self.process.stderr:
            self.process.stderr.close()

    def wait(self, look: Callable[[], None]) -> int:
        """The exit code; ``look`` is called meanwhile and may raise."""
        while True:
            try:
                code = self.process.wait(LOOK_SECONDS)
                self._listener.join()
                return code
            except subprocess.TimeoutExpired:
                look()

    def said(self) -> str:
        """The last lines of its errors, without addresses."""
        lines = [re.sub(r"\[([^\]]+?) @ 0x[0-9a-f]+\] ?", r"\1: ", line) for line in self._last]
        told = dict.fromkeys(line for line in lines if line and not _HOLLOW.search(line))
        return " / ".join([*told][-4:])[-600:]


def _widen(*pipes: IO[bytes] | None) -> None:
    """Give each pipe :data:`PIPE_BYTES`, where the system can: Linux refuses once a user's pipes hold 64 MiB together,
    and a narrow one only costs time."""
    if sys.platform == "linux":
        import fcntl

        for pipe in filter(None, pipes):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def progressed(run: Ffmpeg) -> Iterator[int]:
    """The frames that are written, as ``-progress pipe:1`` tells them about five times a second."""
    for line in run.process.stdout or ():
        if line.startswith(b"frame="):
            yield int(line[6:])
