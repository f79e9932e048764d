"""Access to files named in a workflow."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.input_files import readable
from musubi_nodes.files import cleaned_path, is_file


def readable_file(text: str, what: str, context: Context) -> Path:
    """Return the file, absolute or in the input folder, if it may be read."""
    path = cleaned_path(text)
    inside = context.host.input_folder() / path
    readable(inside, context)
    if not is_file(inside) and context.host.trusted:
        inside = path.absolute()
    if not is_file(inside):
        beside = _beside(inside)
        near = f" (in that folder: {', '.join(beside[:5])})" if beside else ""
        raise MusubiError("file-missing", f"the {what} does not exist: {inside}{near}", fix="Correct the path.")
    return inside


def _beside(path: Path) -> list[str]:
    try:
        return sorted(each.name for each in path.parent.iterdir() if each.suffix == (path.suffix or ".toml"))
    except OSError:
        return []
