"""Files that a workflow names by their path: where they may lie."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.input_files import readable
from musubi_nodes.files import cleaned_path


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
