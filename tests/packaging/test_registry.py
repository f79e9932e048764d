"""What ComfyUI's registry reads and packs: the files of git without those of .comfyignore (comfy-cli, node publish)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pathspec
import pytest
import tomli
from tests.packaging.test_clones import listed

ROOT = Path(__file__).resolve().parents[2]
READ = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, COMFY = READ["project"], READ["tool"]["comfy"]
RAW = "https://raw.githubusercontent.com/musubi-nodes/musubi-nodes/main/"
LARGEST_ICON = (800, 400)
"""Pixels (docs.comfy.org/registry/specifications)."""


def tracked(*folders: str) -> set[Path]:
    """Files that git knows."""
    listing = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("needs a clone")
    return {Path(name) for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()}


def packed() -> set[Path]:
    """What the registry's zip would hold."""
    ignored = pathspec.PathSpec.from_lines("gitignore", (ROOT / ".comfyignore").read_text("utf-8").splitlines())
    return {name for name in tracked() if not ignored.match_file(name)}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an install from the registry makes."""
    folder = tmp_path_factory.mktemp("custom_nodes") / PROJECT["name"]
    for name in packed():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_the_name_and_version_are_the_registrys() -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*", PROJECT["name"]) and len(PROJECT["name"]) < 100
    assert "comfyui" not in PROJECT["name"] and re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    assert PROJECT["license"].keys() == {"text"} and PROJECT["description"] and PROJECT["urls"]["Repository"]
    assert re.fullmatch(r"[a-z][a-z0-9-]*", COMFY["PublisherId"]) and COMFY["DisplayName"]
    assert COMFY["requires-comfyui"].startswith(">=")


def test_the_icon_is_there_and_small_enough() -> None:
    assert COMFY["Icon"].startswith(RAW)
    icon = ROOT / COMFY["Icon"].removeprefix(RAW)
    drawn = ElementTree.parse(icon).getroot()
    size = tuple(int(drawn.attrib[side]) for side in ("width", "height"))
    assert size[0] <= LARGEST_ICON[0] and size[1] <= LARGEST_ICON[1] and icon.stat().st_size < 10_000


def test_what_only_developers_need_does_not_travel() -> None:
    tops = {name.parts[0] for name in packed()}
    assert not tops & {"tests", "bench", "tools", ".ci", ".github"}
    assert {"core", "plugins", "web", "locales", "example_workflows", "subgraphs", "docs", "start.py"} <= tops
    inner = [name.as_posix() for name in packed()]
    assert not [name for name in inner if re.match(r"plugins/\w+/tests/|docs/pictures/", name)]


def test_what_plugins_and_new_plugin_read_travels() -> None:
    assert tracked("core", "plugins/*/src", "plugins/*/pyproject.toml", "docs/example_families") <= packed()


def test_it_starts_as_a_clone_does(fresh: Any, unpacked: Path, clone: Path) -> None:
    assert listed(fresh, unpacked)["nodes"] == listed(fresh, clone)["nodes"]


def test_its_start_says_where_the_tests_are(unpacked: Path) -> None:
    done = subprocess.run([sys.executable, "start.py", "test"], cwd=unpacked, capture_output=True, text=True)
    assert done.returncode == 2 and "git clone" in done.stderr
