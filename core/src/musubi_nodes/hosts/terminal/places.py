"""The folders that a terminal's configuration names: where models are looked for, and what of it is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from musubi_nodes.errors import did_you_mean
from musubi_nodes.files import cleaned_path
from musubi_nodes.hosts.terminal.host import COMFYUI_FOLDERS, TerminalHost
from musubi_nodes.plugins.manager import Plugins


def places(found: Plugins, output: Path) -> Iterator[tuple[str, str]]:
    """What the doctor says of them: ("ok" or "fault", text)."""
    config = found.config
    kinds = model_kinds(found)
    for kind in kinds:
        folders = TerminalHost(output, config).model_folders(kind)
        yield "ok", f"models, {kind}: {', '.join(map(str, folders))}"
    yield from (("fault", sentence) for sentence in unknown_kinds(found))
    named = [("comfyui", config.comfyui)] if config.comfyui else []
    named += [("read_roots", root) for root in config.read_roots]
    named += [(f"models.{kind}", folder) for kind in config.models for folder in config.models[kind]]
    for key, text in named:
        if not cleaned_path(text).is_dir():
            yield "fault", f"{key}: there is no folder {text}. Fix: correct it in config.toml, or make the folder."


def model_kinds(found: Plugins) -> Sequence[str]:
    """The kinds of model files that nodes ask for, and those that ComfyUI's folders are known of."""
    declared = {spec.model_kind for node in found.nodes for spec in node.fields() if spec.kind == "model"}
    return sorted({*COMFYUI_FOLDERS, *declared})


def unknown_kinds(found: Plugins) -> list[str]:
    """What is wrong with the keys of ``[models]``: a kind that no node asks for does nothing."""
    known = model_kinds(found)
    return [
        f"models: no node asks for {kind[:80]!r}{did_you_mean(kind, known)}. Known are: {', '.join(known)}."
        for kind in found.config.models
        if kind not in known
    ]
