"""Pictures drawn by nodes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from musubi_nodes.families.context import Context
from musubi_nodes.files import slug, write_bytes


def show_picture(picture: Any, name: str, context: Context) -> None:
    if preview := context.host.preview_folder:
        path = preview / f"musubi_{slug(context.node_id, 'node')}_{name}.png"
        data = BytesIO()
        picture.save(data, "PNG")
        context.show(write_bytes(path, data.getvalue()))


def image_of(picture: Any) -> Any:
    """Convert a PIL image to an array [height, width, 3], 0..1."""
    import numpy as np

    return np.asarray(picture, np.float32) / 255.0
