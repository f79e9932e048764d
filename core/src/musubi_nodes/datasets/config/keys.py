"""Keys of the dataset TOML, and advice about wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musubi_nodes.datasets.config.messages import shown
from musubi_nodes.datasets.config.schema import General, ImageDataset, Kind, VideoDataset
from musubi_nodes.errors import Problem, did_you_mean

GENERAL_KEYS = tuple(General.model_fields)
KEYS: dict[Kind, tuple[str, ...]] = {
    "image": tuple(ImageDataset.model_fields),
    "video": tuple(VideoDataset.model_fields),
}
# Old spellings that v0.3.4 still maps (config_utils.load_user_config).
DEPRECATED = {
    "flux_kontext_no_resize_control": "no_resize_control",
    "qwen_image_edit_no_resize_control": "no_resize_control",
    "qwen_image_edit_control_resolution": "control_resolution",
}


OTHERS = {
    "subsets": "this is a TOML for sd-scripts; musubi-tuner has no subsets: write image_directory = '...' into "
    "[[datasets]] itself, one [[datasets]] for each image_dir",
    "image_dir": "this is sd-scripts' name (did you mean 'image_directory'?)",
    "metadata_file": "this is sd-scripts' name; write image_jsonl_file, with image_path and caption in each line",
    "class_tokens": "musubi-tuner takes captions from files; write a .txt beside each picture and remove it",
    "keep_tokens": "musubi-tuner leaves captions as they are; remove it",
    "shuffle_caption": "musubi-tuner leaves captions as they are; remove it",
    "caption_dropout_rate": "musubi-tuner leaves captions as they are; remove it",
    "flip_aug": "musubi-tuner trains from caches and does not change pictures; remove it",
    "color_aug": "musubi-tuner trains from caches and does not change pictures; remove it",
    "random_crop": "musubi-tuner trains from caches and does not change pictures; remove it",
    "directory": "this is a TOML for diffusion-pipe; write [[datasets]] with image_directory or video_directory",
    "enable_ar_bucket": "this is diffusion-pipe's name; write enable_bucket",
    "frame_buckets": "this is diffusion-pipe's name; write target_frames",
}
"""Keys of sd-scripts and diffusion-pipe."""
_FOREIGN = "key-of-another-trainer"


def renamed(section: Mapping[str, object]) -> dict[str, Any]:
    """Replace old spellings and drop nulls."""
    new = {key: value for key, value in section.items() if key not in DEPRECATED and value is not None}
    for old, now in DEPRECATED.items():
        if section.get(old) is not None:
            new.setdefault(now, section[old])
    return new


def stray_top_level(key: str, value: object) -> Problem:
    if key in {*KEYS["image"], *KEYS["video"]}:
        where = "[general] or [[datasets]]" if key in GENERAL_KEYS else "[[datasets]]"
        text = f"{key} = {shown(value)}: is outside of every section; put it under {where}"
        return Problem("key-misplaced", text)
    if key in OTHERS:
        return Problem(_FOREIGN, f"{key}: {OTHERS[key]}")
    if near := did_you_mean(key, ("general", "datasets")):
        return Problem("section-unknown", f"{key}: unknown section{near}")
    if near := did_you_mean(key, (*KEYS["image"], *KEYS["video"])):
        text = f"{key} = {shown(value)}: not a key of any section{near}; put it under [general] or [[datasets]]"
        return Problem("key-misplaced", text)
    return Problem("section-unknown", f"{key} = {shown(value)}: unknown section; remove it")


def unknown_in_general(key: str, value: object) -> Problem:
    place = f"general.{key} = {shown(value)}"
    if key in {*KEYS["image"], *KEYS["video"]}:
        text = f"{place}: does not belong in [general]; put it under each [[datasets]] that needs it"
        return Problem("key-misplaced", text)
    return _unknown(place, key, GENERAL_KEYS)


def unknown_in_dataset(where: str, key: str, value: object, kind: Kind | None) -> Problem:
    place = f"{where}.{key} = {shown(value)}"
    if kind is None:
        return _unknown(place, key, (*KEYS["image"], *KEYS["video"]))
    if kind == "image" and key in KEYS["video"]:
        text = f"{place}: only video datasets have it, and this is an image dataset; {_OTHER.format('a video')}"
        return Problem("key-misplaced", text)
    if kind == "video" and key in KEYS["image"]:
        text = f"{place}: only image datasets have it, and this is a video dataset; {_OTHER.format('an image')}"
        return Problem("key-misplaced", text)
    return _unknown(place, key, KEYS[kind])


_OTHER = "remove it, or give {}_directory instead"


def _unknown(place: str, key: str, known: tuple[str, ...]) -> Problem:
    if key in OTHERS:
        return Problem(_FOREIGN, f"{place}: {OTHERS[key]}")
    return Problem("key-unknown", f"{place}: unknown key{did_you_mean(key, known) or '; remove it'}")
