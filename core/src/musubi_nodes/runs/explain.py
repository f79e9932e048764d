"""From the last lines of a failed run to one message: the script's own last words, a cause and a fix."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import Crashed, EndedFromOutside, MusubiError, OutOfGpuMemory
from musubi_nodes.runs.known_failures import ASKED, CRASHES, GPU_MEMORY, KNOWN, OUTSIDE

_ERROR_LINE = re.compile(
    r"(?:[A-Za-z_][\w.]*\.)?\w*(?:Error|Exception|Invalid|Interrupt|Exit|OutOfMemory\w*|StopIteration)(?:$|[: ])"
    r"|[\w.-]+\.py: error: |(?:[A-Za-z_]\w*\.)+[A-Z]\w*: |Fatal Python error|cannot start "
)
_LAUNCHER = ("subprocess.CalledProcessError", "torch.distributed.elastic")
_TRACEBACK = "Traceback (most recent call last)"
_DIED = re.compile(r"died with <Signals\.(\w+): \d+>")


class LastLines:
    """The last output pieces; error lines are kept longer, because some messages are a thousand lines long."""

    def __init__(self, recent: int = 300, errors: int = 20) -> None:
        self._recent: deque[str] = deque(maxlen=recent)
        self._errors: deque[str] = deque(maxlen=errors)

    def add(self, piece: str) -> None:
        """Remember ``piece``, and forget an old one."""
        if len(self._recent) == self._recent.maxlen and _ERROR_LINE.match(self._recent[0]):
            self._errors.append(self._recent[0])
        self._recent.append(piece)

    def lines(self) -> list[str]:
        """What is remembered, in order."""
        return [*self._errors, *self._recent]


@dataclass(frozen=True)
class Failure:
    """A run that failed: which script, of which family ("" for none), its exit code and its last output pieces."""

    script: str
    family: str
    returncode: int
    lines: Sequence[str]

    @property
    def reason(self) -> str:
        """The script's own last error line; accelerate's ``CalledProcessError`` below it does not count."""
        for line in reversed(self.lines):
            if _ERROR_LINE.match(line) and not line.startswith(_LAUNCHER):
                return line[:500]
        return ""

    @property
    def signal(self) -> str:
        """The signal that ended the script itself or, under accelerate, the trainer (``SIGKILL``); "" for none."""
        if self.returncode < 0:
            return _name(-self.returncode)
        found = (_DIED.search(line) for line in reversed(self.lines) if line.startswith(_LAUNCHER))
        return next((match[1] for match in found if match), "")

    @property
    def last_words(self) -> str:
        """The reason, else the last line that is not part of accelerate's own traceback; a killed script has none."""
        if self.signal in OUTSIDE:
            return ""
        if reason := self.reason:
            return reason
        lines = list(self.lines)
        if lines and lines[-1].startswith(_LAUNCHER):
            starts = [number for number, line in enumerate(lines) if line.startswith(_TRACEBACK)]
            lines = lines[: starts[-1]] if starts else lines[:-1]
        return lines[-1][:500] if lines else ""

    def contains(self, pattern: str) -> bool:
        """Whether any of the last pieces matches the regular expression."""
        return any(re.search(pattern, line) for line in self.lines)


@dataclass(frozen=True)
class Explanation:
    """Why it failed and what to do, in plain words."""

    why: str
    fix: str


Explainer = Callable[[Failure], "Explanation | None"]


def builtin(failure: Failure) -> Explanation | None:
    """The explanations that hold for every family (texts seen from v0.3.4; facts, section 8)."""
    if failure.signal in OUTSIDE:
        return Explanation(*OUTSIDE[failure.signal])
    reason = failure.reason
    found = next((row for row in KNOWN if re.search(row.pattern, reason)), None)
    found = found or next((row for row in KNOWN if row.anywhere and failure.contains(row.pattern)), None)
    if found:
        return Explanation(found.why, found.fix)
    return Explanation(*CRASHES[failure.signal]) if failure.signal in CRASHES else None


def explained(failure: Failure, explainers: Iterable[Explainer], log: Path) -> MusubiError:
    """One error for the user; the first explainer that knows the failure wins, the built-in ones come last."""
    found = next((e for ask in (*explainers, builtin) if (e := ask(failure))), None)
    words = failure.last_words
    what = f"{failure.script} {_ended(failure)}"
    return _kind(failure)(
        f"{what}: {words}" if words else what,
        why=found.why if found else "",
        fix=found.fix if found else "The log holds the whole output; its last lines say most.",
        log=log,
    )


def _kind(failure: Failure) -> type[MusubiError]:
    if failure.signal in ASKED:
        return EndedFromOutside
    return OutOfGpuMemory if failure.contains(GPU_MEMORY) else Crashed


def _ended(failure: Failure) -> str:
    if failure.signal:
        return f"was ended by {failure.signal}"
    code = failure.returncode
    return f"crashed with code 0x{code:08X}" if code > 0xFFFF else f"failed with code {code}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def explain_by(table: Iterable[tuple[str, str, str]], failure: Failure, family: str) -> Explanation | None:
    """The first row ``(pattern, why, fix)`` whose pattern is in the last error line of a script of ``family``.

    The same line may mean something else in the script of another family.
    """
    if failure.family != family:
        return None
    return next((Explanation(why, fix) for pattern, why, fix in table if re.search(pattern, failure.reason)), None)
