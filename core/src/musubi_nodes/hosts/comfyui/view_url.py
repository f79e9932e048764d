"""A file as ComfyUI's own /view route names it."""

from __future__ import annotations

from pathlib import Path


def viewed(path: Path, root: Path, kind: str = "output") -> dict[str, str]:
    """``path`` lies below ``root``, ComfyUI's folder for files of this kind (``output`` or ``temp``)."""
    relative = path.relative_to(root)
    return {"filename": relative.name, "subfolder": "/".join(relative.parts[:-1]), "type": kind}
