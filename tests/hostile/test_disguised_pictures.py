"""A picture's ending does not decide how it is decoded: of a hostile one, Pillow would start Ghostscript."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import EpsImagePlugin

from musubi_nodes.datasets.checks.check import check
from musubi_nodes.datasets.config.toml import parse
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.media.frames import loaded
from musubi_nodes.media.pictures import image_picture
from musubi_nodes.testing.errors import fails, says

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for Ghostscript is a shell script")


@pytest.fixture
def started(tmp_path, monkeypatch) -> Path:
    """What is there once Ghostscript was started."""
    note, program = tmp_path / "started", tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{note}'\necho 10.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    return note


ENDINGS = [".png", ".jpg", ".webp", ".avif"]


@pytest.mark.parametrize("read", [lambda path: image_picture(path, 64), loaded], ids=["small", "loaded"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_program_is_started_for_a_picture(tmp_path, started, read, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(EPS)
    with fails("image-unreadable", path):
        read(path)
    assert not started.exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_script_gets_such_a_dataset(tmp_path, ending):
    (tmp_path / f"a{ending}").write_bytes(EPS)
    (tmp_path / "a.txt").write_text("a cat")
    general = {"resolution": [64, 64], "caption_extension": ".txt"}
    settings = parse({"general": general, "datasets": [{"image_directory": "."}]}, base=tmp_path)
    (error,) = check(scan(settings), settings).errors
    assert says(error, "image-unreadable", f"a{ending}")
