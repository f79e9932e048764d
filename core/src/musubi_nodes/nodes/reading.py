"""Files that a workflow names by their path: where they may lie."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.files import cleaned_path, is_inside


def readable_file(text: str, what: str, context: Context) -> Path:
    """The file that ``text`` means: a whole path, or one below the input folder; a :class:`MusubiError` where it does
    not exist or must not be read."""
    path = cleaned_path(text)
    if not path.is_absolute():
        inside = context.host.input_folder() / path
        path = inside if inside.is_file() else path.absolute()
    readable(path, context)
    if not path.is_file():
        beside = sorted(file.name for file in path.parent.glob(f"*{path.suffix or '.toml'}"))
        near = f" (in that folder: {', '.join(beside[:5])})" if beside else ""
        raise MusubiError(f"the {what} does not exist: {path}{near}", fix="Correct the path.")
    return path


def readable(path: Path, context: Context) -> None:
    """Raise where ComfyUI listens beyond this machine and ``path`` is in none of the allowed folders."""
    if not context.host.trusted and not is_inside(path, allowed_roots(context)):
        raise outside(path)


def allowed_roots(context: Context) -> list[Path]:
    """Where workflows may read beyond loopback."""
    return [context.host.input_folder(), context.host.output_folder, *map(Path, context.services.config.read_roots)]


def outside(path: Path) -> MusubiError:
    """The refusal."""
    return MusubiError(
        f"{path} lies outside the allowed folders",
        why="ComfyUI listens beyond this machine, so workflows read only from its own and the configured folders.",
        fix="Add the folder to read_roots in config.toml.",
    )
