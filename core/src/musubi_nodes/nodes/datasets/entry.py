"""``[[datasets]]`` entries from the editor's widgets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musubi_nodes.datasets.config.keys import GENERAL_KEYS, renamed
from musubi_nodes.datasets.config.reading import read_file
from musubi_nodes.datasets.config.schema import FIELDS, PATH_FIELDS, SOURCE_FIELDS, DatasetConfig
from musubi_nodes.datasets.config.toml import parse
from musubi_nodes.errors import InvalidValue, MusubiError, did_you_mean
from musubi_nodes.files import cleaned_path
from musubi_nodes.i18n import translate
from musubi_nodes.nodes.datasets.changes import Sections, changes, left_alone

PAIRS = {"resolution": ("width", "height"), "control_resolution": ("control_width", "control_height")}
"""Keys with one widget per side."""
WIDGETS = ("kind", "source", *PAIRS["resolution"], *(key for key in FIELDS if key not in {*SOURCE_FIELDS, *PAIRS}),
           *PAIRS["control_resolution"])  # fmt: skip
_ALWAYS = ("kind", "source", "width", "height", "caption_extension", "enable_bucket", "batch_size", "num_repeats")
"""Widgets that a new entry always writes."""
_LISTS = ("target_frames", "fp_1f_clean_indices")


@dataclass(frozen=True)
class Made:
    """A configuration, and the changes to its source file."""

    config: DatasetConfig
    told: tuple[str, ...] = ()


def made(inputs: Any, base: Path) -> Made:
    """Create a configuration of one entry, with paths relative to ``base``."""
    if not inputs.source.strip():
        raise MusubiError(
            "dataset-source-missing", "source is empty", fix="Type the folder or the .jsonl file of this dataset."
        )
    new = _written(inputs, base, Sections({}, {}), touched(inputs) | set(_ALWAYS))
    raw = {"general": new.general, "datasets": [new.entry]}
    what = "the widgets make no dataset that fits"
    return Made(parse(raw, base=base, what=what, fix="Correct the widgets and queue again."))


def edited(inputs: Any, path: Path, base: Path) -> Made:
    """Change one entry of a TOML, with new paths relative to ``base``."""
    raw = read_file(path)
    tables, general = raw.get("datasets"), raw.get("general", {})
    known = len(tables) if isinstance(tables, list) else 0
    if not isinstance(tables, list) or inputs.entry >= known or not isinstance(tables[inputs.entry], Mapping):
        parse(raw, base=path.parent, name=path.name)  # explains an invalid file
        raise MusubiError(
            "dataset-entry-missing",
            f"{path.name} has {known} [[datasets]], so there is none with the number {inputs.entry}",
            fix=translate("Set entry to a number from 0 to {last}.", last=known - 1),
        )
    old = Sections(renamed(tables[inputs.entry]), renamed(general) if isinstance(general, Mapping) else {})
    wanted, begin = touched(inputs), old
    if inputs.replace == "all":
        wanted |= set(_ALWAYS)
        begin = Sections({key: old.entry[key] for key in SOURCE_FIELDS if key in old.entry}, old.general)
    new = _written(inputs, base, begin, wanted)
    told = changes(old, new, f"datasets[{inputs.entry}]")
    if inputs.replace == "changed":
        told += left_alone(_beside(inputs, base, old, wanted), path.name)
    merged = [*tables[: inputs.entry], new.entry, *tables[inputs.entry + 1 :]]
    whole = {**raw, "datasets": merged} | ({"general": new.general} if new.general != old.general else {})
    fix = "Correct the file, or name in also_set the widgets to write into it, and queue again."
    return Made(parse(whole, base=path.parent, name=path.name, fix=fix), tuple(told))


def touched(inputs: Any) -> set[str]:
    """Return widgets not at their default, and those in ``also_set``."""
    fields = type(inputs).model_fields
    changed = {name for name in WIDGETS if getattr(inputs, name) != fields[name].default}
    return changed | set(widget_names(inputs.also_set))


def widget_names(text: str) -> list[str]:
    """Parse ``batch_size, resolution`` to widget names."""
    found: list[str] = []
    for name in filter(None, re.split(r"[,\s]+", text)):
        if name not in {*WIDGETS, *PAIRS}:
            text = f"no widget {name[:80]!r} says something about a dataset{did_you_mean(name, WIDGETS)}"
            raise InvalidValue("widget-unknown", text)
        found += PAIRS.get(name, (name,))
    return found


def numbers(text: str) -> list[int]:
    """Parse a list such as ``1, 25, 45``."""
    words = re.split(r"[,\s]+", text.strip().strip("[]").strip())
    try:
        return [int(word) for word in words if word]
    except ValueError:
        raise InvalidValue("numbers-invalid", "is no list of whole numbers such as 1, 25, 45") from None


def _written(inputs: Any, base: Path, old: Sections, wanted: Set[str]) -> Sections:
    """Apply the ``wanted`` widgets to ``old``; an empty one removes its key."""
    entry, general = dict(old.entry), dict(old.general)
    if wanted & {"kind", "source"}:
        entry = _source(inputs, base, old.entry, wanted)
    for key, value in _values(inputs, base).items():
        sides = PAIRS.get(key, (key,))
        if not wanted & set(sides):
            continue
        if key in PAIRS:
            value = _both_sides(key, [side in wanted for side in sides], value, old)
        entry.pop(key, None)
        if value is not None:
            is_general = inputs.write_to == "general" and key in GENERAL_KEYS
            (general if is_general else entry)[key] = value
    return Sections(entry, general)


def _values(inputs: Any, base: Path) -> dict[str, Any]:
    """Return the widgets' values by TOML key; ``None`` is empty."""
    plain = {key: _value(key, getattr(inputs, key), base) for key in FIELDS if key in WIDGETS}
    return {key: [getattr(inputs, side) for side in sides] for key, sides in PAIRS.items()} | plain


def _value(key: str, given: Any, base: Path) -> Any:
    if isinstance(given, str) and not given.strip():
        return None
    if key in PATH_FIELDS:
        return _absolute(given, base)
    return numbers(given) or None if key in _LISTS else given


def _both_sides(key: str, given: list[bool], sides: list[int | None], old: Sections) -> list[int | None] | None:
    before = sides if all(given) else old.pair(key) or [None, None]
    both = [side if is_given else kept for is_given, side, kept in zip(given, sides, before, strict=True)]
    if both.count(None) == 1:
        names = PAIRS[key]
        raise MusubiError(
            "setting-missing",
            f"{names[0]} and {names[1]}: set both, or 0 for both",
            why=translate("There is no {key} yet that could keep its other side.", key=key),
        )
    return None if None in both else both


def _source(inputs: Any, base: Path, old: Mapping[str, Any], wanted: Set[str]) -> dict[str, Any]:
    key = next((key for key in SOURCE_FIELDS if key in old), "")
    kind = inputs.kind if "kind" in wanted or not key else key.partition("_")[0]
    path, form = old.get(key), key.partition("_")[2]
    if inputs.source.strip():
        path = _absolute(inputs.source, base)
        form = "jsonl_file" if path.lower().endswith(".jsonl") else "directory"
    return {f"{kind}_{form}": path, **{name: value for name, value in old.items() if name not in SOURCE_FIELDS}}


def _beside(inputs: Any, base: Path, old: Sections, wanted: Set[str]) -> dict[str, Any]:
    """Return the file's values that unapplied widgets differ from."""
    source = next((key for key in SOURCE_FIELDS if key in old.entry), "")
    rows: list[tuple[str, Any, Any]] = [("kind", source.partition("_")[0] or None, inputs.kind)]
    for key, value in _values(inputs, base).items():
        if key in PAIRS:
            rows += zip(PAIRS[key], old.pair(key) or [None, None], value, strict=True)
        else:
            rows.append((key, old.value(key, () if value is None else FIELDS[key].default), value))
    return {name: held for name, held, value in rows if name not in wanted and held not in (None, ()) and held != value}


def _absolute(text: str, base: Path) -> str:
    return str(base.absolute() / cleaned_path(text))
