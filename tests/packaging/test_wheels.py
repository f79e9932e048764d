"""Wheels of the core and of each bundled plugin: they serve the terminal and plugin authors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(file.parent.name for file in ROOT.glob("plugins/*/pyproject.toml"))
STATE = """
import musubi_nodes
from musubi_nodes.plugins.discovery import checkout
from musubi_nodes.plugins.manager import plugins
found = plugins()
print(json.dumps({
    "file": musubi_nodes.__file__, "checkout": checkout() and str(checkout()),
    "failed": {name: str(error) for name, error in found.failed.items()},
    "loaded": {name: r.distribution for name, r in found.loaded.items()}, "nodes": [n.id for n in found.nodes],
}))
"""


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def kept(source: Path) -> set[str]:
    """The files of a package that a wheel must hold."""
    files = (file.relative_to(source) for file in source.rglob("*") if file.is_file())
    return {file.as_posix() for file in files if file.suffix != ".pyc" and ".pytest_cache" not in file.parts}


def test_the_cores_wheel_holds_the_whole_package_and_the_example_families_and_nothing_else(wheels):
    found = contents(wheels["core"])
    example = {f"musubi_nodes/example_families/{name}" for name in kept(ROOT / "docs" / "example_families")}
    assert {name for name in found if ".dist-info/" not in name} == kept(ROOT / "core" / "src") | example
    assert {
        "musubi_nodes/py.typed",
        "musubi_nodes/commands/tables/v0.3.4.json",
        "musubi_nodes/locales/ja.toml",
    } <= found


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_plugins_wheel_holds_its_whole_package(wheels, folder):
    found = contents(wheels[folder])
    assert {name for name in found if ".dist-info/" not in name} == kept(ROOT / "plugins" / folder / "src")


def test_the_core_alone(fresh, wheels, site):
    place = site(wheels["core"])
    found = fresh(STATE, place)
    assert found["file"].startswith(str(place)) and found["checkout"] is None
    assert found["loaded"] == {"core": "musubi-nodes"} and found["failed"] == {}
    assert "MusubiTuner_DatasetConfigLoader" in found["nodes"]


def test_core_and_plugins_find_each_other_by_entry_points(fresh, wheels, site):
    found = fresh(STATE, site(*wheels.values()))
    assert found["failed"] == {}
    assert found["loaded"]["wan"] == "musubi-nodes-wan"
    assert {*FOLDERS, "core"} - {"miniature"} == set(found["loaded"])  # that is loaded once it is asked for
    assert "MusubiTuner_WanGenerator" in found["nodes"]


RUN = """
import os, pathlib
os.environ["MUSUBI_NODES_INSTALL"] = "miniature"
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.workplace import TOML, Workplace
place = Workplace(pathlib.Path({folder!r}))
{code}
print(json.dumps({{
    "nodes": {{node.id: name for name, registered in plugins().loaded.items() for node in registered.nodes}},
    "failed": {{name: str(error) for name, error in plugins().failed.items()}},
    "started": [run.name for run in place.started()], "result": str(result),
}}))
"""
CACHE = """
models = place.run("{name}Models", **plugins().install().demos["{family}"].models).models
dataset = place.load(place.dataset({toml}))
result = place.run("{name}TextEncoderCache", models=models, dataset=dataset).text_cache.dataset.name
"""
CONTROLS = "toml=TOML + \"control_directory = '{folder}'\""  # pictures need them in FramePack
CONVERT = """
import numpy
from musubi_nodes.families import Lora
from safetensors.numpy import save_file
halves = {"lora_down.weight": numpy.ones((2, 8), "f4"), "lora_up.weight": numpy.ones((8, 2), "f4")}
path = place.folder / "a.safetensors"
save_file({f"lora_unet_blocks_0_self_attn_q.{half}": value for half, value in halves.items()}, path)
result = place.run("LoRAFormatConverter", lora=Lora(path=path)).format
"""
NAMED = "result = plugins().families[0].key"
"""For a family whose scripts the miniature does not have."""
ALONE = {
    **{folder: (NAMED, folder) for folder in FOLDERS if folder != "miniature"},
    "framepack": (CACHE.format(name="FramePack", family="framepack", toml=CONTROLS), "pictures"),
    "hunyuan": (CACHE.format(name="HunyuanVideo", family="hunyuan", toml=""), "pictures"),
    "lora_tools": (CONVERT, "musubi -> other"),
    "wan": (CACHE.format(name="Wan", family="wan", toml=""), "pictures"),
    "z_image": (CACHE.format(name="ZImage", family="z_image", toml=""), "pictures"),
}
"""Plugin -> what one of its nodes does on the miniature, and what comes out."""


@pytest.mark.parametrize("folder", ALONE)
def test_a_plugin_works_without_the_others(fresh, wheels, site, tmp_path, folder):
    code, expected = ALONE[folder]
    place = site(wheels["core"], wheels["miniature"], wheels[folder])
    found = fresh(RUN.format(folder=str(tmp_path), code=code), place)
    assert found["failed"] == {} and set(found["nodes"].values()) == {"core", folder}
    assert found["result"] == expected and len(found["started"]) == (code != NAMED)


def test_the_terminal_runs_from_a_wheel(wheels, site, tmp_path):
    place = site(wheels["core"], wheels["wan"])
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MUSUBI_"))}
    environment |= {"PYTHONPATH": str(place), "MUSUBI_NODES_CONFIG": str(tmp_path / "config.toml")}
    command = [sys.executable, "-m", "musubi_nodes.hosts.terminal.cli"]

    def told(*arguments: str) -> str:
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path)
        return done.stdout

    assert told("--version").startswith("musubi-nodes 0.")
    assert re.search(r" wan: \d+ nodes \(musubi-nodes-wan\)", told("doctor"))
    assert "7 files" in told("new-plugin", "kiwi")
    assert (tmp_path / "musubi-nodes-kiwi" / "tests" / "test_kiwi.py").is_file()
    script = (place / "bin" / "musubi-nodes", place / "Scripts" / "musubi-nodes.exe")
    assert any(path.is_file() for path in script)


def test_a_clone_with_its_own_wheels_installed_loads_nothing_twice(fresh, clone, wheels, site):
    found = fresh(f"load({str(clone)!r})\n{STATE}", site(*wheels.values()))
    assert found["checkout"] is None or found["checkout"] == str(clone)
    assert found["file"].startswith(str(clone)) and found["failed"] == {}
    assert len(found["nodes"]) == len(set(found["nodes"]))
