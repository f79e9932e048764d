"""One ffmpeg process."""

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
"""Gets frames done and expected; may raise to cancel."""

OLDEST = 7  # 5.1 and 4.2 cut sound wrongly and change ProRes's colours
UPGRADE = 'Run `python -m pip install --upgrade "imageio-ffmpeg>=0.6"` with the Python that runs this.'
_LISTING_SECONDS = 60
PIPE_BYTES = 1 << 20
# no playlists (HLS, concat, DASH)
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,ogg,mpegts,mpeg,mpegvideo,gif,webp_anim,webp_pipe"
ENVIRONMENT = {
    "SVT_LOG": "1",  # SVT-AV1 writes its settings to stderr otherwise
    "AV_LOG_FORCE_NOCOLOR": "1",  # its output is parsed
    "GCONV_PATH": "",  # static builds (imageio-ffmpeg's 4.2 and 7.0) crash in the system's iconv at MPEG-TS
}
_LINES = 30
_HEADER_LINES, _LINE = 400, 1000
_TAGGED = re.compile(r"((?:\[[^\]]*\] )*?)\[(panic|fatal|error|warning|info|verbose)\] (.*)")
_BAD = ("panic", "fatal", "error")
_HOLLOW = re.compile("Task finished|Terminating thread|Conversion failed|Nothing was written")


def unwatched(done: int, total: int) -> None: ...


def executable() -> str:
    return found()[0]


@cache
def found() -> tuple[str, str]:
    """Return path and version of imageio-ffmpeg's ffmpeg, if new enough."""
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
    """Return a warning about another pack's old imageio-ffmpeg, or ""."""
    try:
        version = metadata.version("imageio-ffmpeg")
    except metadata.PackageNotFoundError:
        return ""
    if "IMAGEIO_FFMPEG_EXE" in os.environ or not re.match(r"0\.[0-5](\.|$)", version):
        return ""
    return f"imageio-ffmpeg {version} is too old: videos can be neither read nor written. {UPGRADE}"


def major(version: str) -> int:
    """Parse "7.0.2-static" or "n7.1"; 0 for no release."""
    found = re.match(r"n?(\d+)\.", version)
    return int(found[1]) if found else 0


def readable(path: Path) -> list[str]:
    """Return options to open ``path`` without network or other files."""
    return ["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-i", f"file:{path.absolute()}"]


def evenly(rate: Fraction) -> list[str]:
    """Return filters that place each frame evenly.

    Hour-long ticks erase durations: ffmpeg repeats long frames.
    """
    return ["settb=3600", "settb=AVTB", f"setpts=N/({rate})/TB"]


def asked(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **ENVIRONMENT}
    return children.run([executable(), "-hide_banner", "-nostdin", *arguments], seconds=seconds, env=environment)


@cache
def encoders() -> frozenset[str]:
    try:
        listed = asked(["-encoders"], _LISTING_SECONDS).stdout.decode("ascii", "replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_started(error) from error
    return frozenset(re.findall(r"^ [VAS][.\w]{5} (\S+)", listed, re.MULTILINE))


class Ffmpeg:
    """Context manager of a process; kills it on leaving."""

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
        """Return the exit code; ``look`` is called meanwhile, may raise."""
        while True:
            look()
            try:
                code = self.process.wait(LOOK_SECONDS)
                self._listener.join()
                return code
            except subprocess.TimeoutExpired:
                continue

    def header(self) -> str:
        return "\n".join(self._first)

    def said(self) -> str:
        """Return its last errors without addresses."""
        lines = [re.sub(r"\[([^\]]+?) @ 0x[0-9a-f]+\] ?", r"\1: ", line) for line in self._last]
        told = dict.fromkeys(line for line in lines if line and not _HOLLOW.search(line))
        return " / ".join([*told][-4:])[-600:]


def _not_started(error: Exception) -> MusubiError:
    return MusubiError("ffmpeg-not-started", f"ffmpeg cannot be started: {error}", fix="Install imageio-ffmpeg again.")


def _widen(*pipes: IO[bytes] | None) -> None:
    """Enlarge pipes; Linux limits a user's to 64 MiB."""
    if sys.platform == "linux":
        import fcntl

        for pipe in filter(None, pipes):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


@contextlib.contextmanager
def ended_after(seconds: float, run: Ffmpeg) -> Iterator[None]:
    """Kill ``run`` after ``seconds``; then MusubiError."""
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
    for line in run.process.stdout or ():
        spend()
        if line.endswith(b"\n"):  # a killed ffmpeg leaves half a line
            yield line


def progressed(run: Ffmpeg) -> Iterator[int]:
    """Yield frames written (``-progress pipe:1``)."""
    for line in lines(run):
        if line.startswith(b"frame="):
            yield int(line[6:])
