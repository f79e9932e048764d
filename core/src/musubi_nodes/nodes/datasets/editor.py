"""Makes one entry of a dataset TOML, or edits one; several are a chain."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator
from typing_extensions import Self

from musubi_nodes.datasets.check_content import OnMissing
from musubi_nodes.datasets.saving import save_toml
from musubi_nodes.datasets.schema import DatasetConfig, FrameExtraction, effective
from musubi_nodes.datasets.toml import dumps
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, family_named
from musubi_nodes.families.fields import FamilyName, Widget
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.files import plain_name
from musubi_nodes.nodes.datasets.entry import edited, made, numbers
from musubi_nodes.nodes.datasets.loader import check_cache_folder, checked, dataset_path, fingerprint_of

ADVANCED, SIDE = Widget(advanced=True), Widget(step=16)


class DatasetConfigEditor(Node):
    """Makes a dataset of images or videos, checks it, and writes its TOML to musubi/datasets in the output folder. For
    several datasets, connect one node to the next through previous. With the path of an existing TOML it edits one of
    its entries; that file itself is left as it is."""

    id, title, category = "MusubiTuner_DatasetConfigEditor", "Dataset Config Editor", "MusubiTuner/Dataset"
    search = (
        "dataset",
        "captions",
        "buckets",
        "resolution",
        "repeats",
        "training images",
        "データセット",
        "キャプション",
    )

    class Inputs(NodeInputs):
        previous: Dataset | None = Field(None, description="Datasets that come before this one.")
        name: str = Field("dataset", description="Name of the TOML. The last node of a chain holds all of them.")
        kind: Literal["image", "video"] = Field("image", description="What lies in source.")
        source: str = Field(
            "",
            description="Folder of images or videos with a caption file each, or a .jsonl file. A relative path counts "
            "from ComfyUI's input folder. Empty: the source of the entry that is edited.",
        )
        width: Annotated[int, SIDE] = Field(960, ge=16, le=8192, description="Width of resolution, in pixels.")
        height: Annotated[int, SIDE] = Field(544, ge=16, le=8192, description="Height of resolution, in pixels.")
        caption_extension: str = Field(".txt", description="Ending of the caption files, with its dot.")
        enable_bucket: bool = Field(
            True, description="Keep aspect ratios: the resolution is an area then, and items go to sizes near it."
        )
        bucket_no_upscale: bool = Field(False, description="With buckets: never enlarge a small image.")
        batch_size: int = Field(1, ge=1, le=1024, description="Items that go through the model together.")
        num_repeats: int = Field(1, ge=1, le=100_000, description="How often each item is seen in an epoch.")
        target_frames: str = Field(
            "", description="Videos: lengths of the clips in frames, such as 1, 25, 45. Wanted: N*4+1."
        )
        frame_extraction: FrameExtraction = Field(
            "head",
            description="Videos: clips from the head, in chunks, in a sliding window (frame_stride), at uniform places "
            "(frame_sample), or the full video (max_frames).",
        )
        source_fps: float = Field(
            0.0,
            ge=0.0,
            le=1000.0,
            description="Videos: frame rate of the files; frames are dropped to reach the model's. 0: all are used.",
        )
        family: Annotated[str | None, FamilyName()] = Field(
            None,
            description="For which model family frame lengths and rates are checked. any: what all have in common.",
        )
        missing_captions: OnMissing = Field(
            "error", description="Images without a caption: stop, or leave them out (musubi-tuner does so silently)."
        )
        cache_directory: str = Field(
            "", description="Where the caches lie. Empty: musubi/cache in the output folder; a .jsonl file needs one."
        )
        control_directory: str = Field("", description="Control images or videos of the same names.")
        toml: str = Field("", description="An existing TOML to begin with. Empty: this node makes a new entry.")
        entry: int = Field(0, ge=0, le=999, description="Which [[datasets]] of that TOML is edited; 0 is the first.")
        replace: Literal["changed", "all"] = Field(
            "changed",
            description="What is replaced in that entry: the values that differ from those of a new node, or all.",
        )
        frame_stride: Annotated[int, ADVANCED] = Field(
            1, ge=1, le=100_000, description="For slide: frames between the starts of two clips."
        )
        frame_sample: Annotated[int, ADVANCED] = Field(1, ge=1, le=10_000, description="For uniform: number of clips.")
        max_frames: Annotated[int, ADVANCED] = Field(129, ge=1, le=100_000, description="For full: the longest clip.")
        multiple_target: Annotated[bool, ADVANCED] = Field(
            False, description="Images: x.png, x_1.png, x_2.png are one item (layered models)."
        )
        no_resize_control: Annotated[bool, ADVANCED] = Field(False, description="Keep the size of control images.")
        control_width: Annotated[int, Widget(advanced=True, step=16)] = Field(
            0, ge=0, le=8192, description="Width of control_resolution. 0: as the images."
        )
        control_height: Annotated[int, Widget(advanced=True, step=16)] = Field(
            0, ge=0, le=8192, description="Height of control_resolution. 0: as the images."
        )
        fp_latent_window_size: Annotated[int, ADVANCED] = Field(
            9, ge=1, le=100, description="FramePack: latent frames in a section."
        )
        fp_1f_clean_indices: Annotated[str, ADVANCED] = Field(
            "", description="FramePack, one frame: indices of the control images, such as 0, 10."
        )
        fp_1f_target_index: Annotated[int | None, ADVANCED] = Field(
            None, ge=0, le=1000, description="FramePack, one frame: index of the target. -1: not set."
        )
        fp_1f_no_post: Annotated[bool, ADVANCED] = Field(
            False, description="FramePack, one frame: no clean latent after the target."
        )

        _plain = field_validator("name")(plain_name)

        @field_validator("target_frames", "fp_1f_clean_indices")
        @classmethod
        def _are_numbers(cls, value: str) -> str:
            numbers(value)
            return value

        @model_validator(mode="after")
        def _fits(self) -> Self:
            if bool(self.control_width) != bool(self.control_height):
                raise ValueError("control_width and control_height: set both, or 0 for both")
            return self

    class Outputs(NodeOutputs):
        dataset: Dataset = Field(description="The checked datasets of the chain, for the cache nodes.")
        summary: str = Field(description="What is in them, as text.")
        toml: str = Field(description="The text of the TOML.")
        path: str = Field(description="Where it was written.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        family = family_named(context.services.families, inputs.family)
        own = self.own(inputs, context)
        before = effective(inputs.previous.config) if inputs.previous else ()
        config = DatasetConfig(datasets=(*before, *effective(own)))
        path = context.host.output_folder / "musubi" / "datasets" / f"{inputs.name}.toml"
        missing = _stricter(inputs.missing_captions, inputs.previous)
        dataset, report = checked(config, path, inputs.name, context, missing, family)
        text = dumps(config)
        kept = save_toml(path, text)
        lines = [*_rule(family, config), report.summary(), f"written to {path}"]
        if kept:
            lines.append(f"the file that was there had comments, which cannot be carried over; it is now {kept.name}")
        summary = "\n".join(lines)
        context.show(text=summary)
        return self.Outputs(dataset=dataset, summary=summary, toml=text, path=str(path))

    def changed(self, inputs: Any, context: Context) -> str:
        family = family_named(context.services.families, inputs.family)
        return fingerprint_of(self.own(inputs, context), context, inputs.missing_captions, family)

    def own(self, inputs: Any, context: Context) -> DatasetConfig:
        """This node's entry, or the TOML that it edits."""
        base = context.host.input_folder()
        is_new = not inputs.toml.strip()
        config = made(inputs, base) if is_new else edited(inputs, dataset_path(inputs.toml, context), base)
        if inputs.cache_directory.strip():
            check_cache_folder(config.datasets[0 if is_new else inputs.entry], context)
        return config


def _rule(family: Family | None, config: DatasetConfig) -> list[str]:
    if family is None or all(dataset.kind == "image" for dataset in config.datasets):
        return []
    return [f"{family.title} takes {family.frame_rule.explain()} at {family.fps} frames a second"]


def _stricter(own: OnMissing, previous: Dataset | None) -> OnMissing:
    return "error" if own == "error" or (previous and previous.missing_captions == "error") else "skip"
