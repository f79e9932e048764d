"""Loads a dataset TOML, checks it, and says what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from musubi_nodes.datasets.check import check
from musubi_nodes.datasets.fingerprint import fingerprint
from musubi_nodes.datasets.scan import scan
from musubi_nodes.datasets.schema import DatasetConfig, effective
from musubi_nodes.datasets.toml import load
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.files import cleaned_path, is_inside


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
        config = load(path)
        found = scan(config)
        report = check(found, config, missing_captions=inputs.missing_captions)
        report.raise_errors()
        check_roots(config, context)
        context.show(text=report.summary())
        dataset = Dataset(
            name=slug(path.stem if path.stem != "dataset" else f"{path.parent.name}_{path.stem}"),
            source=path,
            config=config,
            fingerprint=fingerprint(config, found),
            missing_captions=inputs.missing_captions,
        )
        return self.Outputs(dataset=dataset, summary=report.summary())

    def changed(self, inputs: Any, context: Context) -> str:
        config = load(dataset_path(inputs.path, context))
        return fingerprint(config, scan(config))


def dataset_path(text: str, context: Context) -> Path:
    """The TOML that ``text`` means; beyond loopback it must lie in an allowed folder."""
    if not text.strip():
        raise MusubiError("no dataset TOML is given", fix="Type the path of the .toml file.")
    path = cleaned_path(text)
    if not path.is_absolute():
        inside = context.host.input_folder() / path
        path = inside if inside.is_file() else path.absolute()
    if not context.host.trusted and not is_inside(path, allowed_roots(context)):
        raise _outside(path)
    if not path.is_file():
        beside = sorted(file.name for file in path.parent.glob("*.toml"))
        near = f" (in that folder: {', '.join(beside[:5])})" if beside else ""
        raise MusubiError(f"the dataset TOML does not exist: {path}{near}", fix="Correct the path.")
    return path


def allowed_roots(context: Context) -> list[Path]:
    """Where workflows may read beyond loopback."""
    return [context.host.input_folder(), context.host.output_folder, *map(Path, context.services.config.read_roots)]


def check_roots(config: DatasetConfig, context: Context) -> None:
    """Beyond loopback the dataset's own folders lie in the allowed ones too."""
    if context.host.trusted:
        return
    for part in effective(config):
        paths = (part.directory, part.jsonl_file, part.control_directory, part.cache_directory)
        for path in [Path(found) for found in paths if found]:
            if not is_inside(path, allowed_roots(context)):
                raise _outside(path)


def _outside(path: Path) -> MusubiError:
    return MusubiError(
        f"{path} lies outside the allowed folders",
        why="ComfyUI listens beyond this machine, so workflows read only from its own and the configured folders.",
        fix="Add the folder to read_roots in config.toml.",
    )


def slug(text: str) -> str:
    """A plain file name out of any text."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:80] or "dataset"
