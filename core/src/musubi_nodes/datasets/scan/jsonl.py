"""Scans a JSONL dataset as musubi-tuner does (datasources.py, v0.3.4)."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NamedTuple

from musubi_nodes.budget import spend
from musubi_nodes.datasets.config.schema import DatasetSection, ImageDataset, Kind
from musubi_nodes.datasets.files.facts import facts_of_images
from musubi_nodes.datasets.files.listing import file_at
from musubi_nodes.datasets.files.names import stem_of
from musubi_nodes.datasets.scan.folder import duplicates
from musubi_nodes.datasets.scan.items import DatasetScan, Item
from musubi_nodes.errors import InvalidValue, Problem, did_you_mean
from musubi_nodes.files import LINES, is_share, open_file, unreadable
from musubi_nodes.parsing import parse_json
from musubi_nodes.windows_names import meaning_on_windows

LONGEST_LINE = 1_000_000
MOST_ITEMS = 1_000_000
MOST_WRONG = 1_000  # bad lines and missing files until reading stops
MISSING_FILE = Problem("file-missing", "does not exist")
_SHARE = re.compile(r'"(?:/[/\\?]|\\[/\\uU])')  # possible beginnings of a share's path


@dataclass
class _Found:
    items: list[Item] = field(default_factory=list)
    bad: list[Problem] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    relative: list[int] = field(default_factory=list)


class _Named(NamedTuple):
    main: str
    targets: tuple[str, ...]
    controls: tuple[str, ...]
    caption: str


def scan_jsonl(empty: DatasetScan, dataset: DatasetSection) -> DatasetScan:
    """Scan its lines; relative paths count from the working directory."""
    found = _Found()
    layered = isinstance(dataset, ImageDataset) and dataset.multiple_target
    try:
        for number, line in enumerate(_lines(empty.source), 1):
            _read_line(number, line, empty.kind, layered, found)
            if len(found.items) > MOST_ITEMS:
                text = f"has more than {MOST_ITEMS:,} items; split it into several"
                return replace(empty, trouble=Problem("dataset-too-large", text))
            if len(found.bad) + len(found.missing) > MOST_WRONG:
                break
    except UnicodeDecodeError:
        return replace(empty, trouble=Problem("file-not-utf8", "is not UTF-8; save it again as UTF-8"))
    except FileNotFoundError:
        return replace(empty, trouble=MISSING_FILE)
    except InvalidValue as error:
        return replace(empty, trouble=Problem(error.code, f"cannot be read: {error}"))
    except (OSError, ValueError) as error:
        return replace(empty, trouble=Problem(unreadable(error), f"cannot be read: {error}"))
    facts = facts_of_images(item.file for item in found.items) if empty.kind == "image" else repeat(None)
    items = tuple(item._replace(facts=known) for item, known in zip(found.items, facts, strict=False))
    controlled = any(item.control_files for item in items)
    return replace(
        empty,
        items=items,
        duplicate_stems=duplicates(items),
        missing_controls=tuple(item.path for item in items if controlled and not item.control_files),
        missing_files=tuple(found.missing),
        relative_lines=tuple(found.relative),
        bad_lines=tuple(found.bad),
    )


def named_files(dataset: DatasetSection) -> Iterator[str]:
    """Yield paths of valid lines, unchecked."""
    return _named_files(dataset, lambda _: True)


def named_shares(dataset: DatasetSection) -> Iterator[str]:
    """Yield those of them on network shares."""
    return filter(is_share, _named_files(dataset, _SHARE.search))


def _named_files(dataset: DatasetSection, wanted: Callable[[str], object]) -> Iterator[str]:
    layered = isinstance(dataset, ImageDataset) and dataset.multiple_target
    with contextlib.suppress(OSError, ValueError):
        for line in filter(wanted, _lines(dataset.jsonl_file) if dataset.jsonl_file else ()):
            with contextlib.suppress(ValueError):
                named = _named(parse_json(line), dataset.kind, layered)
                yield from (named.main, *named.targets, *named.controls)


def _lines(source: Path) -> Iterator[str]:
    """Yield lines; OSError or ValueError."""
    with io.TextIOWrapper(open_file(source, LINES), "utf-8", newline=None) as text:
        while line := text.readline(LONGEST_LINE + 1):
            spend()
            if len(line) > LONGEST_LINE:
                raise InvalidValue("line-too-long", f"a line is longer than {LONGEST_LINE:,} characters")
            yield line


def _read_line(number: int, line: str, kind: Kind, layered: bool, found: _Found) -> None:
    try:
        named = _named(_parsed(line), kind, layered)
    except InvalidValue as error:
        found.bad.append(Problem(error.code, f"line {number}: {error}"))
    else:
        _take(number, named, found)


def _take(number: int, named: _Named, found: _Found) -> None:
    texts = (named.main, *named.targets, *named.controls)
    if not all(os.path.isabs(text) for text in texts):  # noqa: PTH117
        found.relative.append(number)
    paths = [os.path.join(os.getcwd(), text) for text in texts]  # noqa: PTH109, PTH118
    files = [file for path in paths if (file := file_at(path))]
    if len(files) < len(paths):
        known = {file.path for file in files}
        found.missing.extend(f"line {number}: {path}" for path in paths if path not in known)
        return
    split = 1 + len(named.targets)
    found.items.append(Item(files[0], None, named.caption, tuple(files[split:]), tuple(files[1:split]), number))


def _parsed(line: str) -> object:
    try:
        return parse_json(line)
    except JSONDecodeError as error:
        raise _not_json(line, error) from None
    except ValueError as error:
        raise InvalidValue("json-invalid", str(error)) from None


def _not_json(line: str, error: JSONDecodeError) -> InvalidValue:
    if line.startswith("\ufeff"):
        return InvalidValue("file-byte-order-mark", "begins with a byte order mark; save the file as UTF-8 without BOM")
    if not line.strip():
        return InvalidValue("line-empty", "is empty; remove it")
    text = f"is not JSON ({error.msg} at column {error.colno})"
    if "escape" in error.msg:
        return InvalidValue("backslash-not-escaped", f"{text}; write each backslash of a path as / or twice")
    return InvalidValue("json-invalid", text)


def _named(entry: object, kind: Kind, layered: bool) -> _Named:
    if not isinstance(entry, dict):
        raise InvalidValue("json-not-an-object", "is not a JSON object {...}")
    main = _text(entry, f"{kind}_path", "image_path_0" if kind == "image" else "")
    if not stem_of(main):
        raise InvalidValue("path-not-a-file", f"{kind}_path {main!r} ends in a slash; remove it")
    targets = tuple(_targets(entry)) if layered else ()
    controls = tuple(str(value) for _, value in sorted(_controls(entry, kind)))
    for text in (main, *targets, *controls):
        if meaning := meaning_on_windows(text):
            raise InvalidValue("path-unsafe-on-windows", f"the path {text!r:.80} {meaning}, on Windows")
    return _Named(main, targets, controls, _text(entry, "caption").strip())


def _text(entry: dict[str, Any], key: str, other: str = "") -> str:
    if key not in entry and other in entry:
        key = other
    if key not in entry:
        near = did_you_mean(key, list(entry)).replace("mean", "name it")
        raise InvalidValue("key-missing", f"has no {key}{near}")
    value = entry[key]
    if not isinstance(value, str) or "\0" in value:
        raise InvalidValue("string-type", f"{key} must be text, found {value!r:.60}")
    return value


def _targets(entry: dict[str, Any]) -> Iterator[str]:
    number = 1
    while entry.get(f"image_path_{number}") is not None:
        yield _text(entry, f"image_path_{number}")
        number += 1


def _controls(entry: dict[str, Any], kind: Kind) -> Iterator[tuple[int, str]]:
    if kind == "video":
        if entry.get("control_path"):
            yield 0, _text(entry, "control_path")
        return
    for key in entry:
        tail = key.rsplit("_", 1)[-1]
        if key == "control_path":
            yield 0, _text(entry, key)
        elif key.startswith("control_path_"):
            if not tail.isdecimal():
                raise InvalidValue("companion-not-numbered", f"{key} must end in a number, e.g. control_path_0")
            yield int(tail), _text(entry, key)
