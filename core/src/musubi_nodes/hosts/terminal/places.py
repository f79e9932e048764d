"""Checks of the folders in the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from musubi_nodes.config import config_file
from musubi_nodes.errors import Problem, did_you_mean
from musubi_nodes.families.models.files import SUFFIXES
from musubi_nodes.files import cleaned_path, is_folder
from musubi_nodes.hosts.terminal.findings import Finding, of_problem
from musubi_nodes.hosts.terminal.host import COMFYUI_FOLDERS, TerminalHost
from musubi_nodes.plugins.manager import Plugins

MOST = 1_000


def places(found: Plugins, output: Path) -> Iterator[Finding]:
    config = found.config
    for kind in model_kinds(found):
        for folder in TerminalHost(output, config).model_folders(kind):
            yield Finding(f"models, {kind}", _held(folder))
    for problem in unknown_kinds(found):
        yield of_problem("configuration", problem, f"Correct it in {config_file()}.")
    named = [("comfyui", config.comfyui)] if config.comfyui else []
    named += [("read_roots", root) for root in config.read_roots]
    named += [(f"models.{kind}", folder) for kind in config.models for folder in config.models[kind]]
    for key, text in named:
        if not cleaned_path(text).is_dir():
            fix = f"Correct it in {config_file()}, or make the folder."
            yield Finding("configuration", f"{key}: there is no folder {text}", "fault", "folder-missing", fix)


def _held(folder: Path) -> str:
    if not is_folder(folder):
        return f"{folder} (not there)"
    files = islice((path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES), MOST + 1)
    count = sum(1 for _ in files)
    return f"{folder} ({'more than ' if count > MOST else ''}{min(count, MOST)} {'file' if count == 1 else 'files'})"


def model_kinds(found: Plugins) -> Sequence[str]:
    declared = {spec.model_kind for node in found.nodes for spec in node.fields() if spec.kind == "model"}
    return sorted({*COMFYUI_FOLDERS, *declared})


def unknown_kinds(found: Plugins) -> list[Problem]:
    """Report keys of ``[models]`` that no node uses."""
    known = model_kinds(found)
    return [
        Problem(
            "model-kind-unknown",
            f"models: no node asks for {kind[:80]!r}{did_you_mean(kind, known)}. Known are: {', '.join(known)}.",
        )
        for kind in found.config.models
        if kind not in known
    ]
