"""Loads a dataset TOML, checks it, and says what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from musubi_nodes.datasets.check import Report, check
from musubi_nodes.datasets.check_content import OnMissing
from musubi_nodes.datasets.fingerprint import fingerprint
from musubi_nodes.datasets.items import Scan
from musubi_nodes.datasets.known import Found, Known
from musubi_nodes.datasets.scan import scan
from musubi_nodes.datasets.schema import DatasetConfig, effective
from musubi_nodes.datasets.toml import load
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.input_files import allowed_roots, outside, readable
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.files import is_inside
from musubi_nodes.nodes.reading import readable_file


class DatasetConfigLoader(Node):
    """Reads an existing dataset TOML of musubi-tuner and checks it: unknown keys, missing folders, media without
    captions, shared cache folders, frame rules. Relative paths in it count from its own folder."""

    id, title, category = "MusubiTuner_DatasetConfigLoader", "Dataset Config Loader", "MusubiTuner/Dataset"

    class Inputs(NodeInputs):
        path: str = Field("", description="The dataset TOML. Quotes around a pasted path do no harm.")
        missing_captions: Literal["error", "skip"] = Field(
            "error", description="Images without a caption: stop, or leave them out (musubi-tuner does so silently)."
        )

    class Outputs(NodeOutputs):
        dataset: Dataset = Field(description="The checked dataset, for the cache nodes.")
        summary: str = Field(description="What is in it, as text.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        path = dataset_path(inputs.path, context)
        name = slug(path.stem if path.stem != "dataset" else f"{path.parent.name}_{path.stem}")
        dataset, report = checked(load(path), path, name, context, inputs.missing_captions)
        context.show(text=report.summary())
        return self.Outputs(dataset=dataset, summary=report.summary())

    def changed(self, inputs: Any, context: Context) -> str:
        return fingerprint_of(load(dataset_path(inputs.path, context)), context, inputs.missing_captions)


def checked(
    config: DatasetConfig,
    source: Path,
    name: str,
    context: Context,
    missing_captions: OnMissing,
    family: Family | None = None,
) -> tuple[Dataset, Report]:
    """The dataset for the wire and what is in it; a :class:`MusubiError` where a run would fail or lose items.

    Frame lengths and rates are judged for ``family``; without one, by what holds for all of them.
    """
    check_roots(config, context)
    rule, fps = (family.frame_rule, family.fps) if family else (None, None)
    known = Known(config, _judged(missing_captions, family))
    before = known.find() if context.host.trusted else None  # else every file is looked at: links may lead outside
    if before is None:
        found = scan(config)
        check_items(found, context)
        report = check(found, config, frame_rule=rule, fps=fps, missing_captions=missing_captions)
        report.raise_errors()
        before = Found(fingerprint(config, found), report)
        known.keep(before)
    dataset = Dataset(
        name=name,
        source=source,
        config=config,
        fingerprint=before.fingerprint,
        missing_captions=missing_captions,
    )
    return dataset, before.report


def fingerprint_of(
    config: DatasetConfig, context: Context, missing_captions: OnMissing, family: Family | None = None
) -> str:
    """Of what :func:`checked` looks at; a dataset with errors has one too."""
    check_roots(config, context)
    before = Known(config, _judged(missing_captions, family)).ask()
    return before.fingerprint if before else fingerprint(config, scan(config))


def _judged(missing_captions: OnMissing, family: Family | None) -> str:
    return f"{missing_captions} {family.frame_rule} {family.fps}" if family else missing_captions


def dataset_path(text: str, context: Context) -> Path:
    """The TOML that ``text`` means; beyond loopback it must lie in an allowed folder."""
    if not text.strip():
        raise MusubiError("no dataset TOML is given", fix="Type the path of the .toml file.")
    return readable_file(text, "dataset TOML", context)


def check_roots(config: DatasetConfig, context: Context) -> None:
    """Beyond loopback the dataset's own folders lie in the allowed ones too."""
    for part in effective(config):
        for path in (part.directory, part.jsonl_file, part.control_directory, part.cache_directory):
            if path:
                readable(Path(path), context)


def check_items(found: Scan, context: Context) -> None:
    """The same for every file that a JSONL names."""
    if context.host.trusted:
        return
    roots = allowed_roots(context)
    for item in (item for part in found.datasets for item in part.items):
        for file in (item.file, *item.control_files, *item.target_files):
            if not is_inside(Path(file.path), roots):
                raise outside(Path(file.path))


def slug(text: str) -> str:
    """A plain file name out of any text."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:80] or "dataset"
