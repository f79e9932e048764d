"""Parser of argparse's ``--help`` (Python 3.8 to 3.14)."""

from __future__ import annotations

import re
from dataclasses import replace

from musubi_nodes.commands.tables import OptionSpec

_SECTION = re.compile(r"^[A-Za-z].*:$")
_OPTION = re.compile(r"^  (-\S.*?)(?:\s{2,}(\S.*))?$")
_GOES_ON = re.compile(r"^ {10,}(\S.*)$")
_POSITIONAL = re.compile(r"^  (\w+)(?:\s{2,}\S.*)?$")
_FLAG = re.compile(r"(--?[A-Za-z][\w-]*)(?:[ =](.+))?$")
_CHOICES = re.compile(r"^\{([^}]*)\}")


def parse_help(text: str) -> dict[str, OptionSpec]:
    """Return options by name, without types and defaults."""
    found: dict[str, OptionSpec] = {}
    inside = positional = False
    last = ""
    for line in text.splitlines():
        if _SECTION.match(line):
            inside = not line.lower().startswith("usage")
            positional, last = line.lower().startswith("positional"), ""
        elif positional and (named := _POSITIONAL.match(line)):
            found[named[1]] = OptionSpec(named[1], kind="", nargs="+", positional=True)
        elif inside and (match := _OPTION.match(line)):
            spec, last = _spec(match[1], match[2] or ""), ""
            if spec and spec.name not in ("h", "help"):
                found[spec.name], last = spec, spec.name
        elif last and (more := _GOES_ON.match(line)):
            found[last] = replace(found[last], help=f"{found[last].help} {more[1]}".strip())
    return found


def _spec(invocation: str, text: str) -> OptionSpec | None:
    spellings = [m for part in _split(invocation) if (m := _FLAG.match(part))]
    if not spellings:
        return None
    long = next((m for m in spellings if m[1].startswith("--")), spellings[0])
    metavar = (spellings[-1][2] or "").strip()
    choices = _CHOICES.match(metavar)
    return OptionSpec(
        name=long[1].lstrip("-"),
        kind="",
        nargs=_nargs(metavar, bool(choices)),
        choices=tuple(choices[1].split(",")) if choices else (),
        flag=not metavar,
        help=text.strip(),
    )


def _split(invocation: str) -> list[str]:
    return re.split(r",\s+(?=-)", invocation)


def _nargs(metavar: str, has_choices: bool) -> str | int | None:
    if metavar.endswith("...]"):
        return "*" if metavar.startswith("[") else "+"
    if not metavar or has_choices:
        return None
    words = metavar.split()
    return len(words) if len(words) > 1 else None
