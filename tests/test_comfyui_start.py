"""ComfyUI's start: nodes as they were at the last start, without importing plugins, unless something has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
START = """
import asyncio, json, sys, types
sys.path.insert(0, {source!r})
sys.modules["folder_paths"] = types.SimpleNamespace(get_user_directory=lambda: "nowhere")  # ComfyUI's own
from musubi_nodes.hosts.comfyui import mappings
from musubi_nodes.hosts.comfyui import promptly
promptly.SECONDS = 60
classes, titles = mappings()
ours = ("musubi_nodes_", "musubi_nodes.families", "musubi_nodes.hosts.terminal", "musubi_nodes.testing")
early = sorted(name for name in sys.modules if name.startswith(ours))
asked = ("RETURN_TYPES", "CATEGORY", "DESCRIPTION", "OUTPUT_NODE", "OUTPUT_IS_LIST")
made = {{name: [getattr(each, fact) for fact in asked] for name, each in classes.items()}}
settings = classes["MusubiTuner_TrainingConfig"]
checked = asyncio.run(settings.VALIDATE_INPUTS(max_train_epochs=3))
try:
    asyncio.run(settings.VALIDATE_INPUTS(max_train_epochs=0))
    refused = ""
except Exception as error:
    refused = str(error)
inputs = sorted(settings.INPUT_TYPES()["optional"])
print(json.dumps([early, made, titles, checked, refused, inputs]))
"""

Start = Callable[..., Any]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the pack that a test may change."""
    ignore = shutil.ignore_patterns("__pycache__", "tests")
    for name in ("core", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / "pack" / name, ignore=ignore)
    return tmp_path / "pack"


@pytest.fixture
def start(pack: Path, tmp_path: Path) -> Start:
    def run(**environment: str) -> Any:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MUSUBI_", "PYTHON"))}
        own = {"MUSUBI_NODES_CONFIG": str(tmp_path / "config.toml"), "MUSUBI_NODES_CACHE": str(tmp_path / "cache")}
        code = START.format(source=str(pack / "core" / "src"))
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env={**inherited, **own, **environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [done.stderr, *json.loads(done.stdout.splitlines()[-1])]

    return run


def test_the_second_start_imports_no_plugin_and_shows_the_same(start: Start) -> None:
    first, second = start(), start()
    assert [name for name in first[1] if "wan" in name] and second[1] == []
    assert first[2:] == second[2:] and len(second[2]) > 25
    assert second[4] is True and "both 0" in second[5]


def test_neither_the_practice_install_nor_the_tools_of_authors_are_loaded(start: Start) -> None:
    loaded = start()[1]
    assert "musubi_nodes_wan" in loaded and "musubi_nodes_miniature" not in loaded
    assert not [name for name in loaded if name.startswith(("musubi_nodes.hosts.t", "musubi_nodes.t"))]


@pytest.mark.parametrize(
    "change",
    [
        lambda pack, folder: (folder / "config.toml").write_text('plugins_off = ["wan"]'),
        lambda pack, folder: shutil.rmtree(pack / "plugins" / "wan"),
    ],
    ids=["a plugin switched off", "a plugin deleted"],
)
def test_a_plugin_that_goes_is_gone_at_the_next_start(start: Start, pack: Path, tmp_path: Path, change: Any) -> None:
    assert "MusubiTuner_WanGenerator" in start()[2]
    change(pack, tmp_path)
    assert "MusubiTuner_WanGenerator" not in start()[2]


def test_a_changed_declaration_shows_at_the_next_start(start: Start, pack: Path) -> None:
    start()
    source = pack / "plugins" / "wan" / "src" / "musubi_nodes_wan" / "nodes.py"
    source.write_text(source.read_text("utf-8").replace('"Wan Generator"', '"Wan Video"'), "utf-8")
    assert start()[3]["MusubiTuner_WanGenerator"] == "Wan Video"


def test_a_plugin_that_fails_is_told_at_each_start(start: Start, pack: Path) -> None:
    start()
    (pack / "plugins" / "wan" / "src" / "musubi_nodes_wan" / "nodes.py").write_text("raise ValueError('no')", "utf-8")
    for _ in range(2):
        told = start()
        assert "left out" in told[0] and "MusubiTuner_WanGenerator" not in told[2]


def test_a_setting_in_the_environment_counts_at_once(start: Start) -> None:
    start()
    assert "MusubiTuner_WanGenerator" not in start(MUSUBI_NODES_PLUGINS_OFF="wan")[2]


def test_no_secret_is_in_the_file_that_is_kept(start: Start, tmp_path: Path) -> None:
    key, token = "wandb-key-0123456789", "hf_AbCdEfGhIjKlMnOp"
    (tmp_path / "config.toml").write_text(f"[secrets]\nWANDB_API_KEY = '{key}'", "utf-8")
    start(MUSUBI_HUB_TOKEN=token)
    assert start(MUSUBI_HUB_TOKEN=token)[1] == [], "it was kept, and is known again"
    kept = [path.read_text("utf-8") for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept and not [text for text in kept if key in text or token in text]


def test_a_damaged_file_is_no_harm(start: Start, tmp_path: Path) -> None:
    start()
    (tmp_path / "cache" / "nodes.json").write_text("{", "utf-8")
    assert "MusubiTuner_WanGenerator" in start()[2]
