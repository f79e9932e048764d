"""Query parameters of ComfyUI's /view route."""

from __future__ import annotations

from pathlib import Path


def view_url(path: Path, root: Path, kind: str = "output") -> dict[str, str]:
    relative = path.relative_to(root)
    return {"filename": relative.name, "subfolder": "/".join(relative.parts[:-1]), "type": kind}
