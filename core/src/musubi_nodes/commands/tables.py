"""Stored parser options, by release."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class OptionSpec:
    """A parser option; ``kind`` is argparse's type name, "" if unknown."""

    name: str
    kind: str = "str"
    nargs: str | int | None = None
    choices: tuple[str, ...] = ()
    default: Any = None
    required: bool = False
    positional: bool = False
    flag: bool = False
    help: str = ""

    @property
    def is_list(self) -> bool:
        return self.nargs in ("*", "+") or (isinstance(self.nargs, int) and self.nargs > 1)


Table = Mapping[str, OptionSpec]
"""Options of a script by name, without dashes."""

RELEASES = ("0.2.0", "0.2.8", "0.2.12", "0.2.15", "0.3.0", "0.3.2", "0.3.4")


def table(script: str, release: str = RELEASES[-1]) -> Table | None:
    return _release(release).get(script)


def scripts(release: str = RELEASES[-1]) -> Iterable[str]:
    return _release(release).keys()


def nearest_release(version: str) -> str:
    """Return the newest stored release up to ``version``."""
    wanted = _numbers(version)
    older = [r for r in RELEASES if _numbers(r) <= wanted] if wanted else [RELEASES[-1]]
    return older[-1] if older else RELEASES[0]


def after_all_tables(version: str) -> bool:
    """Whether ``version`` is newer than every stored release."""
    return _numbers(version) > _numbers(RELEASES[-1])


def first_release(script: str, option: str, value: object = None) -> str | None:
    """Return the oldest release with ``option`` and its choice ``value``."""
    for release in RELEASES:
        spec = (table(script, release) or {}).get(option)
        if spec and (value is None or not spec.choices or str(value) in spec.choices):
            return release
    return None


def first_spec(script: str, option: str) -> OptionSpec | None:
    release = first_release(script, option)
    return (table(script, release) or {}).get(option) if release else None


def spec_from_row(row: Mapping[str, Any]) -> OptionSpec:
    return OptionSpec(
        name=row["flags"][0].lstrip("-"),
        kind=row.get("type", "str"),
        nargs=row.get("nargs"),
        choices=tuple(str(c) for c in row.get("choices", ())),
        default=row.get("default", False if row["action"] == "StoreTrue" else None),
        required=row.get("required", False),
        positional=row.get("positional", False),
        flag=row["action"] in ("StoreTrue", "StoreFalse"),
    )


@cache
def _release(release: str) -> Mapping[str, Table]:
    text = files(__package__).joinpath(f"tables/v{release}.json").read_text("utf-8")
    return {script: {spec.name: spec for spec in map(spec_from_row, rows)} for script, rows in json.loads(text).items()}


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.lstrip("v").split(".")
    return tuple(int(p) for p in parts) if all(p.isdigit() for p in parts) else ()
