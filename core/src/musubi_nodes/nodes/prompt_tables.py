"""Prompts out of text, CSV and JSONL; every mistake is told with its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from musubi_nodes.errors import MusubiError, did_you_mean, finding, problems
from musubi_nodes.families.context import Context
from musubi_nodes.families.input_files import readable
from musubi_nodes.families.prompts import Prompt, written_prompts
from musubi_nodes.files import cleaned_path, is_file
from musubi_nodes.media.frames import ImageFiles

COLUMNS = tuple(Prompt.model_fields)
LARGEST = 20_000_000
"""Bytes of a prompt file."""


def read_prompts(path: Path, context: Context) -> list[Prompt]:
    """The prompts of a file; one :class:`MusubiError` that names each wrong line, column and value."""
    suffix = path.suffix.lower()
    if suffix == LINES:
        return written_prompts(_text(path))
    if suffix not in TABLES:
        raise MusubiError(f"{path.name} is no prompt file", fix=f"Use one of {', '.join((LINES, *TABLES))}.")
    found, wrong = [], []
    for number, row in TABLES[suffix](_text(path), path):
        try:
            found.append(_prompt(row, path, context))
        except (ValueError, ValidationError, MusubiError) as error:
            wrong.append(f"line {number}: {_said(error)}")
    if wrong:
        raise problems(f"{path.name} has wrong lines", wrong, fix="Correct them and queue again.")
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise MusubiError(f"{path} is larger than {LARGEST // 1_000_000} MB", fix="Split it into several files.")
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MusubiError(f"{path} is not UTF-8: {error}", fix="Save it as UTF-8.") from error
    except OSError as error:
        raise MusubiError(f"{path} cannot be read: {error}", fix="Check its permissions.") from error


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows by the names in the first line. Spreadsheets separate by comma, semicolon or tab, as the country has it."""
    head = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [str(name).strip() for name in reader.fieldnames or ()]
        if "prompt" not in names:
            raise MusubiError(
                f"{path.name} has no column prompt", fix=f"Name the columns in the first line: {', '.join(COLUMNS)}."
            )
        for row in reader:
            if None in row:
                raise csv.Error("it has more cells than the first line")
            if not any(value and value.strip() for value in row.values()):
                continue
            yield reader.line_num, {str(key).strip(): (value or "").strip() for key, value in row.items()}
    except csv.Error as error:
        raise MusubiError(
            f"{path.name}, line {reader.line_num}: {error}", fix="Put texts with commas in quotes."
        ) from error


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MusubiError(f"{path.name}, line {number} is no JSON: {error}", fix="One object a line.") from error
        if not isinstance(row, dict):
            raise MusubiError(f"{path.name}, line {number} is no object", fix='Write {"prompt": "a cat", "seed": 7}.')
        yield number, row


LINES, TABLES = ".txt", {".csv": _csv_rows, ".jsonl": _json_rows}


def _prompt(row: Mapping[str, Any], path: Path, context: Context) -> Prompt:
    values = {name: value for name, value in row.items() if value not in (None, "")}
    if strange := [name for name in values if name not in COLUMNS]:
        raise ValueError(f"there is no column {strange[0]!r}{did_you_mean(strange[0], COLUMNS)}")
    if not str(values.get("prompt", "")).strip():
        raise ValueError("the prompt is empty")
    if "image" in values:
        picture = path.parent / cleaned_path(str(values["image"]))
        readable(picture, context)
        if not is_file(picture):
            raise ValueError(f"the image does not exist: {picture}")
        values["image"] = ImageFiles((picture,))
    return Prompt(**values)


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{first['loc'][0]} {str(first['input'])[:60]!r}: {finding(first)}"
    return error.what if isinstance(error, MusubiError) else str(error)
