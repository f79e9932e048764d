"""The one kind of error that users see: what happened, why, what to do, and where the log is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any


class MusubiError(Exception):
    """A message for the user.

    ``what`` says what is wrong and where, ``why`` the cause, ``fix`` what to do next, ``log`` the file to read.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", log: Path | None = None) -> None:
        self.what, self.why, self.fix, self.log = what, why, fix, log
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"Why: {self.why}")
        if self.fix:
            lines.append(f"Fix: {self.fix}")
        if self.log:
            lines.append(f"Log: {self.log}")
        return "\n".join(lines)


class Crashed(MusubiError):
    """A script ended by itself with an error, for which the reason may be gone the next time."""


class OutOfGpuMemory(MusubiError):
    """The GPU's memory was full: the same run with a stronger memory plan may go through."""


def problems(what: str, found: Sequence[str], *, fix: str = "", limit: int = 10) -> MusubiError:
    """One error for several findings of the same check; beyond ``limit`` they are only counted."""
    if len(found) == 1:
        return MusubiError(f"{what}: {found[0]}", fix=fix)
    lines = [f"{what}: {len(found)} problems", *(f"  - {line}" for line in found[:limit])]
    if len(found) > limit:
        lines.append(f"  - and {len(found) - limit} more")
    return MusubiError("\n".join(lines), fix=fix)


def finding(error: Mapping[str, Any]) -> str:
    """What pydantic says of a value, without its own preface."""
    return str(error["msg"]).removeprefix("Value error, ")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """``" (did you mean 'x'?)"`` for a near miss, else an empty string."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
