"""Uploaded files, and folders that a workflow may read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel

from musubi_nodes.datasets.files.headers import header_facts
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.files import cleaned_path, is_file, is_inside, is_share

SUFFIXES = {
    "video": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts", ".gif", ".webp"),
    "image": (".png", ".jpg", ".jpeg", ".webp", ".bmp"),
}


def input_names(folder: Path, kind: str) -> list[str]:
    """List the input folder, without subfolders like ComfyUI."""
    files = folder.iterdir() if folder.is_dir() else ()
    suited = (file for file in files if file.suffix.lower() in SUFFIXES[kind] and file.is_file())
    return sorted(file.name for file in suited if kind != "video" or not _is_still(file))


def _is_still(file: Path) -> bool:
    if file.suffix.lower() != ".webp":
        return False
    try:
        facts = header_facts(str(file))
    except OSError:
        return True
    return facts is None or facts.odd != "animated"


def find_input(context: Context, kind: str, name: str) -> Path:
    """Return a file that may be read.

    ``clip.mp4`` is in the input folder, ``clip.mp4 [output]`` in the output folder (ComfyUI's notation). Absolute paths
    need a trusted host or an allowed root, after following links.
    """
    text, _, place = name.removesuffix("]").rpartition(" [") if name.endswith("]") else (name, "", "input")
    folders = {"input": context.host.input_folder(), "output": context.host.output_folder}
    folder, given = folders.get(place), cleaned_path((text if place in folders else name).replace("\\", "/"))
    path = (folder or folders["input"]) / given
    if not given.is_absolute() and ".." in given.parts:
        raise MusubiError(
            "path-outside-folder",
            f"the file {name[:120]!r} leaves the {place} folder",
            fix="Choose a file of the folder.",
        )
    readable(path, context)
    if not text.strip() or not is_file(path):
        known = input_names(folders["input"], kind)
        raise MusubiError(
            "file-missing",
            f"there is no {kind} {name[:120]!r} in the input folder{did_you_mean(name, known)}",
            fix="Upload it with the button in the node, or copy it there and press R.",
        )
    return path.absolute()


def uploads_of(fields: Iterable[FieldSpec], inputs: BaseModel, context: Context) -> Iterator[Path]:
    """Yield the uploaded files that ``inputs`` name."""
    for spec in fields:
        if spec.kind == "input" and (name := getattr(inputs, spec.name)):
            yield find_input(context, spec.input_kind, name)


def readable(path: Path, context: Context) -> None:
    """Raise unless ``path`` may be read.

    On network shares Windows would send the user's login to any host.
    """
    if (is_share(path) or not context.host.trusted) and not is_inside(path, allowed_roots(context)):
        raise outside(path)


def allowed_roots(context: Context) -> list[Path]:
    """Return folders that are readable beyond loopback and on shares."""
    configured = (Path(root).expanduser() for root in context.services.config.read_roots)
    return [context.host.input_folder(), context.host.output_folder, *configured]


def outside(path: Path) -> MusubiError:
    return MusubiError(
        "path-not-allowed",
        f"{path} lies outside the allowed folders",
        why="A network share must be one of the configured folders."
        if is_share(path)
        else "ComfyUI listens beyond this machine, so workflows read only from its own and the configured folders.",
        fix="Add the folder to read_roots in config.toml.",
    )
