"""Strict argparse parsers from option tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from musubi_nodes.commands.tables import OptionSpec, Table


class Refused(Exception):
    """The parser's error message."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(message)


def int_or_float(text: str) -> float:
    """Copy of ``_int_or_float`` (training/parser_common.py, v0.3.4)."""
    if text.endswith("%"):
        return float(text[:-1]) / 100
    value = float(text)
    return int(value) if value >= 1 and value.is_integer() else value


KINDS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "Path": Path,
    "_int_or_float": int_or_float,
    "int_or_float": int_or_float,
}


def parser_for(table: Table, script: str = "script.py") -> argparse.ArgumentParser:
    parser = _Parser(prog=script)
    for spec in table.values():
        _add(parser, spec)
    return parser


def _add(parser: argparse.ArgumentParser, spec: OptionSpec) -> None:
    if spec.flag:
        parser.add_argument(f"--{spec.name}", action="store_true")
        return
    options: dict[str, Any] = {"type": KINDS.get(spec.kind, str), "nargs": spec.nargs, "default": spec.default}
    if spec.choices:
        options["choices"] = [options["type"](choice) for choice in spec.choices]
    if spec.positional:
        parser.add_argument(spec.name, **options)
    else:
        parser.add_argument(f"--{spec.name}", required=spec.required, **options)
