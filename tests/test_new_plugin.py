"""``musubi-nodes new-plugin``: what it writes is a plugin that works, under its new name only, or nothing at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.new_plugin import EXAMPLE, PICTURE_EXAMPLE, example_files, new_plugin, renamed
from musubi_nodes.testing.errors import fails

BIRD = "musubi-nodes-kiwi-bird"


def texts(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


@pytest.mark.parametrize("example", [EXAMPLE, PICTURE_EXAMPLE])
def test_a_new_plugin_passes_its_own_tests(tmp_path: Path, example: str) -> None:
    """Installed beside this checkout, as its author would, in a process that knows nothing of this one."""
    for path, text in renamed(example_files(example), example, "kiwi-bird").items():
        (tmp_path / BIRD / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / BIRD / path).write_text(text, "utf-8")
    site = tmp_path / "site"
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(tmp_path / BIRD)], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MUSUBI_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / BIRD,
        env=environment | {"PYTHONPATH": str(site), "MUSUBI_NODES_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) > 10 and "skipped" not in done.stdout


def test_every_spelling_of_the_name_is_the_new_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-plugin", "kiwi-bird", "--into", str(tmp_path)]) == 0
    found = texts(tmp_path / BIRD)
    assert EXAMPLE not in "\n".join((*found, *found.values())).lower()
    assert found.keys() == renamed(example_files(EXAMPLE), EXAMPLE, "kiwi-bird").keys()
    project = tomli.loads(found["pyproject.toml"])["project"]
    assert project["name"] == BIRD and project["entry-points"]["musubi_nodes"] == {
        "kiwi_bird": "musubi_nodes_kiwi_bird"
    }
    nodes = found["src/musubi_nodes_kiwi_bird/nodes.py"]
    assert '"MusubiTuner_KiwiBirdModels", "Kiwi Bird Models"' in nodes and "MUSUBI_KIWI_BIRD_MODELS" in nodes
    assert "tests/test_kiwi_bird.py" in found
    said = capsys.readouterr().out
    assert str(tmp_path / BIRD) in said
    assert f"{sys.executable} -m pip install --no-deps -e . && {sys.executable} -m pytest" in said


def test_a_name_that_holds_the_examples_is_put_in_once() -> None:
    assert renamed({"a-heron/heron.py": "HERON Heron HeronX"}, EXAMPLE, "heron-two") == {
        "a-heron-two/heron_two.py": "HERON_TWO Heron Two HeronTwoX"
    }


@pytest.mark.parametrize(
    ("arguments", "code", "values"),
    [
        (["Kiwi"], "plugin-name-invalid", ["'Kiwi'"]),
        (["kiwi bird"], "plugin-name-invalid", []),
        (["../kiwi"], "plugin-name-invalid", []),
        (["-kiwi"], "plugin-name-invalid", []),
        ([""], "plugin-name-invalid", []),
        (["k" * 41], "plugin-name-invalid", []),
        (["kiwi--bird"], "plugin-name-invalid", []),
        (["wan"], "plugin-name-taken", ["'wan'", "musubi-nodes-wan"]),
        (["lora-tools"], "plugin-name-taken", ["'lora-tools'", "musubi-nodes-lora-tools"]),
        (["core"], "plugin-name-taken", ["'core'", "musubi-nodes"]),
        (["heron"], "plugin-name-taken", ["'heron'"]),
        (["magpie"], "plugin-name-taken", ["'magpie'"]),
        (["taken"], "folder-exists", ["musubi-nodes-taken"]),
        (["kiwi", "nowhere"], "folder-missing", ["nowhere"]),
        (["kiwi", ".", "nowhere"], "script-missing", ["nowhere_*.py"]),
    ],
)
def test_what_cannot_be_is_one_message_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: str, values: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    (tmp_path / "musubi-nodes-taken").mkdir()
    name, *folders = arguments
    with fails(code, *values):
        new_plugin(name, Path(folders[0] if folders else "."), *folders[1:])
    assert [path.name for path in tmp_path.iterdir()] == ["musubi-nodes-taken"]
    assert not list((tmp_path / "musubi-nodes-taken").iterdir())


def test_a_disk_that_fails_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "rename", full)
    assert main(["new-plugin", "kiwi", "--into", str(tmp_path)]) == 2
    assert "no space left" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
