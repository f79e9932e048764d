"""Tables of user mistakes with the expected answers.

TRAPS = {
    "8 TOML missing": Refused(lambda place: place.load(Path("gone.toml")), "file-missing", "gone.toml"),
    "7 NaN loss": Explained(train_until_nan, "lora-not-finite"),
}

@pytest.mark.parametrize("key", TRAPS)
def test_every_trap_has_its_answer(place, key):
    TRAPS[key].check(place)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.explain import Failure, explained
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

Provoke = Callable[[Any], Any]
"""Makes the mistake; ``place.forget()`` ends its preparation."""


class Trap(Protocol):
    """A mistake; ``answer`` is ``refused``, ``explained`` or ``overridden``."""

    answer: ClassVar[str]

    def check(self, place: Workplace) -> None:
        """Make the mistake and assert the answer."""


class _Failing:
    def __init__(self, provoke: Provoke, code: str, *values: object) -> None:
        self.provoke, self.code, self.values = provoke, code, values

    def error(self, place: Workplace) -> MusubiError:
        with fails(self.code, *self.values) as caught:
            self.provoke(place)
        assert isinstance(caught.value, MusubiError)
        return caught.value


class Refused(_Failing):
    """An error before any process starts."""

    answer: ClassVar[str] = "refused"

    def check(self, place: Workplace) -> None:
        error = self.error(place)
        assert error.fix, f"no word about what to do: {error}"
        assert not place.started_since(), f"a process was started before: {error}"
        assert not place.published()


class Explained(_Failing):
    """An error of a process, with cause, fix and log."""

    answer: ClassVar[str] = "explained"

    def check(self, place: Workplace) -> None:
        error = self.error(place)
        assert error.why and error.fix, f"not explained: {error}"
        assert error.log and error.log.is_file() and place.started_since()
        assert not place.published()


@dataclass(frozen=True)
class Said:
    """Last ``lines`` of a real ``script`` (v0.3.4) that needs a GPU."""

    script: str
    family: str
    lines: tuple[str, ...]
    code: str
    answer: ClassVar[str] = "explained"

    def check(self, place: Workplace) -> None:
        failure = Failure(self.script, self.family, 1, self.lines)
        found = explained(failure, place.services.explainers(self.family), Path("log.txt"))
        assert found.code == self.code, found
        assert found.why and found.fix and found.log


@dataclass(frozen=True)
class Overridden:
    """A mistake prevented by the command's options.

    The command has all of ``sent`` and nothing beginning with ``never``; ``look`` checks the run folder.
    """

    provoke: Provoke
    sent: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    look: Callable[[Path], bool] | None = None
    answer: ClassVar[str] = "overridden"

    def check(self, place: Workplace) -> None:
        assert self.sent or self.never or self.look
        self.provoke(place)
        folder = place.started()[-1]
        text = "\n".join(place.command())
        missing = [pattern for pattern in self.sent if not re.search(rf"^{pattern}$", text, re.MULTILINE)]
        assert not missing, f"{missing} are not in {text}"
        assert not [word for word in text.splitlines() if self.never and word.startswith(self.never)]
        assert self.look is None or self.look(folder)
