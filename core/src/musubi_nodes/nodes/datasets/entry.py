"""From the widgets of the editor to one ``[[datasets]]`` entry, new or edited."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musubi_nodes.datasets.keys import renamed
from musubi_nodes.datasets.reading import read_file
from musubi_nodes.datasets.schema import SOURCE_FIELDS, DatasetConfig
from musubi_nodes.datasets.toml import parse
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import cleaned_path

_WRITTEN = ("resolution", "caption_extension", "enable_bucket", "batch_size", "num_repeats")
"""Keys that a new entry always has: where ours differ from musubi-tuner's defaults, and where readers look for them."""
_FOLDERS = ("cache_directory", "control_directory")
_LISTS = ("target_frames", "fp_1f_clean_indices")
_AS_THEY_ARE = (
    "caption_extension", "enable_bucket", "bucket_no_upscale", "batch_size", "num_repeats", "frame_extraction",
    "frame_stride", "frame_sample", "max_frames", "multiple_target", "no_resize_control", "fp_latent_window_size",
    "fp_1f_target_index", "fp_1f_no_post",
)  # fmt: skip


def made(inputs: Any, base: Path) -> DatasetConfig:
    """A configuration of one new entry; relative paths count from ``base``."""
    if not inputs.source.strip():
        raise MusubiError("source is empty", fix="Type the folder or the .jsonl file of this dataset.")
    return parse({"datasets": [_new(inputs, base)]}, base=base, name=f"{inputs.name}.toml")


def edited(inputs: Any, path: Path, base: Path) -> DatasetConfig:
    """The TOML at ``path`` with one entry changed by the widgets; relative paths of widgets count from ``base``."""
    raw = read_file(path)
    tables = raw.get("datasets")
    known = len(tables) if isinstance(tables, list) else 0
    if not isinstance(tables, list) or inputs.entry >= known or not isinstance(tables[inputs.entry], Mapping):
        parse(raw, base=path.parent, name=path.name)  # says what is wrong with the file, if anything is
        raise MusubiError(
            f"{path.name} has {known} [[datasets]], so there is none with the number {inputs.entry}",
            fix=f"Set entry to a number from 0 to {known - 1}.",
        )
    old, source = renamed(tables[inputs.entry]), _source(inputs, base)
    if inputs.replace == "all":
        new = _new(inputs, base)
        kept = {key: old[key] for key in SOURCE_FIELDS if key in old and not source}
    else:
        new = source | _different(inputs, base)
        kept = {key: value for key, value in old.items() if not (source and key in SOURCE_FIELDS)}
    changed = [*tables[: inputs.entry], kept | new, *tables[inputs.entry + 1 :]]
    return parse({**raw, "datasets": changed}, base=path.parent, name=path.name)


def numbers(text: str) -> list[int]:
    """``1, 25, 45`` as people write it; a ValueError where it is no list of whole numbers."""
    words = re.split(r"[,\s]+", text.strip().strip("[]").strip())
    try:
        return [int(word) for word in words if word]
    except ValueError:
        raise ValueError("is no list of whole numbers such as 1, 25, 45") from None


def _new(inputs: Any, base: Path) -> dict[str, Any]:
    source, values = _source(inputs, base), _values(inputs, base)
    written = {key: values[key] for key in _WRITTEN if values[key] not in (None, "")}
    return source | written | _different(inputs, base)


def _different(inputs: Any, base: Path) -> dict[str, Any]:
    """Values that are not those of a new node; also those that the entry's kind does not take: parsing names them."""
    first = _values(type(inputs)(), base)
    return {key: value for key, value in _values(inputs, base).items() if value != first[key]}


def _values(inputs: Any, base: Path) -> dict[str, Any]:
    values: dict[str, Any] = {"resolution": [inputs.width, inputs.height]}
    values |= {key: getattr(inputs, key) for key in _AS_THEY_ARE}
    values |= {key: numbers(getattr(inputs, key)) or None for key in _LISTS}
    values |= {key: _absolute(getattr(inputs, key), base) for key in _FOLDERS}
    values["source_fps"] = inputs.source_fps or None
    values["control_resolution"] = [inputs.control_width, inputs.control_height] if inputs.control_width else None
    return values


def _source(inputs: Any, base: Path) -> dict[str, Any]:
    path = _absolute(inputs.source, base)
    if path is None:
        return {}
    return {f"{inputs.kind}_{'jsonl_file' if path.lower().endswith('.jsonl') else 'directory'}": path}


def _absolute(text: str, base: Path) -> str | None:
    return str(base.absolute() / cleaned_path(text)) if text.strip() else None
