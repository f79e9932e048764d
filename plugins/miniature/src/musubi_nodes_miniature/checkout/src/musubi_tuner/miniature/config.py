"""The dataset TOML: read, checked with upstream's schema and messages (dataset/config_utils.py, v0.3.4), typed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import tomli

from .buckets import Size
from .errors import MultipleInvalid, TomlDecodeError

LOG = logging.getLogger("musubi_tuner.dataset.config_utils")

Check = Callable[[Any, str], None]
"""Refuses a value found at a path such as ``data['datasets'][0]['batch_size']``."""


@dataclass(frozen=True, kw_only=True)
class DatasetParams:
    """One ``[[datasets]]`` with what it inherits from ``[general]`` and the defaults."""

    resolution: Size = (960, 544)
    enable_bucket: bool = False
    bucket_no_upscale: bool = False
    caption_extension: str | None = None
    batch_size: int = 1
    num_repeats: int = 1
    cache_directory: str | None = None
    control_directory: str | None = None
    fp_latent_window_size: int = 9


@dataclass(frozen=True, kw_only=True)
class ImageParams(DatasetParams):
    """A dataset of images."""

    image_directory: str | None = None
    image_jsonl_file: str | None = None
    multiple_target: bool = False
    fp_1f_clean_indices: list[int] | None = None
    fp_1f_target_index: int | None = None
    fp_1f_no_post: bool = False
    no_resize_control: bool = False
    control_resolution: Size | None = None


@dataclass(frozen=True, kw_only=True)
class VideoParams(DatasetParams):
    """A dataset of videos."""

    video_directory: str | None = None
    video_jsonl_file: str | None = None
    target_frames: tuple[int, ...] = (1,)
    frame_extraction: str = "head"
    frame_stride: int = 1
    frame_sample: int = 1
    max_frames: int = 129
    source_fps: float | None = None


def _kind(kind: type) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, kind):
            raise MultipleInvalid(f"expected {kind.__name__} for dictionary value @ {path}")

    return check


def _size(value: Any, path: str) -> None:
    pair = isinstance(value, list) and len(value) == 2 and all(isinstance(side, int) for side in value)
    if not pair and not isinstance(value, int):
        raise MultipleInvalid(f"expected int for dictionary value @ {path}")


def _integers(value: Any, path: str) -> None:
    if not isinstance(value, list):
        raise MultipleInvalid(f"expected a list for dictionary value @ {path}")
    for index, item in enumerate(value):
        if not isinstance(item, int):
            raise MultipleInvalid(f"expected int @ {path}[{index}]")


GENERAL: dict[str, Check] = {
    "caption_extension": _kind(str),
    "batch_size": _kind(int),
    "num_repeats": _kind(int),
    "resolution": _size,
    "enable_bucket": _kind(bool),
    "bucket_no_upscale": _kind(bool),
}
EITHER: dict[str, Check] = {
    **GENERAL,
    "cache_directory": _kind(str),
    "control_directory": _kind(str),
    "fp_latent_window_size": _kind(int),
}
IMAGES: dict[str, Check] = {
    **EITHER,
    "image_directory": _kind(str),
    "image_jsonl_file": _kind(str),
    "multiple_target": _kind(bool),
    "fp_1f_clean_indices": _integers,
    "fp_1f_target_index": _kind(int),
    "fp_1f_no_post": _kind(bool),
    "no_resize_control": _kind(bool),
    "control_resolution": _size,
}
VIDEOS: dict[str, Check] = {
    **EITHER,
    "video_directory": _kind(str),
    "video_jsonl_file": _kind(str),
    "target_frames": _integers,
    "frame_extraction": _kind(str),
    "frame_stride": _kind(int),
    "frame_sample": _kind(int),
    "max_frames": _kind(int),
    "source_fps": _kind(float),
}
RENAMED = {
    "flux_kontext_no_resize_control": "no_resize_control",
    "qwen_image_edit_no_resize_control": "no_resize_control",
    "qwen_image_edit_control_resolution": "control_resolution",
}


def _table(value: Any, schema: dict[str, Check], path: str, where: str = "") -> None:
    if not isinstance(value, dict):
        raise MultipleInvalid(f"expected a dictionary{where} @ {path}")
    for key, item in value.items():
        if key not in schema:
            raise MultipleInvalid(f"extra keys not allowed @ {path}[{key!r}]")
        schema[key](item, f"{path}[{key!r}]")


def _is_video(dataset: Any) -> bool:
    return isinstance(dataset, dict) and ("video_directory" in dataset or "video_jsonl_file" in dataset)


def check_config(config: dict[str, Any]) -> None:
    """Raise ``voluptuous.error.MultipleInvalid`` with upstream's text for the first thing that does not belong."""
    for key, value in config.items():
        if key == "general":
            _table(value, GENERAL, "data['general']", " for dictionary value")
        elif key == "datasets":
            if not isinstance(value, list):
                raise MultipleInvalid("expected a list for dictionary value @ data['datasets']")
            for index, dataset in enumerate(value):
                _table(dataset, VIDEOS if _is_video(dataset) else IMAGES, f"data['datasets'][{index}]")
        else:
            raise MultipleInvalid(f"extra keys not allowed @ data[{key!r}]")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file; syntax errors are raised as the ``toml`` package's."""
    text = path.read_text("utf-8")
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise _toml_error(str(error), text) from error


def _toml_error(message: str, text: str) -> TomlDecodeError:
    what, _, place = message.rpartition(" (at ")
    numbers = [int(word) for word in place.replace(",", " ").replace(")", " ").split() if word.isdigit()]
    line, column = numbers if len(numbers) == 2 else (text.count("\n") + 1, 1)
    offset = sum(len(row) for row in text.splitlines(keepends=True)[: line - 1]) + column - 1
    return TomlDecodeError(f"{what} (line {line} column {column} char {offset})")


def load_config(file: str | Path) -> dict[str, Any]:
    """The dataset configuration of a ``.toml`` or ``.json`` file, not yet checked."""
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"file not found / ファイルが見つかりません: {path}")
    readers = {".toml": read_toml, ".json": lambda path: json.loads(path.read_text("utf-8"))}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"not supported config file format / 対応していない設定ファイルの形式です: {path}")
    try:
        config: dict[str, Any] = reader(path)
    except Exception:
        kind = path.suffix[1:].upper()
        LOG.error(f"Error on parsing {kind} config file. Please check the format. : {path}")
        raise
    _rename_keys(config)
    return config


def _rename_keys(config: dict[str, Any]) -> None:
    datasets = config.get("datasets", [])
    sections = {"general": config.get("general")}
    sections |= {f"datasets[{i}]": item for i, item in enumerate(datasets if isinstance(datasets, list) else [])}
    for name, section in sections.items():
        for old, new in RENAMED.items():
            if isinstance(section, dict) and old in section:
                LOG.warning(f"Deprecated config key '{old}' found in {name}; use '{new}' instead.")
                section.setdefault(new, section[old])
                del section[old]


def dataset_params(config: dict[str, Any]) -> list[ImageParams | VideoParams]:
    """The checked configuration as one typed object per dataset."""
    try:
        check_config(config)
    except MultipleInvalid:
        LOG.error("Invalid user config / ユーザ設定の形式が正しくないようです")
        raise
    general = config.get("general", {})
    return [_params({**general, **dataset}) for dataset in config.get("datasets", [])]


def _params(table: dict[str, Any]) -> ImageParams | VideoParams:
    images = "image_directory" in table or "image_jsonl_file" in table
    kind = ImageParams if images else VideoParams
    known = {field.name for field in fields(kind)}
    values = {key: value for key, value in table.items() if key in known}
    for key in ("resolution", "control_resolution"):
        if key in values:
            value = values[key]
            values[key] = tuple(value) if isinstance(value, list) else (value, value)
    if "target_frames" in values:
        values["target_frames"] = tuple(values["target_frames"])
    if not values.get("enable_bucket"):
        values["bucket_no_upscale"] = False
    return kind(**values)
