"""Explains failed runs: message, cause and fix."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from musubi_nodes.errors import Crashed, EndedFromOutside, MusubiError, OutOfGpuMemory, OutOfMainMemory
from musubi_nodes.i18n import translate
from musubi_nodes.runs.full import EXCEPTION, GPU, RAM, Word, is_full
from musubi_nodes.runs.known_failures import ASKED, CRASHES, FULL, KNOWN, NO_MEMORY, OUTSIDE, WINDOWS
from musubi_nodes.runs.record.output import CONTINUED
from musubi_nodes.runs.tracebacks import ERROR, LAUNCHER, TRACEBACK, above_launcher, statements

_DIED = re.compile(r" died with <Signals\.(\w{1,20}): \d+>\.$")
_EXITED = re.compile(r" returned non-zero exit status (\d{1,10})\.$")


class LastLines:
    """Keeps the last pieces, and error lines for longer."""

    def __init__(self, recent: int = 300, errors: int = 20) -> None:
        self._recent: deque[str] = deque(maxlen=recent)
        self._errors: deque[str] = deque(maxlen=errors)

    def add(self, piece: str) -> None:
        oldest = self._recent[0] if len(self._recent) == self._recent.maxlen else ""
        if oldest.startswith(TRACEBACK) or ERROR.match(oldest):
            self._errors.append(oldest)
        self._recent.append(piece)

    def lines(self) -> list[str]:
        return [*self._errors, *self._recent]


@dataclass(frozen=True)
class Failure:
    script: str
    family: str
    returncode: int
    lines: Sequence[str]

    @cached_property
    def statements(self) -> list[str]:
        return statements(self.lines)

    @property
    def reason(self) -> str:
        """The script's last error line, not accelerate's."""
        found = (line for line in reversed(self.statements) if ERROR.match(line) and not line.startswith(LAUNCHER))
        return next(found, "")[:500]

    @property
    def signal(self) -> str:
        """The signal that ended the script, or ""."""
        if self.returncode < 0:
            return _name(-self.returncode)
        found = _DIED.search(self._launchers)
        return found[1] if found else ""

    @property
    def code(self) -> int:
        """The script's exit code; signed on Windows."""
        found = _EXITED.search(self._launchers)
        code = int(found[1]) if found else self.returncode
        return code - (1 << 32) if code > 0xFFFF and not is_crash(code) and code >= 1 << 31 else code

    @property
    def _launchers(self) -> str:
        found, inside = "", False
        for line in self.lines:
            inside = line.startswith(LAUNCHER[0]) or (inside and line.startswith(CONTINUED))
            found = line if inside else found
        return found

    @property
    def last_words(self) -> str:
        """The reason, else the last line above accelerate's traceback."""
        if self.signal in OUTSIDE:
            return ""
        if reason := self.reason:
            return reason
        lines = above_launcher(self.lines)
        return lines[-1][:500] if lines else ""

    def is_full(self, words: tuple[Word, ...]) -> bool:
        return any(is_full(words, line) for line in self.statements)


def begins(pattern: str, line: str) -> bool:
    """Whether ``pattern`` begins ``line``, or its exception's message."""
    return bool(re.match(rf"{EXCEPTION}*?(?:{pattern})", line))


@dataclass(frozen=True)
class Explanation:
    code: str
    why: str
    fix: str


Explainer = Callable[[Failure], "Explanation | None"]


def builtin(failure: Failure) -> Explanation | None:
    if failure.signal in OUTSIDE:
        return Explanation(*OUTSIDE[failure.signal])
    reason = failure.reason
    told = next((Explanation(row.code, row.why, row.fix) for row in KNOWN if begins(row.pattern, reason)), None)
    full = next((Explanation(code, why, fix) for words, code, why, fix in FULL if failure.is_full(words)), None)
    crash = CRASHES.get(failure.signal) or WINDOWS.get(failure.code)
    return full or told or (Explanation(*crash) if crash else None)


def explained(failure: Failure, explainers: Iterable[Explainer], log: Path) -> MusubiError:
    found = next((e for ask in (*explainers, builtin) if (e := ask(failure))), None)
    words = failure.last_words
    look = translate("The log holds the whole output; the cause is usually in its last lines.")
    what = f"{failure.script} {_ended(failure)}"
    return _kind(failure)(
        found.code if found else _unexplained(failure),
        f"{what}: {words}" if words else what,
        why=found.why if found else "",
        fix=found.fix if found else look,
        log=log,
    )


def _kind(failure: Failure) -> type[MusubiError]:
    if failure.signal in ASKED:
        return EndedFromOutside
    if failure.signal in OUTSIDE:
        return Crashed
    if failure.is_full(GPU):
        return OutOfGpuMemory
    return OutOfMainMemory if failure.is_full(RAM) or failure.code in NO_MEMORY else Crashed


def _unexplained(failure: Failure) -> str:
    if failure.signal:
        return "script-ended-by-signal"
    return "script-crashed" if is_crash(failure.code) else "script-failed"


def _ended(failure: Failure) -> str:
    if failure.signal:
        return f"was ended by {failure.signal}"
    code = failure.code
    return f"crashed with code 0x{code:08X}" if is_crash(code) else f"failed with code {code}"


def is_crash(code: int) -> bool:
    """Whether it is an NTSTATUS error or a C++ exception (Windows)."""
    return 0xC0000000 <= code < 0xD0000000 or 0xE0000000 <= code < 0xF0000000 or code == 0x80000003


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def explain_by(table: Iterable[tuple[str, str, str, str]], failure: Failure, family: str) -> Explanation | None:
    """Find the row ``(pattern, code, why, fix)`` that fits."""
    if failure.family != family:
        return None
    return next((Explanation(*row) for pattern, *row in table if begins(pattern, failure.reason)), None)
