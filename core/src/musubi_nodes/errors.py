"""The errors that users see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from typing_extensions import Self

from musubi_nodes.i18n import Translate

LONGEST = 4_000  # characters of each part of a message
COMPARED = 200  # characters of a name that are compared with known ones
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Also bidirectional marks and surrogates; no line breaks or tabs."""


_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def printable(text: str, longest: int = LONGEST) -> str:
    """Escape controls and shorten the middle of ``text``."""
    if len(text) > longest:
        text = f"{text[: longest * 3 // 4]} ... {text[-(longest // 4 - 5) :]}"
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    return _BREAKS.sub(" ", text)


def is_one_line(text: str) -> bool:
    return not _BREAKS.search(text)


@dataclass(frozen=True)
class Problem:
    """One finding of a check, with its place."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


class InvalidValue(ValueError):
    """Raised in parsers and pydantic validators; the caller adds the place."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class MusubiError(Exception):
    """A message for the user: what is wrong, why, and how to fix it.

    ``code`` never changes; ``log`` is a file to read.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        log: Path | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.code = code
        self.what, self.why, self.fix = (printable(text) for text in (what, why, fix))
        self.log = log
        self.problems = tuple(problems)
        self.translate: Translate = str
        super().__init__(str(self))

    def at(self, place: str) -> Self:
        return self.replace(what=f"{place}: {self.what}")

    def replace(self, *, what: str | None = None, why: str | None = None, fix: str | None = None) -> Self:
        what, why, fix = (
            old if new is None else new for new, old in ((what, self.what), (why, self.why), (fix, self.fix))
        )
        return type(self)(self.code, what, why=why, fix=fix, log=self.log, problems=self.problems)

    def __str__(self) -> str:
        parts = (("Why", self.translate(self.why)), ("Fix", self.translate(self.fix)), ("Log", str(self.log or "")))
        return "\n".join([self.what, *(f"{self.translate(word)}: {text}" for word, text in parts if text)])


class Unresolved(Exception):
    """A value that is unknown until the workflow runs; never shown."""


class Crashed(MusubiError):
    """A script ended with an error that may not recur."""


class EndedFromOutside(Crashed):
    """Ended by SIGTERM, SIGINT or SIGHUP: never retried."""


class OutOfGpuMemory(MusubiError):
    """Full GPU memory: a stronger memory plan may help."""


class OutOfMainMemory(Crashed):
    """Full RAM, or paging file on Windows."""


class NotPossible(MusubiError):
    """A setting that the script does not support."""


def problems(code: str, what: str, found: Sequence[Problem], *, fix: str = "", limit: int = 10) -> MusubiError:
    """Return one error for all findings, beyond ``limit`` only counted."""
    if len(found) == 1:
        return MusubiError(code, f"{what}: {found[0]}", fix=fix, problems=found)
    lines = [f"{what}: {len(found)} problems", *(f"  - {line}" for line in found[:limit])]
    if len(found) > limit:
        lines.append(f"  - and {len(found) - limit} more")
    return MusubiError(code, "\n".join(lines), fix=fix, problems=found)


def finding(error: Mapping[str, Any]) -> Problem:
    raised = error.get("ctx", {}).get("error")
    code = raised.code if isinstance(raised, InvalidValue) else str(error["type"]).replace("_", "-")
    return Problem(code, str(error["msg"]).removeprefix("Value error, "))


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` or ""."""
    near = get_close_matches(name[:COMPARED], known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
