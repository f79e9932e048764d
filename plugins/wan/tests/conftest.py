"""Wan's nodes on the miniature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from musubi_nodes.testing.family_place import FamilyPlace

MODELS = {
    "dit": "miniature/wan_t2v_14b.safetensors",
    "vae": "miniature/wan_vae.safetensors",
    "t5": "miniature/umt5_xxl.safetensors",
}


class WanPlace(FamilyPlace):
    prefix = "MusubiTuner_Wan"
    files = MODELS
    small: ClassVar[dict[str, Any]] = {"width": 96, "height": 64, "video_length": 5, "infer_steps": 2}

    def misbehaving(self, script: str, code: str) -> None:
        """From now on ``code`` runs before ``script`` of the miniature; ``words`` is what the script was given."""
        checkout = self.services.install("miniature").root
        source = self.folder / "misbehaving" / "src" / "musubi_tuner"
        source.mkdir(parents=True)
        real = checkout / "src" / "musubi_tuner"
        for file in real.glob("*.py"):
            before = code if file.name == script else ""
            (source / file.name).write_text(
                f"import runpy, sys\nwords = sys.argv\n{before}\nsys.argv[0] = {str(file)!r}\n"
                f"sys.path.insert(0, {str(real.parent)!r})\nrunpy.run_path(sys.argv[0], run_name='__main__')\n",
                "utf-8",
            )
        (source.parent / "accelerate").symlink_to(real.parent / "accelerate", target_is_directory=True)
        install = replace(self.services.install("miniature"), root=source.parents[1])
        self.services.install = lambda name=None: install  # type: ignore[method-assign]


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> WanPlace:
    """A workplace whose musubi-tuner is the miniature."""
    return WanPlace(tmp_path)
