"""Parsers of prompt files: text, CSV, TSV and JSONL."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from musubi_nodes.budget import spend
from musubi_nodes.errors import InvalidValue, MusubiError, Problem, did_you_mean, problems
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import fields_of
from musubi_nodes.families.input_files import readable
from musubi_nodes.families.prompt_lines import lines_of, parse_line
from musubi_nodes.families.prompts import Prompt, check_count, prompt_of, prompt_problem
from musubi_nodes.files import cleaned_path, is_file
from musubi_nodes.i18n import translate
from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.nodes.table_text import text_of
from musubi_nodes.parsing import parse_json

COLUMNS = tuple(Prompt.model_fields)
ALSO = {"lora_strength": "lora_multiplier", "video_length": "frames", "infer_steps": "steps"}
"""Aliases of columns, from LoRA nodes and musubi-tuner."""
MOST_COLUMNS = 100
SIZE = "size"
DECIMALS = frozenset(spec.name for spec in fields_of(Prompt) if spec.kind == "float")
SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
"""Excel's line above a table."""

Row = Mapping[str, Any]
Rows = Iterator[tuple[int, "Row | str"]]
"""Line number and row; a string is a line with musubi-tuner's options."""


class FromFile(NamedTuple):
    """Lazily parsed prompts, and a note on the file's encoding."""

    prompts: Iterator[Prompt]
    note: str


def read_prompts(path: Path, context: Context) -> FromFile:
    """Parse a file; the error at the end lists all wrong lines."""
    suffix = path.suffix.lower()
    if suffix not in KINDS:
        raise MusubiError(
            "file-type-unsupported",
            f"{path.name} is no prompt file",
            fix=translate("Use one of {kinds}.", kinds=", ".join(KINDS)),
        )
    text, guessed = text_of(path)
    found = _prompts(KINDS[suffix](text, path.name), path.name, path.parent, context)
    note = "{file} was read as {encoding}; if letters are wrong, save it as UTF-8"
    return FromFile(found, translate(note, file=path.name, encoding=guessed) if guessed else "")


def typed_prompts(text: str, context: Context) -> Iterator[Prompt]:
    """Parse a widget's lines; images are relative to the input folder."""
    return _prompts(lines_of(text), "text", context.host.input_folder(), context)


def _prompts(rows: Rows, name: str, folder: Path, context: Context) -> Iterator[Prompt]:
    wrong = []
    for count, (number, row) in enumerate(rows, 1):
        check_count(count)
        spend()
        try:
            prompt = _prompt(parse_line(row) if isinstance(row, str) else _by_field(row), folder, context)
        except (ValidationError, InvalidValue, MusubiError) as error:
            problem = prompt_problem(error)
            wrong.append(Problem(problem.code, f"line {number}: {problem}"))
        else:
            yield prompt
    if wrong:
        raise problems("prompts-invalid", f"{name} has wrong lines", wrong, fix="Correct them and queue again.")


def _lines(text: str, _: str) -> Rows:
    return lines_of(text)


def _csv_rows(text: str, name: str, delimiter: str = "") -> Rows:
    table, found, above = _table(text)
    reader, first = csv.reader(io.StringIO(table, newline=""), delimiter=delimiter or found, strict=True), 1
    try:
        columns = next(reader, [])
        _check_columns(columns, name)
        first += reader.line_num
        for cells in reader:
            if len(cells) > len(columns):
                raise csv.Error("it has more cells than the first line")
            if any(map(str.strip, cells)):
                yield above + first, {column: _cell(column, cell) for column, cell in zip(columns, cells, strict=False)}
            first = reader.line_num + 1
    except csv.Error as error:
        open_quote = reader.line_num > first or "end of data" in str(error)
        raise MusubiError(
            "csv-invalid",
            f"{name}, line {above + first}: {'a quote opens there that does not close' if open_quote else error}",
            fix='Put texts with commas in quotes, and write a quote within them twice: "a ""red"" cat, running".',
        ) from error


def _check_columns(columns: list[str], name: str) -> None:
    if len(columns) > MOST_COLUMNS:
        raise MusubiError(
            "columns-too-many",
            f"{name} has {len(columns)} columns, more than {MOST_COLUMNS}",
            fix=translate("Name the columns in the first line: {columns}.", columns=", ".join(COLUMNS)),
        )
    if "prompt" not in map(_field, columns):
        raise MusubiError(
            "column-missing",
            f"{name} has no column prompt",
            why=translate("Its columns are: {columns}.", columns=", ".join(map(repr, columns))),
            fix=translate("Name the columns in the first line: {columns}.", columns=", ".join(COLUMNS)),
        )
    if twice := [column for column in columns if column and columns.count(column) > 1]:
        raise MusubiError(
            "column-twice", f"{name} has the column {twice[0]!r} twice", fix="Remove or rename one of them."
        )


def _table(text: str) -> tuple[str, str, int]:
    """Return the table, its delimiter, and how many lines precede it.

    Spreadsheets write commas, semicolons or tabs, depending on the country.
    """
    lines, delimiter, above = text.split("\n"), "", 0
    for line in lines:
        if sep := SEPARATOR.fullmatch(line.rstrip("\r")):
            delimiter = sep[1]
        elif line.strip(" ,;\t\r"):
            break
        above += 1
    head = lines[above] if above < len(lines) else ""
    return "\n".join(lines[above:]), delimiter or max(",;\t", key=head.count), above


def _cell(column: str, value: str) -> str:
    """Strip a cell; decimal commas become points."""
    value = value.strip()
    return value.replace(",", ".") if _field(column) in DECIMALS and re.fullmatch(r"-?\d+,\d+", value) else value


def _json_rows(text: str, name: str) -> Rows:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line, object_pairs_hook=_once)
        except ValueError as error:
            raise MusubiError(
                "json-invalid", f"{name}, line {number} is no JSON: {error}", fix="Write one object per line."
            ) from error
        if not isinstance(row, dict):
            raise MusubiError(
                "json-not-an-object", f"{name}, line {number} is no object", fix='Write {"prompt": "a cat", "seed": 7}.'
            )
        yield number, row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key is there twice")
    return row


KINDS: Mapping[str, Callable[[str, str], Rows]] = {
    ".txt": _lines,
    ".csv": _csv_rows,
    ".tsv": partial(_csv_rows, delimiter="\t"),
    ".jsonl": _json_rows,
}


def _by_field(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column, value in row.items():
        if value is None or value == "":
            continue
        own = _cell_values(_field(column), value)
        if strange := own.keys() - {*COLUMNS}:
            near = did_you_mean(min(strange), (*COLUMNS, *ALSO, SIZE))
            raise InvalidValue("column-unknown", f"there is no column {column!r}{near}")
        if twice := own.keys() & values.keys():
            raise InvalidValue("column-twice", f"the column {column!r} says {min(twice)} a second time")
        values |= own
    return values


def _cell_values(field: str, value: object) -> Mapping[str, Any]:
    if field == SIZE:
        return _sides(value)
    return parse_line(value) if field == "prompt" and isinstance(value, str) else {field: value}


def _field(column: str) -> str:
    plain = re.sub(r"[\s-]+", "_", str(column).strip().casefold())
    return ALSO.get(plain, plain)


def _sides(size: object) -> dict[str, str]:
    found = re.fullmatch(r"(\d+)\s*[x×*]\s*(\d+)", str(size).strip().casefold())
    if not found:
        raise InvalidValue("size-invalid", f"size {str(size)[:60]!r}: write width x height, such as 832x480")
    return {"width": found[1], "height": found[2]}


def _prompt(values: Mapping[str, object], folder: Path, context: Context) -> Prompt:
    if not str(values.get("prompt", "")).strip():
        raise InvalidValue("prompt-empty", "the prompt is empty")
    if "image" not in values:
        return prompt_of(values)
    picture = folder / cleaned_path(str(values["image"]))
    readable(picture, context)
    if not is_file(picture):
        raise InvalidValue("file-missing", f"the image does not exist: {picture}")
    return prompt_of({**values, "image": ImageFiles((picture,))})


def pictures_of(prompts: Iterable[Prompt]) -> list[Path]:
    return [file for prompt in prompts if prompt.image is not None for file in prompt.image.paths]
