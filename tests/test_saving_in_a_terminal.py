"""ComfyUI's own Save Image, as the terminal stands in for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from musubi_nodes.families.context import Context
from musubi_nodes.hosts.terminal.foreign import SaveImage
from musubi_nodes.testing.workplace import Workplace


@pytest.mark.parametrize(("shape", "count"), [((8, 16, 3), 1), ((1, 8, 16, 3), 1), ((3, 8, 16, 3), 3)])
def test_one_picture_is_one_file_and_a_batch_one_each(tmp_path: Path, shape: tuple[int, ...], count: int) -> None:
    place = Workplace(tmp_path)
    place.host.output_folder.mkdir()
    context = Context(place.host, place.services)
    SaveImage().run(SaveImage.parse({"images": np.zeros(shape, np.float32), "filename_prefix": "mon"}), context)
    assert [path.name for path in context.pictures] == [f"mon_{number:05d}.png" for number in range(count)]
    assert all(Image.open(path).size == (16, 8) for path in context.pictures)
