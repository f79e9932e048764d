"""Output streams that never block or fail."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO, cast

PATIENCE = 2.0
POLL = 0.2
PIECE = 4_096
CLOSED_PIPE = {errno.EPIPE, *({errno.EINVAL} if os.name == "nt" else ())}
"""Error numbers of a pipe without a reader; EINVAL on Windows."""


class Output(io.TextIOBase):
    """Replacement for ``sys.stdout`` or ``sys.stderr``.

    A thread writes; after the first error, ``lost``, nothing more is written.
    """

    def __init__(self, real: TextIO | None) -> None:
        self.lost: OSError | ValueError | None = None
        self._real = real
        self._terminal = self.isatty()
        self._pending: list[str] = []
        self._writing, self._ended, self._last = False, False, time.monotonic()
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None

    def write(self, text: str) -> int:
        if self._real is None or self.lost:
            return len(text)
        with self._changed:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="output", daemon=True)
                self._writer.start()
            self._pending.append(text)
            self._changed.notify_all()
        return len(text)

    @property
    def behind(self) -> bool:
        return self.lost is None and bool(self._pending or self._writing)

    @property
    def reader_gone(self) -> bool:
        """Whether the pipe or terminal was closed."""
        number = getattr(self.lost, "errno", None)
        return number in CLOSED_PIPE or (self._terminal and number == errno.EIO)

    def finish(self, patience: float | None = PATIENCE) -> None:
        """Wait until all is written, at most ``patience`` seconds per write."""
        self._last = time.monotonic()
        with self._changed:
            while self.behind and (patience is None or time.monotonic() - self._last < patience):
                self._changed.wait(POLL)

    def end(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # cancelling the wait changes no result
            self.finish()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _write_all(self) -> None:
        while self.lost is None:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._ended)
                if not self._pending:
                    return
                text, self._pending, self._writing = "".join(self._pending), [], True
            try:
                self._write(text)
            except (OSError, ValueError) as error:
                self.lost = error
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write(self, text: str) -> None:
        """Bypass Python's buffers: their content would fail again at exit."""
        buffer = getattr(self._real, "buffer", None)
        raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED there is no buffer between
        possible = text.encode(self.encoding, self.errors)
        if not isinstance(raw, io.RawIOBase):
            cast(TextIO, self._real).write(possible.decode(self.encoding))
            return
        data = memoryview(possible.replace(b"\n", os.linesep.encode()))
        while data:
            written = raw.write(data[:PIECE])
            if written is None:  # the pipe is non-blocking
                time.sleep(POLL)
                continue
            data, self._last = data[written:], time.monotonic()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._real, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def isatty(self) -> bool:
        with contextlib.suppress(ValueError):  # closed
            return self._real is not None and self._real.isatty()
        return False

    def fileno(self) -> int:
        if self._real is None:
            raise io.UnsupportedOperation("it is closed")
        return self._real.fileno()

    def writable(self) -> bool:
        return True


def complain(text: str) -> None:
    print(text, file=sys.stderr)
    if isinstance(sys.stderr, Output):
        sys.stderr.finish()
        if sys.stderr.lost:
            print(text)


@contextlib.contextmanager
def replaced_streams() -> Iterator[tuple[Output, Output]]:
    """Replace both streams; if one is closed, the other gets its text."""
    _fill_descriptors()
    before = sys.stdout, sys.stderr
    out, err = before[0] or before[1], before[1] or before[0]
    sys.stdout, sys.stderr = streams = Output(out), Output(err)
    try:
        yield streams
    finally:
        for stream in streams:
            stream.end()
        sys.stdout, sys.stderr = before


def _fill_descriptors() -> None:
    """Reserve closed descriptors, so that no file gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
