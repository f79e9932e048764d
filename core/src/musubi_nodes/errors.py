"""The one kind of error that users see: what happened, why, what to do, and where the log is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from typing_extensions import Self

from musubi_nodes.i18n import Translate

LONGEST = 4_000
"""Characters of each part of a message."""
COMPARED = 200
"""Characters of a name that are compared with what there is."""
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal obeys, what turns the writing round, and halves of characters; line breaks and tabs are none."""


_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Whatever ends a line for somebody, and all other control characters."""


def printable(text: str, longest: int = LONGEST) -> str:
    """``text`` as it can be shown anywhere: control characters spelled out, and a long one without its middle."""
    if len(text) > longest:
        text = f"{text[: longest * 3 // 4]} ... {text[-(longest // 4 - 5) :]}"
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """``text`` on one line: line breaks and control characters become blanks. What a script is given, it may print."""
    return _BREAKS.sub(" ", text)


def is_one_line(text: str) -> bool:
    """Whether ``text`` has no line breaks and no control characters."""
    return not _BREAKS.search(text)


@dataclass(frozen=True)
class Problem:
    """One of several findings of a check: its stable ``code``, and ``text`` with the place that it is about."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


class InvalidValue(ValueError):
    """A value that cannot be. Raised in parsers and pydantic validators; who catches it adds the place."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class MusubiError(Exception):
    """A message for the user.

    ``code`` names the problem and never changes, whatever becomes of the words: ``what`` says what is wrong and where,
    ``why`` the cause, ``fix`` what to do next, ``log`` the file to read, ``problems`` the findings of a check.
    Whatever a workflow or a file brought into them, they are printable and of bounded length.
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
        """Puts ``why``, ``fix`` and the words before them into the user's language, where a host knows it."""
        super().__init__(str(self))

    def at(self, place: str) -> Self:
        """Return the same error with the place that it is about before it."""
        return self.replace(what=f"{place}: {self.what}")

    def replace(self, *, what: str | None = None, why: str | None = None, fix: str | None = None) -> Self:
        """Return the same error with other words."""
        what, why, fix = (
            old if new is None else new for new, old in ((what, self.what), (why, self.why), (fix, self.fix))
        )
        return type(self)(self.code, what, why=why, fix=fix, log=self.log, problems=self.problems)

    def __str__(self) -> str:
        parts = (("Why", self.translate(self.why)), ("Fix", self.translate(self.fix)), ("Log", str(self.log or "")))
        return "\n".join([self.what, *(f"{self.translate(word)}: {text}" for word, text in parts if text)])


class Unresolved(Exception):
    """What was asked for is known only when the workflow runs; never shown."""


class Crashed(MusubiError):
    """A script ended by itself with an error, for which the reason may be gone the next time."""


class EndedFromOutside(Crashed):
    """A person or the system's shutdown ended a script (SIGTERM, SIGINT, SIGHUP): nothing tries it again by itself."""


class OutOfGpuMemory(MusubiError):
    """The GPU's memory was full: the same run with a stronger memory plan may go through."""


class OutOfMainMemory(Crashed):
    """The main memory (RAM), or on Windows the paging file, was full: a plan that needs less of it may go through."""


class NotPossible(MusubiError):
    """A setting that suits other scripts than the one that it would be sent to."""


def problems(code: str, what: str, found: Sequence[Problem], *, fix: str = "", limit: int = 10) -> MusubiError:
    """One error for several findings of the same check; beyond ``limit`` they are only counted."""
    if len(found) == 1:
        return MusubiError(code, f"{what}: {found[0]}", fix=fix, problems=found)
    lines = [f"{what}: {len(found)} problems", *(f"  - {line}" for line in found[:limit])]
    if len(found) > limit:
        lines.append(f"  - and {len(found) - limit} more")
    return MusubiError(code, "\n".join(lines), fix=fix, problems=found)


def finding(error: Mapping[str, Any]) -> Problem:
    """What pydantic says of a value, without its own preface; the code of an :class:`InvalidValue`, or pydantic's."""
    raised = error.get("ctx", {}).get("error")
    code = raised.code if isinstance(raised, InvalidValue) else str(error["type"]).replace("_", "-")
    return Problem(code, str(error["msg"]).removeprefix("Value error, "))


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """``" (did you mean 'x'?)"`` for a near miss, else an empty string."""
    near = get_close_matches(name[:COMPARED], known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
