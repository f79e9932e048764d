"""Where a dataset's items come from: folders and JSONL files, with upstream's log lines and refusals."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .config import ImageParams, VideoParams
from .media import VIDEO_EXTENSIONS, find_files, find_images

LOG = logging.getLogger("musubi_tuner.dataset.datasources")


@dataclass(frozen=True)
class Source:
    """One image or video; its caption is read when it is needed, because a missing one fails there upstream."""

    path: str
    written_caption: str | None = None
    caption_path: str = ""
    controls: list[str] = field(default_factory=list)

    @property
    def caption(self) -> str:
        """The caption's text; :class:`FileNotFoundError` where the caption file is missing."""
        if self.written_caption is not None:
            return self.written_caption
        with open(self.caption_path, encoding="utf-8") as file:
            return file.read().strip()


def _caption_path(path: str, extension: str | None) -> str:
    return str(Path(path).with_suffix("")) + extension if extension else ""


def _json_lines(path: str) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def image_sources(params: ImageParams) -> list[Source]:
    """The images of a dataset with their captions and control images."""
    wanted = len(params.fp_1f_clean_indices) if params.fp_1f_clean_indices is not None else 1
    if params.image_directory is not None:
        return _images_of_folder(params.image_directory, params, wanted)
    return _images_of_jsonl(str(params.image_jsonl_file), wanted)


def _images_of_folder(folder: str, params: ImageParams, wanted: int) -> list[Source]:
    LOG.info(f"glob images in {folder}")
    paths = find_images(folder, params.caption_extension)
    LOG.info(f"found {len(paths)} images")
    controls: dict[str, list[str]] = {}
    if params.control_directory is not None:
        controls = _matching_controls(paths, params.control_directory, wanted)
    return [
        Source(path, caption_path=_caption_path(path, params.caption_extension), controls=controls.get(path, []))
        for path in paths
    ]


def _matching_controls(paths: list[str], folder: str, wanted: int) -> dict[str, list[str]]:
    LOG.info(f"glob control images in {folder}")
    free = set(find_images(folder))
    controls = {}
    for path in sorted(paths, key=lambda path: len(Path(path).name), reverse=True):
        stem = Path(path).stem
        found = [name for name in free if Path(name).name.startswith((f"{stem}.", f"{stem}_"))]
        free.difference_update(found)
        if not found:
            continue
        found.sort(key=lambda name: _control_number(Path(name).stem, stem))
        if len(found) < wanted:
            message = f"Not enough control images for {path}: found {len(found)}, expected {wanted}"
            LOG.error(message)
            raise ValueError(message)
        controls[path] = found[:wanted]
    LOG.info(f"found {len(controls)} matching control images for {wanted} images")
    if controls:
        LOG.info(f"  {len(controls)} images have {wanted} control images")
    if len(controls) < len(paths):
        missing = set(paths) - set(controls)
        LOG.error(f"Could not find matching control images for {len(missing)} images: {missing}")
        raise ValueError(f"Could not find matching control images for {len(missing)} images")
    return controls


def _control_number(name: str, stem: str) -> int:
    if name == stem:
        return 0
    digits = name.rsplit("_", 1)[-1]
    if not digits.isdigit():
        raise ValueError(f"Invalid digits suffix in {name}")
    return int(digits) + 1


def _images_of_jsonl(path: str, wanted: int) -> list[Source]:
    LOG.info(f"load image jsonl from {path}")
    rows = _json_lines(path)
    LOG.info(f"loaded {len(rows)} images")
    with_controls = any(key.startswith("control_path") for row in rows for key in row)
    sources = []
    for row in rows:
        keys = sorted((key for key in row if key.startswith("control_path")), key=lambda key: (len(key), key))
        image = str(row.get("image_path", row.get("image_path_0")))
        sources.append(Source(image, row["caption"], controls=[row[key] for key in keys][:wanted]))
    if with_controls:
        _refuse_missing(sources, wanted)
        LOG.info(f"found {len(rows)} images with {wanted} control images per image in JSONL data")
    return sources


def _refuse_missing(sources: list[Source], wanted: int) -> None:
    missing = [source.path for source in sources if len(source.controls) < wanted]
    if missing:
        LOG.error(f"Some images do not have control paths in JSONL data: {missing}")
        raise ValueError(f"Some images do not have control paths in JSONL data: {missing}")


def video_sources(params: VideoParams) -> list[Source]:
    """The videos of a dataset with their captions and control videos."""
    if params.video_directory is not None:
        return _videos_of_folder(params.video_directory, params)
    if params.video_jsonl_file is not None:
        return _videos_of_jsonl(params.video_jsonl_file)
    raise AttributeError("'VideoDataset' object has no attribute 'datasource'")


def _videos_of_folder(folder: str, params: VideoParams) -> list[Source]:
    LOG.info(f"glob videos in {folder}")
    paths = find_files(folder, VIDEO_EXTENSIONS)
    LOG.info(f"found {len(paths)} videos")
    controls: dict[str, str] = {}
    if params.control_directory is not None:
        controls = _control_videos(paths, params.control_directory)
    return [
        Source(
            path,
            caption_path=_caption_path(path, params.caption_extension),
            controls=[controls[path]] if path in controls else [],
        )
        for path in paths
    ]


def _control_videos(paths: list[str], folder: str) -> dict[str, str]:
    LOG.info(f"glob control videos in {folder}")
    controls = {}
    for path in paths:
        stem = Path(folder, Path(path).stem)
        candidates = [Path(folder, Path(path).name), *([stem] if stem.is_dir() else [])]
        candidates += [Path(f"{stem}{extension}") for extension in VIDEO_EXTENSIONS]
        if match := next((candidate for candidate in candidates if candidate.exists()), None):
            controls[path] = str(match)
    LOG.info(f"found {len(controls)} matching control videos/images")
    missing = [path for path in paths if path not in controls]
    if missing:
        LOG.error(f"Could not find matching control videos/images for {len(missing)} videos: {missing}")
        raise ValueError(f"Could not find matching control videos/images for {len(missing)} videos")
    return controls


def _videos_of_jsonl(path: str) -> list[Source]:
    LOG.info(f"load video jsonl from {path}")
    rows = _json_lines(path)
    LOG.info(f"loaded {len(rows)} videos")
    if any("control_path" in row for row in rows):
        missing = [row["video_path"] for row in rows if "control_path" not in row]
        if missing:
            LOG.error(f"Some videos do not have control paths in JSONL data: {missing}")
            raise ValueError(f"Some videos do not have control paths in JSONL data: {missing}")
        LOG.info(f"found {len(rows)} control videos/images in JSONL data")
    return [
        Source(
            row["video_path"],
            row["caption"],
            controls=[row["control_path"]] if row.get("control_path") else [],
        )
        for row in rows
    ]
