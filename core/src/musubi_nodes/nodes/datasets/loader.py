"""The node Dataset Config Loader, and the checks it shares."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from musubi_nodes.datasets.checks.check import Report
from musubi_nodes.datasets.checks.check_content import OnMissing, no_source
from musubi_nodes.datasets.config.schema import DatasetConfig, ImageDataset, VideoDataset, effective, source_of
from musubi_nodes.datasets.config.toml import load
from musubi_nodes.datasets.files.listing import led_to
from musubi_nodes.datasets.scan.fingerprint import fingerprint
from musubi_nodes.datasets.scan.folder import MISSING_FOLDER
from musubi_nodes.datasets.scan.jsonl import MISSING_FILE, named_files, named_shares
from musubi_nodes.datasets.scan.report import raise_errors
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.datasets.scan.scan_cache import Found, ScanCache
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.input_files import allowed_roots, outside, readable
from musubi_nodes.families.judging import cannot_take, judge_files
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.files import is_inside, slug
from musubi_nodes.i18n import translate
from musubi_nodes.nodes.reading import readable_file

OnErrors = Literal["stop", "show"]
ON_ERRORS = (
    "If something is wrong with the dataset: stop, or pass it on for the Dataset Viewer; cache nodes refuse it then."
)


class DatasetConfigLoader(Node):
    """Reads an existing dataset TOML of musubi-tuner and checks it: unknown keys, missing folders, media without
    captions, shared cache folders, frame rules. Relative paths in it count from its own folder."""

    id, title, category = "MusubiTuner_DatasetConfigLoader", "Dataset Config Loader", "MusubiTuner/Dataset"
    search = ("dataset", "toml", "load images", "captions", "training data", "データセット", "学習データ")

    class Inputs(NodeInputs):
        path: str = Field("", description="The dataset TOML. Quotes around a pasted path do no harm.")
        missing_captions: Literal["error", "skip"] = Field(
            "error", description="Images without a caption: stop, or leave them out (musubi-tuner does so silently)."
        )
        on_errors: Annotated[OnErrors, Widget(added=1)] = Field("stop", description=ON_ERRORS)

    class Outputs(NodeOutputs):
        dataset: Dataset = Field(description="The checked dataset, for the cache nodes.")
        summary: str = Field(description="What is in it, as text.")

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        path = dataset_path(inputs.path, context)
        name = slug(path.stem if path.stem != "dataset" else f"{path.parent.name}_{path.stem}")
        asked = CheckOptions(inputs.missing_captions, inputs.on_errors)
        dataset, report = checked(load(path), path, name, context, asked)
        context.show(text=report.summary())
        return self.Outputs(dataset=dataset, summary=report.summary())

    def changed(self, inputs: Inputs, context: Context) -> str:
        asked = CheckOptions(inputs.missing_captions)
        return fingerprint_of(load(dataset_path(inputs.path, context)), context, asked)

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "path" not in linked:
            config = load(dataset_path(values["path"], context))
            if values["on_errors"] == "stop" and "on_errors" not in linked:
                raise_early_errors(config, context)


@dataclass(frozen=True)
class CheckOptions:
    """How to check a dataset; without ``family`` by common rules."""

    missing_captions: OnMissing = "error"
    on_errors: OnErrors = "stop"
    family: Family | None = None

    def known(self, config: DatasetConfig, context: Context) -> ScanCache:
        rules = f" {self.family.frame_rule} {self.family.fps}" if self.family else ""
        return ScanCache(config, f"{self.missing_captions}{rules}", context.services.recent_scan)


def checked(
    config: DatasetConfig, source: Path, name: str, context: Context, asked: CheckOptions
) -> tuple[Dataset, Report]:
    """Check a dataset; raise for its errors unless ``asked`` to show them."""
    check_roots(config, context)
    known = asked.known(config, context)
    found = known.find() if context.host.trusted else None  # otherwise scan for links that lead outside
    if found is None:
        items = scan(config)
        report = judge_files(items, config, asked.missing_captions, asked.family)
        found = Found(fingerprint(config, items), report)
        known.keep(found)
    report = found.report.with_errors(cannot_take(asked.family, config))
    if asked.on_errors == "stop":
        report.raise_errors()
    dataset = Dataset(
        name=name,
        source=source,
        config=config,
        fingerprint=found.fingerprint,
        missing_captions=asked.missing_captions,
        errors=report.errors,
    )
    return dataset, report


def fingerprint_of(config: DatasetConfig, context: Context, asked: CheckOptions) -> str:
    """Return the dataset's fingerprint, errors or not."""
    check_roots(config, context)
    before = asked.known(config, context).ask()
    return before.fingerprint if before else fingerprint(config, scan(config))


def raise_early_errors(config: DatasetConfig, context: Context, family: Family | None = None) -> None:
    """Raise for errors that are known without scanning folders."""
    found = cannot_take(family, config)
    for number, part in enumerate(effective(config)):
        source = source_of(part)
        readable(source, context)
        if not os.path.exists(source):  # noqa: PTH110 - never raises, whatever the name is
            trouble = MISSING_FOLDER if part.directory else MISSING_FILE
            found.append(no_source(f"datasets[{number}]", part, trouble))
    raise_errors(found)


def dataset_path(text: str, context: Context) -> Path:
    if not text.strip():
        raise MusubiError("path-empty", "no dataset TOML is given", fix="Type the path of the .toml file.")
    return readable_file(text, "dataset TOML", context)


def check_roots(config: DatasetConfig, context: Context) -> None:
    """Raise for files and links outside the allowed folders.

    On loopback only network shares are checked.
    """
    trusted = context.host.trusted
    for part in effective(config):
        for path in (part.directory, part.jsonl_file, part.control_directory, part.cache_directory):
            if path:
                readable(path, context)
        check_inside(map(Path, named_shares(part) if trusted else named_files(part)), context)
        for folder in filter(None, (part.directory, part.control_directory)):
            check_inside(led_to(folder) if not trusted else (), context)


def check_cache_folder(part: ImageDataset | VideoDataset, context: Context) -> None:
    if part.cache_directory is None:
        return
    source, roots = source_of(part), allowed_roots(context)
    if context.host.trusted:
        beside = source.parent if source.parent != Path(source.anchor) else source
        roots += [beside]
    if not is_inside(part.cache_directory, roots):
        raise MusubiError(
            "path-not-allowed",
            f"cache_directory {part.cache_directory} lies neither beside the dataset nor in an allowed folder",
            why="A workflow may come from a stranger, and caches are written there.",
            fix=translate(
                "Choose a folder in {folder}, leave it empty, or add the folder to read_roots in config.toml.",
                folder=roots[-1],
            ),
        )


def check_inside(paths: Iterable[Path], context: Context) -> None:
    """Raise for the first path outside the allowed folders."""
    roots = allowed_roots(context)
    for path in paths:
        if not is_inside(path, roots):
            raise outside(path)
