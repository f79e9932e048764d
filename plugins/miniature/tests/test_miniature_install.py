"""The install that the plugin provides, and the toy models behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from musubi_nodes_miniature import musubi_provide_installs
from musubi_nodes_miniature.toys import KINDS, toy_models


def test_install_looks_like_a_checkout(models: dict[str, Path]) -> None:
    (install,) = musubi_provide_installs()
    assert (install.name, install.version, install.cpu) == ("miniature", "0.3.4", True)
    assert install.script("wan_train_network.py").is_file()
    assert set(install.models) == set(KINDS)


def test_nothing_is_written_and_nothing_heavy_imported_until_a_model_is_wanted(tmp_path: Path) -> None:
    code = (
        "import sys, musubi_nodes_miniature as m; m.musubi_provide_installs();"
        "print([name for name in sys.modules if name == 'numpy' or 'musubi_tuner' in name])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MUSUBI_NODES_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[]", done.stderr
    assert not list(tmp_path.iterdir())


def test_toys_say_what_they_are_and_are_small(models: dict[str, Path]) -> None:
    files = [path for path in models.values() if path.is_file()]
    assert len(files) >= 12
    for path in files:
        assert path.stat().st_size < 1 << 20
        with safe_open(str(path), framework="np") as file:
            assert "miniature" in file.metadata()["musubi_nodes"]


def test_toys_are_the_same_everywhere(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path))
    again = toy_models()["diffusion_models"] / "wan22_i2v_low.safetensors"
    assert again.read_bytes() == models["wan22_i2v_low"].read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_written_costs_the_models_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path / "file"))
    assert [(install.name, install.models) for install in musubi_provide_installs()] == [("miniature", {})]


def test_the_toys_lie_where_all_that_is_kept_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``set MUSUBI_NODES_CACHE="C:\\kept"`` leaves its quotes in the value on Windows."""
    monkeypatch.setenv("MUSUBI_NODES_CACHE", f'"{tmp_path}"')
    assert {folder.parents[1] for folder in toy_models().values()} == {tmp_path / "miniature"}


def test_existing_toys_are_left_alone(models: dict[str, Path]) -> None:
    before = models["wan_vae"].stat().st_mtime_ns
    toy_models()
    assert models["wan_vae"].stat().st_mtime_ns == before
