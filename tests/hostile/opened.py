"""Which files this process opens, lists, or hands to another program: asked of Python itself."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WATCHED: list[tuple[str, list[str]]] = []
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _WATCHED or event not in ("open", "os.listdir", "os.scandir", "subprocess.Popen"):
        return
    words = arguments[1] if event == "subprocess.Popen" else arguments[:1]
    if isinstance(words, str):  # on Windows a command is one text
        words = ["".join(found) for found in re.findall(r'"([^"]*)"|(\S+)', words)]
    for word in words or ():
        if isinstance(word, str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(word).removeprefix("file:"))
            for root, found in _WATCHED:
                if path.startswith(root):
                    found.append(f"{event} {path}")


@contextmanager
def opened(root: Path) -> Iterator[list[str]]:
    """What is opened below ``root`` meanwhile, links followed."""
    global _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    entry: tuple[str, list[str]] = (os.path.realpath(root), [])
    _WATCHED.append(entry)
    try:
        yield entry[1]
    finally:
        _WATCHED.remove(entry)


_STARTS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "os.system")
_started: list[list[str]] = []


def _starts(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _STARTS:
        for found in _started:
            found.append(f"{event} {arguments!r:.200}")


@contextmanager
def started() -> Iterator[list[str]]:
    """The programs that this process starts meanwhile."""
    global _listening
    if not _listening:
        sys.addaudithook(_starts)
        _listening = True
    found: list[str] = []
    _started.append(found)
    try:
        yield found
    finally:
        _started.remove(found)


_listening = False
