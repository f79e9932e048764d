"""A file that another program holds open: really on Windows, elsewhere as Windows would refuse it."""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import io
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from musubi_nodes import sharing

CHANGES = ("replace", "rename", "unlink", "remove")
"""What is refused also if the other program lets everybody read."""
OPENS = ("open",)
"""A hard link can be made of every file."""


class HeldFiles:
    """``hold`` opens a file until :mod:`musubi_nodes.sharing` has paused so many times. Its clock only runs then."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.pauses = 0
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._held: dict[tuple[int, int], bool] = {}
        clock = SimpleNamespace(monotonic=lambda: self.pauses * sharing.PAUSE, sleep=lambda _: self._pause())
        patch.setattr(sharing, "time", clock)
        if os.name != "nt":
            self._imitate(patch)

    def hold(self, path: Path, pauses: float = math.inf, *, readable: bool = False) -> None:
        """``readable``: as a player does, who only minds that the file goes away."""
        free = self._really(path, readable) if os.name == "nt" else self._noted(path, readable)
        self._ends.append((pauses, free))

    def release(self) -> None:
        """Close all that is still open."""
        while self._ends:
            self._ends.pop()[1]()

    def _pause(self) -> None:
        self.pauses += 1
        for end in [end for end in self._ends if end[0] <= self.pauses]:
            self._ends.remove(end)
            end[1]()

    def _really(self, path: Path, readable: bool) -> Callable[[], None]:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
        kernel.CreateFileW.restype = ctypes.c_void_p
        kernel.CloseHandle.argtypes = [ctypes.c_void_p]
        handle = kernel.CreateFileW(str(path), 0x80000000, 3 if readable else 0, None, 3, 0, None)
        assert handle not in (None, ctypes.c_void_p(-1).value), ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        return lambda: kernel.CloseHandle(handle)

    def _noted(self, path: Path, readable: bool) -> Callable[[], None]:
        facts = path.stat()
        name = (facts.st_dev, facts.st_ino)
        self._held[name] = readable
        return lambda: self._held.pop(name)  # type: ignore[func-returns-value]

    def _imitate(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(sharing, "REFUSES", True)
        for name in (*CHANGES, *OPENS):
            patch.setattr(os, name, self._refusing(getattr(os, name), name in CHANGES))
        for module in (builtins, io):
            patch.setattr(module, "open", self._refusing(io.open, False))

    def _refusing(self, call: Callable[..., Any], changes: bool) -> Callable[..., Any]:
        def refusing(*paths: Any, **options: Any) -> Any:
            for path in paths[:2]:
                readable = self._held.get(_identity(path, options.get("dir_fd")))
                if readable is not None and (changes or not readable):
                    raise PermissionError(13, "used by another process", str(path))
            return call(*paths, **options)

        return refusing


def _identity(path: Any, folder: int | None) -> tuple[int, int]:
    with contextlib.suppress(OSError, TypeError, ValueError):
        facts = os.stat(path, dir_fd=folder, follow_symlinks=False)
        return facts.st_dev, facts.st_ino
    return -1, -1


@contextlib.contextmanager
def held_files() -> Iterator[HeldFiles]:
    """Everything is free again afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        held = HeldFiles(patch)
        try:
            yield held
        finally:
            held.release()
