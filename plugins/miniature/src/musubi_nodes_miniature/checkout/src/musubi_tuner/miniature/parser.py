"""argparse parsers from the option tables: strict, with upstream's names, types, choices and defaults."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("options.json")
"""The options of musubi-tuner v0.3.4, by script."""


def _int_or_float(value: str) -> int | float:
    """A number of steps, a ratio below 1, or a percentage (training/parser_common.py, v0.3.4)."""
    if value.endswith("%"):
        try:
            return float(value[:-1]) / 100.0
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"Value '{value}' is not a valid percentage") from error
    try:
        number = float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{value}' is not an int or float") from error
    return int(number) if number >= 1 and number.is_integer() else number


def int_or_float(value: str) -> int | float:
    """The same rule under the other name that upstream's tables hold."""
    return _int_or_float(value)


# argparse puts the function's own name into "invalid _int_or_float value", so the names are upstream's.
TYPES: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "Path": Path,
    "_int_or_float": _int_or_float,
    "int_or_float": int_or_float,
}
FLAGS = {"StoreTrue": "store_true", "StoreFalse": "store_false"}


def build_parser(options: list[dict[str, Any]], description: str | None = None) -> argparse.ArgumentParser:
    """A parser from the rows of one script."""
    parser = argparse.ArgumentParser(description=description)
    for row in options:
        settings: dict[str, Any] = {}
        if row["action"] in FLAGS:
            settings["action"] = FLAGS[row["action"]]
        else:
            settings = {key: row[key] for key in ("nargs", "choices", "default") if key in row}
            if "type" in row:
                settings["type"] = TYPES[row["type"]]
        if row.get("required"):
            settings["required"] = True
        parser.add_argument(*row["flags"], **settings)
    return parser


def parser_of(script: str, description: str | None = None) -> argparse.ArgumentParser:
    """The parser of ``script``; :class:`KeyError` where the miniature does not serve it."""
    return build_parser(json.loads(TABLE.read_text("utf-8"))[script], description)
