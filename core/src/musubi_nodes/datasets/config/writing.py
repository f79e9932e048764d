"""Writes dataset TOML, and keeps the comments of an edited file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.datasets.config.schema import SOURCE_FIELDS, DatasetConfig, DatasetSection, General, effective
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import write_json, write_text
from musubi_nodes.parsing import parse_toml

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def dump(config: DatasetConfig, path: Path) -> Path:
    """Write musubi-tuner's copy, with ``[general]`` folded in."""
    folded = DatasetConfig(datasets=effective(config))
    for number, dataset in enumerate(folded.datasets):
        if dataset.cache_directory is None:
            raise MusubiError(
                "cache-directory-missing",
                f"datasets[{number}] has no cache_directory",
                fix="Call with_cache_directories() first.",
            )
    if path.suffix.lower() == ".json":
        return write_json(path, _plain_values(folded))
    return write_text(path, dumps(folded))


def dumps(config: DatasetConfig, like: str = "") -> str:
    """Format as TOML with absolute paths, and with the comments of ``like``.

    ``batch_size`` is always written, since the cache scripts' option would set a
    missing one (BlueprintGenerator, v0.3.4). Other defaults are left out.
    """
    import tomlkit

    values = _plain_values(config)
    return (like and _merged(like, values)) or tomlkit.dumps(values)


def _merged(like: str, values: Mapping[str, Any]) -> str:
    """Return ``like`` with other values, or "" if it has another form."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(like)
        _update(document, values)
        text = tomlkit.dumps(document)
        return text if parse_toml(text) == values else ""
    except (TOMLKitError, LookupError, TypeError, ValueError, AttributeError):
        return ""


def _update(document: TOMLDocument, values: Mapping[str, Any]) -> None:
    import tomlkit

    if "general" in values:
        _replace(document.setdefault("general", tomlkit.table()), values["general"])
    else:
        document.pop("general", None)
    tables, wanted = document["datasets"], values["datasets"]
    del tables[len(wanted) :]
    for table, new in zip(tables, wanted, strict=False):
        _replace(table, new)
    for new in wanted[len(tables) :]:
        tables[-1].add(tomlkit.nl())
        tables.append(tomlkit.item(new))


def _replace(table: Any, values: Mapping[str, Any]) -> None:
    for key in [key for key in table if key not in values]:
        del table[key]
    for key, value in values.items():
        if key not in table or table[key] != value:
            table[key] = value


def _plain_values(config: DatasetConfig) -> dict[str, Any]:
    general = _table(config.general)
    always = {} if "batch_size" in general else {"batch_size": 1}
    tables = [_sources(dataset) | always | _table(dataset) for dataset in config.datasets]
    return ({"general": general} if general else {}) | {"datasets": tables}


def _sources(dataset: DatasetSection) -> dict[str, Any]:
    return {name: value for name, value in _table(dataset).items() if name in SOURCE_FIELDS}


def _table(section: General) -> dict[str, Any]:
    given = {name: getattr(section, name) for name in type(section).model_fields if name in section.model_fields_set}
    return {name: _plain(value) for name, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.absolute().as_posix()
    return list(value) if isinstance(value, tuple) else value
