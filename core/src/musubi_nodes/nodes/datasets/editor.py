"""The node Dataset Config Editor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, Field, field_validator

from musubi_nodes.commands.option import marker
from musubi_nodes.datasets.checks.check_content import OnMissing
from musubi_nodes.datasets.config.saving import has_comments, save_toml, toml_text
from musubi_nodes.datasets.config.schema import FIELDS, DatasetConfig, FrameExtraction, joined, one_ending
from musubi_nodes.datasets.config.writing import dumps
from musubi_nodes.errors import InvalidValue, MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, family_named
from musubi_nodes.families.fields import FamilyName, Widget
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.file_names import plain_name
from musubi_nodes.nodes.datasets.entry import Made, edited, made, numbers, widget_names
from musubi_nodes.nodes.datasets.loader import (
    ON_ERRORS,
    CheckOptions,
    OnErrors,
    check_cache_folder,
    checked,
    dataset_path,
    fingerprint_of,
    raise_early_errors,
)

ADVANCED, SIDE, CONTROL_SIDE = Widget(advanced=True), Widget(step=16), Widget(advanced=True, step=16, unset=0)
ADDED = Widget(added=1)


def of_toml(key: str, default: Any = ..., also: str = "", **limits: Any) -> Any:
    """Declare a field like ``key`` of the TOML, with ``also`` appended."""
    field = FIELDS[key]
    for name, kind in (("ge", Ge), ("le", Le)):
        if limit := marker(field, kind):
            limits.setdefault(name, getattr(limit, name))
    return Field(field.default if default is ... else default, description=f"{field.description}{also}", **limits)


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
        name: str = Field("dataset", description="Name of the TOML. The last node of a chain writes all its datasets.")
        kind: Literal["image", "video"] = Field("image", description="What source contains.")
        source: str = Field(
            "",
            description="Folder of images or videos with a caption file each, or a .jsonl file. A relative path counts "
            "from ComfyUI's input folder. Empty: the source of the entry that is edited.",
        )
        width: Annotated[int, SIDE] = Field(960, ge=16, le=8192, description="Width of resolution, in pixels.")
        height: Annotated[int, SIDE] = Field(544, ge=16, le=8192, description="Height of resolution, in pixels.")
        caption_extension: str = of_toml("caption_extension", ".txt")
        enable_bucket: bool = of_toml("enable_bucket", True)
        bucket_no_upscale: bool = of_toml("bucket_no_upscale")
        batch_size: int = of_toml("batch_size")
        num_repeats: int = of_toml("num_repeats")
        target_frames: str = of_toml("target_frames", "")
        frame_extraction: FrameExtraction = of_toml("frame_extraction")
        source_fps: Annotated[float | None, Widget(unset=0)] = of_toml(
            "source_fps", also=" 0: all are used.", ge=0.0, le=1000.0
        )
        family: Annotated[str | None, FamilyName()] = Field(
            None,
            description="The model family whose frame lengths and rates are checked. any: what all have in common.",
        )
        missing_captions: OnMissing = Field(
            "error", description="Images without a caption: stop, or leave them out (musubi-tuner does so silently)."
        )
        cache_directory: str = of_toml(
            "cache_directory", "", " Empty: one of its own in musubi/cache of the output folder."
        )
        control_directory: str = of_toml("control_directory", "")
        toml: str = Field("", description="An existing TOML to edit. Empty: this node makes a new entry.")
        entry: int = Field(0, ge=0, le=999, description="Which [[datasets]] of that TOML is edited; 0 is the first.")
        replace: Literal["changed", "all"] = Field(
            "changed",
            description="What is replaced in that entry. changed: the values of widgets that are not at their default, "
            "and of those that also_set names; all others stay. all: every value.",
        )
        frame_stride: Annotated[int, ADVANCED] = of_toml("frame_stride")
        frame_sample: Annotated[int, ADVANCED] = of_toml("frame_sample")
        max_frames: Annotated[int, ADVANCED] = of_toml("max_frames")
        multiple_target: Annotated[bool, ADVANCED] = of_toml("multiple_target")
        no_resize_control: Annotated[bool, ADVANCED] = of_toml("no_resize_control")
        control_width: Annotated[int | None, CONTROL_SIDE] = Field(
            None, ge=16, le=8192, description="Width of control_resolution. 0: as the images."
        )
        control_height: Annotated[int | None, CONTROL_SIDE] = Field(
            None, ge=16, le=8192, description="Height of control_resolution. 0: as the images."
        )
        fp_latent_window_size: Annotated[int, ADVANCED] = of_toml("fp_latent_window_size")
        fp_1f_clean_indices: Annotated[str, ADVANCED] = of_toml("fp_1f_clean_indices", "")
        fp_1f_target_index: Annotated[int | None, ADVANCED] = of_toml(
            "fp_1f_target_index", also=" -1: not set.", ge=0, le=1000
        )
        fp_1f_no_post: Annotated[bool, ADVANCED] = of_toml("fp_1f_no_post")
        also_set: Annotated[str, ADDED] = Field(
            "",
            description="With toml: names of widgets that are written although they are at their default, such as "
            "batch_size, width. An empty one removes the value of the file.",
        )
        write_to: Annotated[Literal["dataset", "general"], ADDED] = Field(
            "dataset",
            description="Where resolution, caption_extension, batch_size, num_repeats and the two bucket settings are "
            "written: in this [[datasets]], or in [general] as defaults for all.",
        )
        on_errors: Annotated[OnErrors, ADDED] = Field("stop", description=ON_ERRORS)

        _plain = field_validator("name")(lambda name: plain_name(name, ".toml"))

        _ending = field_validator("caption_extension")(one_ending)

        @field_validator("target_frames", "fp_1f_clean_indices")
        @classmethod
        def _are_numbers(cls, value: str) -> str:
            numbers(value)
            return value

        @field_validator("target_frames")
        @classmethod
        def _are_lengths(cls, value: str) -> str:
            if any(number < 1 for number in numbers(value)):
                raise InvalidValue("frames-not-allowed", "a clip has 1 frame or more")
            return value

        @field_validator("also_set")
        @classmethod
        def _are_widgets(cls, value: str) -> str:
            widget_names(value)
            return value

    class Outputs(NodeOutputs):
        dataset: Dataset = Field(description="The checked datasets of the chain, for the cache nodes.")
        summary: str = Field(description="What is in them, as text.")
        toml: str = Field(description="The text of the TOML.")
        path: str = Field(description="Where it was written.")

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        family = family_named(context.services.families, inputs.family)
        _check_chain(inputs.write_to, inputs.previous is not None)
        own = self.own(inputs, context)
        config = joined(inputs.previous.config, own.config) if inputs.previous else own.config
        path = context.host.output_folder / "musubi" / "datasets" / f"{inputs.name}.toml"
        missing = _stricter(inputs.missing_captions, inputs.previous)
        dataset, report = checked(config, path, inputs.name, context, CheckOptions(missing, inputs.on_errors, family))
        sources = _sources(inputs, context) or [path]
        text = dumps(config, toml_text(sources[0]))
        lines = [*own.told, *_rule(family, config), report.summary()]
        if report.errors:
            lines.append("nothing is written before this is mended")
        else:
            lines += [*_left_comments(sources, text), *_saved(path, text)]
        summary = "\n".join(lines)
        context.show(text=summary)
        return self.Outputs(dataset=dataset, summary=summary, toml=text, path=str(path))

    def changed(self, inputs: Inputs, context: Context) -> str:
        family = family_named(context.services.families, inputs.family)
        asked = CheckOptions(inputs.missing_captions, family=family)
        return fingerprint_of(self.own(inputs, context).config, context, asked)

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "write_to" not in linked:
            _check_chain(values["write_to"], "previous" in linked)
        if linked <= {"previous"}:
            inputs = self.Inputs.model_validate(values)
            config = self.own(inputs, context).config
            if inputs.on_errors == "stop":
                raise_early_errors(config, context, family_named(context.services.families, inputs.family))
        elif "toml" not in linked and values["toml"].strip():
            dataset_path(values["toml"], context)

    def own(self, inputs: Inputs, context: Context) -> Made:
        base = context.host.input_folder()
        is_new = not inputs.toml.strip()
        own = made(inputs, base) if is_new else edited(inputs, dataset_path(inputs.toml, context), base)
        if inputs.cache_directory.strip():
            check_cache_folder(own.config.datasets[0 if is_new else inputs.entry], context)
        return own


def _check_chain(write_to: str, has_previous: bool) -> None:
    if has_previous and write_to == "general":
        raise MusubiError(
            "settings-conflict",
            "write_to is general, but [general] is that of previous",
            fix="Set it in the first node of the chain.",
        )


def _saved(path: Path, text: str) -> list[str]:
    kept = save_toml(path, text)
    lost = f"the file that was there was written or edited by somebody else; it is kept as {kept.name}" if kept else ""
    return [f"written to {path}", *filter(None, [lost])]


def _sources(inputs: Any, context: Context) -> list[Path]:
    """Return the files whose entries the chain begins with and this node edits."""
    before = [inputs.previous.source] if inputs.previous else []
    return [*before, dataset_path(inputs.toml, context)] if inputs.toml.strip() else before


def _left_comments(sources: Sequence[Path], text: str) -> list[str]:
    kept = sources[:1] if has_comments(text) else []
    left = [source.name for source in sources if source not in kept and has_comments(toml_text(source))]
    return [f"the comments of {' and '.join(left)} stay there"] if left else []


def _rule(family: Family | None, config: DatasetConfig) -> list[str]:
    if family is None or family.frame_rule.pictures_only or all(each.kind == "image" for each in config.datasets):
        return []
    return [f"{family.title} takes {family.frame_rule.explain()} at {family.fps} frames a second"]


def _stricter(own: OnMissing, previous: Dataset | None) -> OnMissing:
    return "error" if own == "error" or (previous and previous.missing_captions == "error") else "skip"
