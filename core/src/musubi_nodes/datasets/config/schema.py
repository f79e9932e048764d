"""Models of the dataset TOML (dataset/config_utils.py, v0.3.4).

``[general]`` applies to fields that are not in ``model_fields_set``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator

from musubi_nodes.errors import InvalidValue

Kind = Literal["image", "video"]
FrameExtraction = Literal["head", "chunk", "slide", "uniform", "full"]
Count = Annotated[StrictInt, Field(ge=1)]
Frames = Annotated[StrictInt, Field(ge=1, le=100_000)]
Index = Annotated[StrictInt, Field(ge=-100_000, le=100_000)]
MOST_NUMBERS = 100  # of a list
Side = Annotated[StrictInt, Field(ge=16, le=8192)]
Fps = Annotated[float, Field(strict=True, gt=0, le=1000, allow_inf_nan=False)]
SOURCE_FIELDS = ("image_directory", "image_jsonl_file", "video_directory", "video_jsonl_file")
PATH_FIELDS = (*SOURCE_FIELDS, "cache_directory", "control_directory")


def _pair(value: object) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def one_ending(value: str | None) -> str | None:
    """Validate: musubi-tuner globs "*" + extension."""
    if value is None:
        return None
    if not value.startswith("."):
        raise InvalidValue("caption-extension-invalid", f"must begin with a dot: '.{value or 'txt'}'")
    if not 2 <= len(value) <= 40 or not value.isprintable() or set(value[1:]) & set("./\\*?[] "):
        raise InvalidValue("caption-extension-invalid", "must be one ending such as '.txt'")
    return value


class General(BaseModel):
    """``[general]``: defaults of all datasets."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    resolution: tuple[Side, Side] = Field((960, 544), description="Width and height in pixels; one number is a square.")
    caption_extension: StrictStr | None = Field(None, description="Ending of the caption files, with its dot.")
    batch_size: Count = Field(1, le=1024, description="Items that go through the model together.")
    num_repeats: Count = Field(1, le=100_000, description="How often each item is seen in an epoch.")
    enable_bucket: StrictBool = Field(
        False,
        description="Keep aspect ratios: the resolution is then an area, and items are resized to shapes of about "
        "that area.",
    )
    bucket_no_upscale: StrictBool = Field(False, description="With buckets: never enlarge a small image.")

    _scalar_resolution = field_validator("resolution", mode="before")(_pair)

    _ending = field_validator("caption_extension")(one_ending)


class _Folders(General):
    cache_directory: Path | None = Field(None, description="Folder of the caches.")
    control_directory: Path | None = Field(None, description="Control images or videos of the same names.")
    fp_latent_window_size: Count = Field(9, le=100, description="FramePack: latent frames in a section.")


class ImageDataset(_Folders):
    """A ``[[datasets]]`` of images."""

    image_directory: Path | None = Field(None, description="Folder of images and caption files.")
    image_jsonl_file: Path | None = Field(None, description="JSONL lines with image_path and caption.")
    multiple_target: StrictBool = Field(
        False, description="Images: x.png, x_1.png, x_2.png are one item (layered models)."
    )
    fp_1f_clean_indices: tuple[Index, ...] | None = Field(
        None, max_length=MOST_NUMBERS, description="FramePack, one frame: indices of the control images, such as 0, 10."
    )
    fp_1f_target_index: Index | None = Field(None, description="FramePack, one frame: index of the target.")
    fp_1f_no_post: StrictBool = Field(False, description="FramePack, one frame: no clean latent after the target.")
    no_resize_control: StrictBool = Field(False, description="Keep the size of control images.")
    control_resolution: tuple[Side, Side] | None = Field(None, description="Size of control images.")

    _scalar_control = field_validator("control_resolution", mode="before")(_pair)

    @property
    def kind(self) -> Kind:
        return "image"

    @property
    def directory(self) -> Path | None:
        return self.image_directory

    @property
    def jsonl_file(self) -> Path | None:
        return self.image_jsonl_file


class VideoDataset(_Folders):
    """A ``[[datasets]]`` of videos."""

    video_directory: Path | None = Field(None, description="Folder of videos and caption files.")
    video_jsonl_file: Path | None = Field(None, description="JSONL lines with video_path and caption.")
    target_frames: tuple[Frames, ...] = Field(
        (1,),
        min_length=1,
        max_length=MOST_NUMBERS,
        description="Videos: lengths of the clips in frames, such as 1, 25, 45. Wanted: N*4+1.",
    )
    frame_extraction: FrameExtraction = Field(
        "head",
        description="Videos: clips from the head, in chunks, in a sliding window (frame_stride), at uniform places "
        "(frame_sample), or the full video (max_frames).",
    )
    frame_stride: Frames = Field(1, description="For slide: frames between the starts of two clips.")
    frame_sample: Count = Field(1, le=10_000, description="For uniform: number of clips.")
    max_frames: Frames = Field(129, description="For full: the longest clip.")
    source_fps: Fps | None = Field(
        None, description="Videos: frame rate of the files; frames are dropped to reach the model's."
    )

    @property
    def kind(self) -> Kind:
        return "video"

    @property
    def directory(self) -> Path | None:
        return self.video_directory

    @property
    def jsonl_file(self) -> Path | None:
        return self.video_jsonl_file


DatasetSection = ImageDataset | VideoDataset
FIELDS = {**ImageDataset.model_fields, **VideoDataset.model_fields}


class DatasetConfig(BaseModel):
    """A dataset TOML, with absolute paths once loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    general: General = Field(default_factory=General)
    datasets: tuple[ImageDataset | VideoDataset, ...] = Field(min_length=1)


def effective(config: DatasetConfig) -> tuple[DatasetSection, ...]:
    """Fill in ``[general]`` (config_utils.py, v0.3.4)."""
    shared = {name: getattr(config.general, name) for name in config.general.model_fields_set}
    return tuple(
        dataset.model_copy(update={n: v for n, v in shared.items() if n not in dataset.model_fields_set})
        for dataset in config.datasets
    )


def joined(first: DatasetConfig, second: DatasetConfig) -> DatasetConfig:
    """Join datasets under ``first``'s ``[general]``; all keep their values."""
    if second.general == first.general:
        others = second.datasets
    else:
        shared = first.general.model_fields_set
        others = tuple(d.model_copy(update={name: getattr(d, name) for name in shared}) for d in effective(second))
    return DatasetConfig(general=first.general, datasets=(*first.datasets, *others))


def source_of(dataset: DatasetSection) -> Path:
    source = dataset.directory or dataset.jsonl_file
    if source is None:
        raise InvalidValue("dataset-source-missing", "a dataset needs a directory or a JSONL file")
    return source


def cache_folder_of(dataset: DatasetSection) -> Path | None:
    """Return musubi-tuner's cache folder; None for JSONL without one."""
    return dataset.cache_directory or dataset.directory
