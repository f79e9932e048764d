"""Argument lists in which no value can pass for another option."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from musubi_nodes.commands.option import Argument
from musubi_nodes.commands.option_owners import RUNNER
from musubi_nodes.commands.tables import OptionSpec, Table
from musubi_nodes.errors import MusubiError, is_one_line, one_line
from musubi_nodes.i18n import translate

LONGEST_WORD = 30_000
"""Characters; Linux allows 131,072 bytes, a Windows line 32,767."""
LONGEST_LINE = 31_000 if os.name == "nt" else 500_000
MOST_ITEMS = 10_000
_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")


def argv(arguments: Iterable[Argument], table: Table) -> list[str]:
    """Return ``--name=value``, ``--name a b`` or ``--name`` words.

    Positionals come first.
    """
    first: list[str] = []
    rest: list[str] = []
    for argument in arguments:
        spec = table.get(argument.name, OptionSpec(argument.name))
        if spec.positional:
            first += _items(argument)
        elif argument.value is True:
            rest.append(f"--{argument.name}")
        elif isinstance(argument.value, list | tuple):
            rest += [f"--{argument.name}", *_items(argument)]
        else:
            rest.append(f"--{argument.name}={_text(argument, argument.value)}")
    words = first + rest
    if (length := sum(len(word) + 1 for word in words)) > LONGEST_LINE:
        longest = max(words, key=len).partition("=")[0]
        raise MusubiError(
            "command-too-long",
            f"the command would be {length} characters long, more than {LONGEST_LINE}",
            fix=translate("Shorten the texts; the longest is {longest!r}.", longest=longest[:80]),
        )
    return words


def plain(value: object) -> str:
    """Format a value; argparse would take ``1e-05`` for an option."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)


def _items(argument: Argument) -> list[str]:
    values = list(argument.value) if isinstance(argument.value, list | tuple) else [argument.value]
    if len(values) > MOST_ITEMS:
        raise MusubiError(
            "command-too-long",
            f"--{argument.name} has {len(values)} items, more than {MOST_ITEMS}",
            fix="Shorten the text.",
        )
    return [_item(argument, value) for value in values]


def _text(argument: Argument, value: object) -> str:
    text = plain(value)
    if found := _IMPOSSIBLE.search(text):
        raise MusubiError(
            "text-invalid", f"--{argument.name} holds the character {found[0]!r}", fix="Type the text again."
        )
    if len(text) > LONGEST_WORD:
        raise MusubiError(
            "text-too-long",
            f"--{argument.name} has {len(text)} characters, more than {LONGEST_WORD}",
            fix="Shorten the text.",
        )
    if not is_one_line(text) and (isinstance(value, Path) or argument.name in RUNNER):
        raise MusubiError(
            "path-control-character",
            f"--{argument.name} cannot take the path {text[:80]!r}",
            why="Its name contains a line break or control character, which could pass for a line of the script's "
            "output.",
            fix="Rename the file or folder.",
        )
    return one_line(text)


def _item(argument: Argument, value: object) -> str:
    """Refuse a leading ``-``, which argparse takes for an option."""
    text = _text(argument, value)
    if not is_one_line(plain(value)) or (text.startswith("-") and not isinstance(value, int | float | Path)):
        raise MusubiError(
            "list-item-not-allowed",
            f"--{argument.name} cannot take the item {text[:80]!r}",
            why="Items of a list must not begin with '-' or hold a line break: they would be read as other options.",
            fix="Remove the item.",
        )
    return text
