"""Reads and validates dataset TOML.

Relative paths count from the TOML's folder, unlike in musubi-tuner.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from musubi_nodes.budget import spend
from musubi_nodes.datasets.config.cache_folders import with_cache_directories
from musubi_nodes.datasets.config.keys import (
    GENERAL_KEYS,
    KEYS,
    renamed,
    stray_top_level,
    unknown_in_dataset,
    unknown_in_general,
)
from musubi_nodes.datasets.config.messages import in_words, shown
from musubi_nodes.datasets.config.reading import parse_toml, read_file
from musubi_nodes.datasets.config.rules import config_problems
from musubi_nodes.datasets.config.schema import (
    PATH_FIELDS,
    DatasetConfig,
    DatasetSection,
    General,
    ImageDataset,
    Kind,
    VideoDataset,
    effective,
)
from musubi_nodes.errors import MusubiError, Problem, problems
from musubi_nodes.files import cleaned_path

__all__ = [
    "DatasetConfig",
    "DatasetSection",
    "General",
    "ImageDataset",
    "VideoDataset",
    "effective",
    "load",
    "loads",
    "parse",
    "with_cache_directories",
]

MOST_DATASETS, MOST_FINDINGS = 1_000, 100  # near misses are slow to find
_CORRECT = "Correct the file and queue again."


def load(path: Path) -> DatasetConfig:
    """Load a ``.toml`` or ``.json``; MusubiError with all findings."""
    return parse(read_file(path), base=path.absolute().parent, name=path.name)


def loads(text: str, *, base: Path, name: str = "dataset TOML") -> DatasetConfig:
    return parse(parse_toml(text.removeprefix("\ufeff"), name), base=base, name=name)


def parse(
    raw: Mapping[str, object], *, base: Path, name: str = "dataset TOML", what: str = "", fix: str = _CORRECT
) -> DatasetConfig:
    """Validate plain values; ``what`` and ``fix`` go into the error."""
    stray = [key for key in raw if key not in ("general", "datasets")]
    found = [stray_top_level(key, raw[key]) for key in stray[:MOST_FINDINGS]]
    general = _general(raw.get("general"), found)
    misspelt = "datasets" not in raw and any("'datasets'" in problem.text for problem in found)
    datasets = () if misspelt else _datasets(raw.get("datasets"), base.absolute(), found)
    if not found and general and datasets:
        config = DatasetConfig(general=general, datasets=datasets)
        found = config_problems(config)
        if not found:
            return config
    raise problems("dataset-invalid", what or f"the dataset file {name} does not fit", found, fix=fix)


def _general(raw: object, found: list[Problem]) -> General | None:
    if raw is None:
        return General()
    if not isinstance(raw, Mapping):
        found.append(Problem("section-invalid", f"general = {shown(raw)}: must be a section, written [general]"))
        return None
    section = renamed(raw)
    unknown = [key for key in section if key not in GENERAL_KEYS]
    found.extend(unknown_in_general(key, section[key]) for key in unknown[:MOST_FINDINGS])
    return _built(General, {k: v for k, v in section.items() if k in GENERAL_KEYS}, "general", found)


def _datasets(raw: object, base: Path, found: list[Problem]) -> tuple[DatasetSection, ...]:
    if isinstance(raw, Mapping):
        text = "datasets: each dataset begins with [[datasets]], in two pairs of brackets"
        found.append(Problem("section-invalid", text))
    elif not isinstance(raw, list) or not raw:
        text = "datasets: there is none; add a [[datasets]] section with image_directory or video_directory"
        found.append(Problem("datasets-missing", text))
    else:
        if len(raw) > MOST_DATASETS:
            text = f"datasets: there are {len(raw)}, more than {MOST_DATASETS}; split the file"
            found.append(Problem("datasets-too-many", text))
            return ()
        built = []
        for number, item in enumerate(raw):
            spend()
            if len(found) > MOST_FINDINGS:
                break
            built.append(_dataset(f"datasets[{number}]", item, base, found))
        return tuple(dataset for dataset in built if dataset)
    return ()


def _dataset(where: str, raw: object, base: Path, found: list[Problem]) -> DatasetSection | None:
    if not isinstance(raw, Mapping):
        found.append(Problem("section-invalid", f"{where} = {shown(raw)}: must be a section, written [[datasets]]"))
        return None
    section = renamed(raw)
    kind = _kind(where, section, found)
    if kind is None:
        return None
    unknown = [key for key in section if key not in KEYS[kind]]
    found.extend(unknown_in_dataset(where, key, section[key], kind) for key in unknown[:MOST_FINDINGS])
    known = {key: value for key, value in section.items() if key in KEYS[kind]}
    known.update(_paths(where, known, base, found))
    return _built(ImageDataset if kind == "image" else VideoDataset, known, where, found)


def _kind(where: str, section: Mapping[str, object], found: list[Problem]) -> Kind | None:
    sources = {kind: [k for k in (f"{kind}_directory", f"{kind}_jsonl_file") if k in section] for kind in KEYS}
    given = sources["image"] + sources["video"]
    if len(given) == 1:
        return "image" if sources["image"] else "video"
    if not given:
        unknown = [key for key in section if key not in {*KEYS["image"], *KEYS["video"]}]
        found.extend(unknown_in_dataset(where, key, section[key], None) for key in unknown[:MOST_FINDINGS])
        if "subsets" in section:
            return None  # its message says what to write
        needed = "image_directory, image_jsonl_file, video_directory or video_jsonl_file"
        has = f" (it has {', '.join(section)})" if section else ""
        text = f"{where}: nothing says where the media are{has}; add {needed}"
        found.append(Problem("dataset-source-missing", text))
    else:
        text = f"{where}: has {' and '.join(given)}; keep one and make a second [[datasets]] for the other"
        found.append(Problem("dataset-sources-conflict", text))
    return None


def _paths(where: str, section: Mapping[str, object], base: Path, found: list[Problem]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for key in PATH_FIELDS:
        text = section.get(key)
        if not isinstance(text, str):
            continue
        if any(ord(letter) < 32 for letter in text.strip()):
            line = f"{where}.{key}: {text!r:.80} contains a control character; write \\ as / or use single quotes"
            found.append(Problem("path-control-character", line))
        elif not text.strip(" '\""):
            line = f"{where}.{key} = {shown(text)}: is empty; give a path or remove it"
            found.append(Problem("path-empty", line))
        else:
            paths[key] = _absolute(f"{where}.{key}", text, base, found)
    return paths


def _absolute(where: str, text: str, base: Path, found: list[Problem]) -> Path:
    try:
        return base / cleaned_path(text)
    except MusubiError as error:
        found.append(Problem(error.code, f"{where}: {error}"))
        return base


def _built(model: type[Any], values: Mapping[str, object], where: str, found: list[Problem]) -> Any:
    try:
        return model(**values)
    except ValidationError as error:
        found.extend(in_words(where, error))
    except UnicodeEncodeError as error:  # JSON can contain lone surrogates
        half = error.object[error.start : error.end]
        found.append(Problem("text-half-character", f"{where}: a text contains half a character ({half!r}); remove it"))
    return None
