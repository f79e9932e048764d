"""Model files by ComfyUI's names: ``wan/x.safetensors``, with "/" on every system."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.context import Host
from musubi_nodes.files import is_file, is_relative
from musubi_nodes.i18n import translate
from musubi_nodes.runs.install import Install

SAFETENSORS = (".safetensors", ".sft")
SUFFIXES = (*SAFETENSORS, ".pt", ".pth", ".ckpt", ".bin")


def model_names(folders: Iterable[Path]) -> list[str]:
    """Return the sorted names of all weights below ``folders``."""
    found = {
        path.relative_to(folder).as_posix()
        for folder in folders
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and is_file(path)
    }
    return sorted(found)


def install_model_names(install: Install | None, kind: str) -> list[str]:
    """Return the install's own files as ``<install>/<file>``."""
    folder = install.models.get(kind) if install else None
    return [f"{install.name}/{name}" for name in model_names([folder])] if install and folder else []


def find_model(host: Host, kind: str, name: str, install: Install | None = None) -> Path:
    """Return the named file; MusubiError if it is missing or outside the model folders."""
    folders = [(folder, name.replace("\\", "/")) for folder in host.model_folders(kind)]
    own = install.models.get(kind) if install else None
    if install and own and name.startswith(f"{install.name}/"):
        folders = [(own, name.split("/", 1)[1])]
    for folder, relative in folders:
        path = folder / relative
        if is_relative(relative) and is_file(path):
            return path.absolute()
    known = [*model_names([folder for folder, _ in folders]), *install_model_names(install, kind)]
    looked = ", ".join(str(folder) for folder, _ in folders) or translate("no folder at all")
    lying = [str(folder / each) for folder, each in folders if is_relative(each) and os.path.lexists(folder / each)]
    raise MusubiError(
        "model-missing",
        f"there is no file {name[:120]!r} in the model folders for {kind}{did_you_mean(name, known)}",
        why=translate("{path} is a folder, or a link that leads nowhere.", path=lying[0])
        if lying
        else translate("Looked in {folders}.", folders=looked),
        fix="Put the file there, or choose another one in the node.",
    )
