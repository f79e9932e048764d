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
from fractions import Fraction
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from musubi_nodes import children
from musubi_nodes.budget import LOOK_SECONDS, spend
from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate

Watch = Callable[[int, int], None]
"""Told (frames done, frames expected) several times a second; raises where the user cancelled."""

OLDEST = 7
"""ffmpeg 5.1 and 4.2 cut sound at a wrong place and write ProRes in other colours (tests/media shows it)."""
UPGRADE = 'Run `python -m pip install --upgrade "imageio-ffmpeg>=0.6"` with the Python that runs this.'
_LISTING_SECONDS = 60
PIPE_BYTES = 1 << 20
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,ogg,mpegts,mpeg,mpegvideo,gif,webp_anim,webp_pipe"
"""Files that hold their own pictures; lists of other files (HLS, concat, DASH) are not among them."""
ENVIRONMENT = {
    "SVT_LOG": "1",  # SVT-AV1 writes its settings to stderr otherwise
    "AV_LOG_FORCE_NOCOLOR": "1",  # what ffmpeg writes is parsed
    "GCONV_PATH": "",  # static builds (4.2 and 7.0 of imageio-ffmpeg) crash in the system's iconv modules at MPEG-TS
}
_LINES = 30
_HEADER_LINES, _LINE = 400, 1000
_TAGGED = re.compile(r"((?:\[[^\]]*\] )*?)\[(panic|fatal|error|warning|info|verbose)\] (.*)")
_BAD = ("panic", "fatal", "error")
_HOLLOW = re.compile("Task finished|Terminating thread|Conversion failed|Nothing was written")


def unwatched(done: int, total: int) -> None:
    """Nobody looks."""


def executable() -> str:
    """The ffmpeg that imageio-ffmpeg finds: its own, or the one that IMAGEIO_FFMPEG_EXE names."""
    return found()[0]


@cache
def found() -> tuple[str, str]:
    """Its path and version; a :class:`MusubiError` if there is none, or one older than :data:`OLDEST`."""
    import imageio_ffmpeg

    try:
        path, version = str(imageio_ffmpeg.get_ffmpeg_exe()), str(imageio_ffmpeg.get_ffmpeg_version())
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise _not_started(error) from error
    if 0 < major(version) < OLDEST:
        raise MusubiError(
            "ffmpeg-too-old",
            f"ffmpeg {version} is too old: videos need ffmpeg {OLDEST} or newer",
            why=translate("imageio-ffmpeg {version} found {path}.", version=imageio_ffmpeg.__version__, path=path),
            fix=UPGRADE,
        )
    return path, version


def too_old() -> str:
    """What to say at the start about an imageio-ffmpeg that another pack keeps too old; empty if it will do."""
    try:
        version = metadata.version("imageio-ffmpeg")
    except metadata.PackageNotFoundError:
        return ""
    if "IMAGEIO_FFMPEG_EXE" in os.environ or not re.match(r"0\.[0-5](\.|$)", version):
        return ""
    return f"imageio-ffmpeg {version} is too old: videos can be neither read nor written. {UPGRADE}"


def major(version: str) -> int:
    """7 of "7.0.2-static" and of "n7.1"; 0 if it is no release, such as "N-112-gabc" and "git-2024"."""
    found = re.match(r"n?(\d+)\.", version)
    return int(found[1]) if found else 0


def readable(path: Path) -> list[str]:
    """The options that open ``path``; a playlist that calls itself a video reaches neither network nor files."""
    return ["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-i", f"file:{path.absolute()}"]


def evenly(rate: Fraction) -> list[str]:
    """The filters that give each frame its own place at ``rate``. Ticks of an hour leave nothing of how long it lasted:
    ffmpeg repeats a frame that lasts longer than one place."""
    return ["settb=3600", "settb=AVTB", f"setpts=N/({rate})/TB"]


def asked(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    """A short call with all its output; OSError, ValueError or TimeoutExpired where there is none."""
    environment = {**os.environ, **ENVIRONMENT}
    return children.run([executable(), "-hide_banner", "-nostdin", *arguments], seconds=seconds, env=environment)


@cache
def encoders() -> frozenset[str]:
    """The encoders of this ffmpeg; builds differ, also those of one version of imageio-ffmpeg."""
    try:
        listed = asked(["-encoders"], _LISTING_SECONDS).stdout.decode("ascii", "replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_started(error) from error
    return frozenset(re.findall(r"^ [VAS][.\w]{5} (\S+)", listed, re.MULTILINE))


class Ffmpeg:
    """``with Ffmpeg([...]) as run``: ``run.process`` has the pipes that were asked for; leaving kills what is left."""

    def __init__(
        self, arguments: Sequence[str], *, folder: Path | None = None, level: str = "error", **pipes: Any
    ) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_LINES)
        try:
            self.process = children.start(
                [executable(), "-hide_banner", "-nostdin", "-nostats", "-v", f"level+{level}", "-y", *arguments],
                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **pipes},
                stderr=subprocess.PIPE,
                cwd=folder,
                env={**os.environ, **ENVIRONMENT},
            )
        except OSError as error:
            raise _not_started(error) from error
        _widen(self.process.stdin, self.process.stdout)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self.process.stderr or ():
            text = line.decode("utf-8", "replace").strip()
            tagged = _TAGGED.match(text)
            who, level, said = tagged.groups() if tagged else ("", "error", text)
            if len(self._first) < _HEADER_LINES:
                self._first.append(said.strip()[:_LINE])
            if level in _BAD:
                self._last.append((who + said.strip())[:300])

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

    def wait(self, look: Callable[[], None] = spend) -> int:
        """The exit code; ``look`` is called until it is known, and may raise to give up."""
        while True:
            look()
            try:
                code = self.process.wait(LOOK_SECONDS)
                self._listener.join()
                return code
            except subprocess.TimeoutExpired:
                continue

    def header(self) -> str:
        """The first lines it wrote; with ``level`` "info" they describe the inputs."""
        return "\n".join(self._first)

    def said(self) -> str:
        """The last lines of its errors, without addresses."""
        lines = [re.sub(r"\[([^\]]+?) @ 0x[0-9a-f]+\] ?", r"\1: ", line) for line in self._last]
        told = dict.fromkeys(line for line in lines if line and not _HOLLOW.search(line))
        return " / ".join([*told][-4:])[-600:]


def _not_started(error: Exception) -> MusubiError:
    return MusubiError("ffmpeg-not-started", f"ffmpeg cannot be started: {error}", fix="Install imageio-ffmpeg again.")


def _widen(*pipes: IO[bytes] | None) -> None:
    """Give each pipe :data:`PIPE_BYTES`, where the system can: Linux refuses once a user's pipes hold 64 MiB together,
    and a narrow one only costs time."""
    if sys.platform == "linux":
        import fcntl

        for pipe in filter(None, pipes):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


@contextlib.contextmanager
def ended_after(seconds: float, run: Ffmpeg) -> Iterator[None]:
    """Kill ``run`` after so long; a :class:`MusubiError` then."""
    timer = threading.Timer(seconds, run.process.kill)
    timer.start()
    try:
        yield
        if timer.finished.is_set():
            raise MusubiError(
                "ffmpeg-timeout", f"ffmpeg was ended after {seconds:g} seconds", fix="Use a shorter video."
            )
    finally:
        timer.cancel()


def lines(run: Ffmpeg) -> Iterator[bytes]:
    """What it writes, line by line; who waits for it may give up at each."""
    for line in run.process.stdout or ():
        spend()
        if line.endswith(b"\n"):  # the last one is cut off where ffmpeg was ended
            yield line


def progressed(run: Ffmpeg) -> Iterator[int]:
    """The frames that are written, as ``-progress pipe:1`` tells them about five times a second."""
    for line in lines(run):
        if line.startswith(b"frame="):
            yield int(line[6:])
