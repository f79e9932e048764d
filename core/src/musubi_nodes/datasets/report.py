"""What a check found, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from musubi_nodes.errors import Problem, problems


@dataclass(frozen=True)
class Report:
    """``errors`` stop a run or spoil it silently, ``warnings`` are worth a look, ``datasets`` say what is there."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    datasets: tuple[str, ...] = ()

    def summary(self) -> str:
        """One line for each dataset, then what is wrong, then what is odd."""
        return "\n".join([*self.datasets, *self.problems()])

    def problems(self) -> list[str]:
        """What is wrong, then what is odd, a line each."""
        return [*(f"error: {each}" for each in self.errors), *(f"warning: {each}" for each in self.warnings)]

    def raise_errors(self) -> None:
        """One :class:`musubi_nodes.errors.MusubiError` for all errors; nothing if there are none."""
        raise_errors(self.errors)

    def with_errors(self, more: Iterable[Problem]) -> Report:
        """The same with more errors."""
        return replace(self, errors=(*self.errors, *more))


def raise_errors(errors: Sequence[Problem]) -> None:
    """One :class:`musubi_nodes.errors.MusubiError` for all ``errors`` of a dataset; nothing if there are none."""
    if errors:
        fix = "Correct the files or the TOML, then queue again."
        raise problems("dataset-not-ready", "the dataset is not ready", errors, fix=fix)


@dataclass
class Findings:
    """A report that is being written."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(
        self, to: list[Problem], code: str, where: str, found: Sequence[object], noun: str, text: str, fix: str = ""
    ) -> None:
        """If something was found, one line such as ``datasets[0]: 2 captions not UTF-8: a.txt, b.txt; <fix>``."""
        if found:
            many = "" if len(found) == 1 else "s"
            line = f"{where}: {len(found)} {noun}{many} {text}: {named(found)}{fix and f'; {fix}'}"
            to.append(Problem(code, line))


def named(things: Iterable[object], limit: int = 5) -> str:
    """``a.png, b.png and 3 more``: file names without their folder."""
    texts = [thing.name if isinstance(thing, Path) else str(thing) for thing in things]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
