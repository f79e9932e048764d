"""What package indexes, ComfyUI-Manager and ComfyUI's registry read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomli

from musubi_nodes import __version__

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIREMENTS = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))


def test_requirements_and_dependencies_are_the_same_list():
    assert PROJECT["dependencies"] == REQUIREMENTS


@pytest.mark.parametrize("line", REQUIREMENTS)
def test_a_requirement_is_loose_and_plain(line):
    assert re.fullmatch(r"[A-Za-z0-9-]+>=[0-9.]+", line)  # so no -r, -e, -f, no upper pin, no marker
    assert not line.lower().startswith(("torch", "comfyui", "xformers"))


def test_the_version_is_static_and_the_packages_own():
    assert PROJECT["version"] == __version__


@pytest.mark.parametrize("file", PLUGINS, ids=lambda file: file.parent.name)
def test_a_plugin_needs_no_more_than_the_core(file):
    """In a clone nobody installs a bundled plugin's own dependencies."""
    core = {re.split(r"[<>=!~ ]", line)[0].lower() for line in REQUIREMENTS} | {"musubi-nodes"}
    needed = tomli.loads(file.read_text("utf-8"))["project"]["dependencies"]
    assert {re.split(r"[<>=!~ ]", line)[0].lower() for line in needed} <= core
