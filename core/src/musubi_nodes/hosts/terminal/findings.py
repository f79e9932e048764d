"""The doctor's findings and their report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from musubi_nodes.errors import MusubiError, Problem
from musubi_nodes.hosts.columns import table

Mark = Literal["ok", "warning", "fault"]
SIGNS: dict[Mark, str] = {"fault": "!!", "warning": " !"}
INDENT = "   "


@dataclass(frozen=True)
class Finding:
    """A fact about ``subject``; faults and warnings have code and fix."""

    subject: str
    text: str
    mark: Mark = "ok"
    code: str = ""
    fix: str = ""


def of_error(subject: str, error: MusubiError) -> Finding:
    return Finding(subject, "\n".join(filter(None, (error.what, error.why))), "fault", error.code, error.fix)


def of_problem(subject: str, problem: Problem, fix: str) -> Finding:
    return Finding(subject, problem.text, "fault", problem.code, fix)


def report(found: Sequence[Finding]) -> Iterator[str]:
    counts = {mark: sum(each.mark == mark for each in found) for mark in SIGNS}
    told = [f"{count} {mark}{'s' if count > 1 else ''}" for mark, count in counts.items() if count]
    yield ", ".join(told) if counts["fault"] else ", ".join(["no fault found", *told])
    for mark, sign in SIGNS.items():
        for each in found:
            if each.mark == mark:
                yield ""
                first, *rest = f"{each.subject}: {each.text}".splitlines()
                yield f"{sign} {first}"
                yield from (INDENT + line for line in rest)
                yield from (INDENT + line for line in f"Fix: {each.fix}".splitlines() if each.fix)
    yield ""
    yield from table(list(_rows(each for each in found if each.mark == "ok")), None)


def _rows(found: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    last = ""
    for each in found:
        yield (each.subject if each.subject != last else "", each.text)
        last = each.subject
