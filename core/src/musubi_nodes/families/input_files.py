"""Files that users upload, and where a workflow may read beyond loopback."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.datasets.headers import header_facts
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.context import Context
from musubi_nodes.files import cleaned_path, is_file, is_inside, is_share

SUFFIXES = {
    "video": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts", ".gif", ".webp"),
    "image": (".png", ".jpg", ".jpeg", ".webp", ".bmp"),
}
"""What the combo of an upload offers, by kind."""


def input_names(folder: Path, kind: str) -> list[str]:
    """The files of the input folder itself, sorted; ComfyUI lists no subfolders either."""
    files = folder.iterdir() if folder.is_dir() else ()
    suited = (file for file in files if file.suffix.lower() in SUFFIXES[kind] and file.is_file())
    return sorted(file.name for file in suited if kind != "video" or not _is_still(file))


def _is_still(file: Path) -> bool:
    """Whether it is a WebP of one picture."""
    if file.suffix.lower() != ".webp":
        return False
    try:
        facts = header_facts(str(file))
    except OSError:
        return True
    return facts is None or facts.odd != "animated"


def find_input(context: Context, kind: str, name: str) -> Path:
    """The file that ``name`` means; a :class:`MusubiError` where it does not exist or may not be read.

    ``clip.mp4`` and ``sub/clip.mp4`` lie in the input folder, ``clip.mp4 [output]`` in the output folder (as ComfyUI
    writes it). An absolute path is for whoever sits at this machine, or must lie in an allowed root; links are followed
    before that is judged.
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


def readable(path: Path, context: Context) -> None:
    """Raise where ``path`` is in none of the allowed folders and ComfyUI listens beyond this machine, or it is on a
    network share: Windows would send the user's login to whatever host a stranger's workflow names."""
    if (is_share(path) or not context.host.trusted) and not is_inside(path, allowed_roots(context)):
        raise outside(path)


def allowed_roots(context: Context) -> list[Path]:
    """Where workflows may read beyond loopback, and on network shares."""
    configured = (Path(root).expanduser() for root in context.services.config.read_roots)
    return [context.host.input_folder(), context.host.output_folder, *configured]


def outside(path: Path) -> MusubiError:
    """The error for a path that lies in no allowed root."""
    return MusubiError(
        "path-not-allowed",
        f"{path} lies outside the allowed folders",
        why="A network share must be one of the configured folders."
        if is_share(path)
        else "ComfyUI listens beyond this machine, so workflows read only from its own and the configured folders.",
        fix="Add the folder to read_roots in config.toml.",
    )
