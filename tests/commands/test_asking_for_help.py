"""What a script takes is asked once; a --help that failed is asked again, because what it lacked may have come."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from musubi_nodes.commands import parser_options as asking
from musubi_nodes.commands.parser_options import parser_options
from musubi_nodes.runs.install import Install
from musubi_nodes.testing.errors import fails

SCRIPT = """
import argparse, os, pathlib
with pathlib.Path(os.environ["ASKED"]).open("a") as file:
    file.write("asked\\n")
import comes_later
parser = argparse.ArgumentParser()
parser.add_argument("--new_option")
parser.parse_args()
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path / "cache"))
    (tmp_path / "packages").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "new_train_network.py").write_text(SCRIPT, "utf-8")
    environment = {"PYTHONPATH": str(tmp_path / "packages"), "ASKED": str(tmp_path / "asked.txt")}
    return Install("small", tmp_path / "root", Path(sys.executable), environment)


def asked(tmp_path: Path) -> int:
    return len((tmp_path / "asked.txt").read_text("utf-8").splitlines())


def add_package(tmp_path: Path) -> None:
    (tmp_path / "packages" / "comes_later.py").touch()


def test_a_script_is_asked_once(install: Install, tmp_path: Path) -> None:
    add_package(tmp_path)
    for _ in range(3):
        assert "new_option" in parser_options(install, "new_train_network.py")
    assert asked(tmp_path) == 1


def test_once_the_missing_package_is_there_the_script_is_known(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fails("script-options-unknown", "new_train_network.py", "comes_later"):
        parser_options(install, "new_train_network.py")
    assert not list((tmp_path / "cache" / "options").glob("*")), "another program would not ask"
    add_package(tmp_path)
    monkeypatch.setattr(asking, "AGAIN", 0)
    assert "new_option" in parser_options(install, "new_train_network.py")


def test_many_looks_in_a_row_ask_a_failing_script_once(install: Install, tmp_path: Path) -> None:
    """A batch names each of its prompts by the script's options."""
    for _ in range(3):
        with fails("script-options-unknown", "new_train_network.py"):
            parser_options(install, "new_train_network.py")
    assert asked(tmp_path) == 1
