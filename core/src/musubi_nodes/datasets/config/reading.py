"""Reads dataset TOML and JSON, with errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from musubi_nodes import parsing
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import TOML, read_bytes, unreadable

_CORRECT = "Correct the file and queue again."
_BACKSLASHES = (
    "Windows paths need single quotes ('C:\\data\\cats') or forward slashes (\"C:/data/cats\"); "
    "between double quotes TOML reads a backslash as the start of an escape."
)


def read_file(path: Path) -> dict[str, Any]:
    suffix = path.suffix.lower()
    if suffix not in (".toml", ".json"):
        raise MusubiError(
            "file-type-unsupported",
            f"{path} is neither .toml nor .json",
            fix="musubi-tuner reads only these two; rename the file.",
        )
    try:
        data = read_bytes(path, TOML)
    except (OSError, ValueError) as error:
        raise MusubiError(
            unreadable(error), f"the dataset file {path} cannot be read", why=str(error), fix="Check the path."
        ) from error
    text = decoded(data, str(path))
    return parse_json(text, str(path)) if suffix == ".json" else parse_toml(text, str(path))


def decoded(data: bytes, name: str) -> str:
    """Decode UTF-8 without BOM."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MusubiError(
            "file-not-utf8", f"{name} is saved as UTF-16", fix="Save it again as UTF-8 (in Notepad: Encoding, UTF-8)."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MusubiError(
            "file-not-utf8",
            f"{name} is not UTF-8: byte {data[error.start]:#04x} in line {line}",
            fix="Save it again as UTF-8 in your editor.",
        ) from error


def parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return parsing.parse_toml(text)
    except parsing.toml().TOMLDecodeError as error:
        line, column = _place(text, error)
        shown = text.splitlines()[line - 1].strip() if line <= len(text.splitlines()) else ""
        path_of_windows = '"' in shown and "\\" in shown
        raise MusubiError(
            "backslash-not-escaped" if path_of_windows else "toml-invalid",
            f"{name}, line {line}, column {column}: this is not TOML" + (f": {shown[:120]}" if shown else ""),
            why=str(error),
            fix=_BACKSLASHES if path_of_windows else _CORRECT,
        ) from error
    except ValueError as error:
        raise MusubiError(
            "toml-invalid", f"{name} is not TOML that can be read", why=str(error), fix=_CORRECT
        ) from error


def parse_json(text: str, name: str) -> dict[str, Any]:
    try:
        value = parsing.parse_json(text, parsing.MOST_LISTS)
    except json.JSONDecodeError as error:
        raise MusubiError(
            "json-invalid",
            f"{name}, line {error.lineno}, column {error.colno}: this is not JSON",
            why=error.msg,
            fix=_CORRECT,
        ) from error
    except ValueError as error:
        raise MusubiError(
            "json-invalid", f"{name} is not JSON that can be read", why=str(error), fix=_CORRECT
        ) from error
    if not isinstance(value, dict):
        raise MusubiError(
            "json-not-an-object",
            f"{name} contains no JSON object",
            fix='It must look like {"general": {}, "datasets": [{}]}.',
        )
    return value


def _place(text: str, error: ValueError) -> tuple[int, int]:
    # tomli before 2.2 has the place in its message only.
    import re

    line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
    if line and column:
        return line, column
    found = re.search(r"line (\d+), column (\d+)", str(error))
    return (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)
