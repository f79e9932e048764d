"""One argument list out of options and values; nothing in it can be taken for another option."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from musubi_nodes.commands.option import Argument
from musubi_nodes.commands.tables import OptionSpec, Table
from musubi_nodes.errors import MusubiError


def argv(arguments: Iterable[Argument], table: Table) -> list[str]:
    """``--name=value`` for scalars, ``--name a b`` for lists, ``--name`` for switches; positionals come first."""
    first: list[str] = []
    rest: list[str] = []
    for argument in arguments:
        spec = table.get(argument.name, OptionSpec(argument.name))
        if spec.positional:
            first += [_item(argument, value) for value in _listed(argument.value)]
        elif argument.value is True:
            rest.append(f"--{argument.name}")
        elif isinstance(argument.value, list | tuple):
            rest += [f"--{argument.name}", *(_item(argument, value) for value in argument.value)]
        else:
            rest.append(f"--{argument.name}={_text(argument, argument.value)}")
    return first + rest


def plain(value: Any) -> str:
    """A value as musubi-tuner reads it; numbers as plain decimals (``1e-05`` would look like an option to argparse)."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(argument: Argument, value: Any) -> str:
    text = plain(value)
    if "\0" in text:
        raise MusubiError(f"--{argument.name} holds a NUL character", fix="Type the text again.")
    return text


def _item(argument: Argument, value: Any) -> str:
    """An item of a list: argparse takes a string that begins with ``-`` for an option, so it is refused."""
    text = _text(argument, value)
    if "\n" in text or (text.startswith("-") and not isinstance(value, int | float | Path)):
        raise MusubiError(
            f"--{argument.name} cannot take the item {text[:80]!r}",
            why="Items of a list must not begin with '-' or hold a line break: they would be read as other options.",
            fix="Remove the item.",
        )
    return text
