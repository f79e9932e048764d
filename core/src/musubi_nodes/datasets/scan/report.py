"""Findings of a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from musubi_nodes.errors import Problem, problems


@dataclass(frozen=True)
class Report:
    """``errors`` stop or spoil a run; ``datasets`` describe contents."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    datasets: tuple[str, ...] = ()

    def summary(self) -> str:
        return "\n".join([*self.datasets, *self.problems()])

    def problems(self) -> list[str]:
        return [*(f"error: {each}" for each in self.errors), *(f"warning: {each}" for each in self.warnings)]

    def raise_errors(self) -> None:
        raise_errors(self.errors)

    def with_errors(self, more: Iterable[Problem]) -> Report:
        return replace(self, errors=(*self.errors, *more))


def raise_errors(errors: Sequence[Problem]) -> None:
    """Raise one MusubiError for all, if any."""
    if errors:
        fix = "Correct the files or the TOML, then queue again."
        raise problems("dataset-not-ready", "the dataset is not ready", errors, fix=fix)


@dataclass
class Findings:
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(
        self, to: list[Problem], code: str, where: str, found: Sequence[object], noun: str, text: str, fix: str = ""
    ) -> None:
        """Add ``datasets[0]: 2 captions not UTF-8: a.txt; <fix>``."""
        if found:
            many = "" if len(found) == 1 else "s"
            line = f"{where}: {len(found)} {noun}{many} {text}: {named(found)}{fix and f'; {fix}'}"
            to.append(Problem(code, line))


def named(things: Iterable[object], limit: int = 5) -> str:
    """Format as ``a.png, b.png and 3 more``."""
    texts = [thing.name if isinstance(thing, Path) else str(thing) for thing in things]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
