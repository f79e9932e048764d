"""Pictures that a node draws."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from musubi_nodes.nodes.previews import show_picture


def test_a_preview_replaces_a_link(tmp_path: Path) -> None:
    from PIL import Image

    precious, previews = tmp_path / "precious.txt", tmp_path / "previews"
    precious.write_text("years of work", "utf-8")
    previews.mkdir()
    (previews / "musubi_7_plot.png").symlink_to(precious)
    shown: list[Path] = []
    context: Any = SimpleNamespace(host=SimpleNamespace(preview_folder=previews), node_id="7", show=shown.append)
    show_picture(Image.new("RGB", (4, 4)), "plot", context)
    assert precious.read_text("utf-8") == "years of work"
    assert not shown[0].is_symlink() and Image.open(shown[0]).size == (4, 4)
