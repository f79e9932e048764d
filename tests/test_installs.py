"""A musubi-tuner on this machine: its Python, its version, its scripts, whatever way it was set up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.links import symlink

from musubi_nodes.config import cache_folder, config_file, read_config
from musubi_nodes.plugins.installs import choose_install, known_installs
from musubi_nodes.runs.install import ENVIRONMENT_FOLDERS, Install, find_python, load_install, resolve_python
from musubi_nodes.runs.packages import installed_packages
from musubi_nodes.testing.errors import fails

LAYOUTS = [
    ("venv/bin/python", False),  # python -m venv on Linux and macOS
    (".venv/bin/python", False),  # uv
    ("env/bin/python3", False),
    ("conda/bin/python", False),  # conda create --prefix ./conda
    (".conda/bin/python", False),  # Visual Studio Code
    ("venv/Scripts/python.exe", True),  # python -m venv on Windows
    (".venv/Scripts/python.exe", True),  # uv
    ("env/Scripts/python.exe", True),
    ("conda/python.exe", True),  # conda keeps it at the top on Windows
    (".venv/bin/python.exe", True),  # MSYS2
]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize(("layout", "windows"), LAYOUTS)
def test_the_python_of_each_layout_is_found(tmp_path, layout, windows):
    python = touch(tmp_path / layout)
    assert find_python(tmp_path, windows) == python


@pytest.mark.parametrize(("layout", "windows"), LAYOUTS)
def test_the_folder_of_an_environment_names_its_python(tmp_path, layout, windows):
    python = touch(tmp_path / layout)
    folder = tmp_path / Path(layout).parts[0]
    assert resolve_python(str(folder), windows) == python
    assert resolve_python(str(python), windows) == python


def test_an_environment_of_the_other_system_is_not_used(tmp_path):
    touch(tmp_path / "venv/Scripts/python.exe")
    posix = touch(tmp_path / ".venv/bin/python")
    assert find_python(tmp_path, windows=False) == posix
    assert find_python(tmp_path, windows=True).name == "python.exe"
    assert resolve_python(str(tmp_path / ".venv"), windows=False) == posix
    with fails("python-missing", "Scripts/python.exe"):
        resolve_python(str(tmp_path / ".venv"), windows=True)


def test_of_several_environments_the_first_counts(tmp_path):
    for folder in reversed(ENVIRONMENT_FOLDERS):
        python = touch(tmp_path / folder / "bin/python")
        assert find_python(tmp_path, windows=False) == python


def test_no_environment_says_what_was_looked_for(tmp_path):
    looked = ("venv, .venv, env, conda, .conda", "bin/python", "bin/python3")
    with fails("python-missing", tmp_path, *looked, "MUSUBI_TUNER_PYTHON", "config.toml"):
        find_python(tmp_path, windows=False)


def test_an_environment_whose_python_is_gone(tmp_path):
    link = tmp_path / "venv/bin/python"
    link.parent.mkdir(parents=True)
    symlink(link, tmp_path / "python3.9")
    with fails("python-missing", link):
        find_python(tmp_path)


def test_the_link_of_a_venv_is_kept(tmp_path):
    link = tmp_path / "venv/bin/python"
    link.parent.mkdir(parents=True)
    symlink(link, sys.executable)
    assert load_install("x", str(tmp_path)).python == link
    assert resolve_python(str(tmp_path / "venv")) == link


def test_a_real_venv(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True)
    python = load_install("x", str(tmp_path)).python
    done = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == tmp_path / ".venv"


@pytest.mark.parametrize("text", ["{}", "  {} ", '"{}"', "'{}'", ' " {} "'])
def test_pasted_paths_are_cleaned(tmp_path, text):
    install = load_install("x", text.format(tmp_path), text.format(sys.executable))
    assert (install.root, install.python) == (tmp_path, Path(sys.executable))


def test_what_does_not_exist_is_named(tmp_path):
    gone = tmp_path / "gone"
    with fails("install-folder-missing", gone, "'mine'"):
        load_install("mine", str(gone))
    with fails("python-missing", gone):
        load_install("mine", str(tmp_path), str(gone))
    with fails("path-control-character"):
        load_install("mine", "C:\new")


@pytest.fixture
def install(tmp_path) -> Install:
    root = tmp_path / "musubi-tuner"
    root.mkdir()
    return Install("x", root, Path(sys.executable))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('[project]\nversion = "0.3.4"\n', "0.3.4"),
        ('\ufeff[project]\nversion = "0.2.15"\n', "0.2.15"),
        ("[project]\nname = 'musubi-tuner'\n", "unknown"),
        ("project = 3\n", "unknown"),
        ("<<<<<<< HEAD\n", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_version_is_that_of_the_checkout(install, text, version):
    if text is not None:
        (install.root / "pyproject.toml").write_text(text, "utf-8")
    assert install.version == version


def test_scripts_lie_below_src_or_at_the_root(install):
    old = touch(install.root / "wan_train_network.py")
    assert install.script("wan_train_network.py") == old
    new = touch(install.root / "src/musubi_tuner/wan_train_network.py")
    assert install.script("wan_train_network.py") == new


def test_a_missing_script_says_which_version_lacks_it(install):
    (install.root / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n', "utf-8")
    assert install.find_script("new.py") is None
    with fails("script-missing", "0.2.0", install.root, "new.py"):
        install.script("new.py")


def chosen(**environment: str) -> Install:
    config = read_config(config_file(), environment)
    return choose_install(None, config, known_installs(config, ()))


def test_musubi_tuner_root_is_enough(tmp_path):
    python = touch(tmp_path / ("venv/Scripts/python.exe" if os.name == "nt" else "venv/bin/python"))
    assert chosen(MUSUBI_TUNER_ROOT=str(tmp_path)).python == python


def test_musubi_tuner_python_may_be_the_folder_of_a_venv(tmp_path):
    elsewhere = tmp_path / "environments" / "musubi"
    python = touch(elsewhere / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    install = chosen(MUSUBI_TUNER_ROOT=f'"{tmp_path}" ', MUSUBI_TUNER_PYTHON=f" '{elsewhere}'")
    assert (install.root, install.python) == (tmp_path, python)


def test_config_toml_with_several_installs(tmp_path):
    for name in ("stable", "newest"):
        touch(tmp_path / name / "python")
    config_file().write_text(
        f"""
install = "newest"

[installs.stable]
root = '{tmp_path / "stable"}'
python = '{tmp_path / "stable" / "python"}'

[installs.newest]
root = '{tmp_path / "newest"}'
python = '{tmp_path / "newest" / "python"}'
cpu = true
environment = {{ HF_HOME = '/hf' }}
""",
        "utf-8",
    )
    assert chosen().root == tmp_path / "newest" and chosen().cpu
    assert chosen(MUSUBI_NODES_INSTALL="stable").root == tmp_path / "stable"
    with fails("install-unknown", "'stabel'", "'stable'"):
        chosen(MUSUBI_NODES_INSTALL="stabel")


def test_the_packages_of_an_install_are_asked_once(install, monkeypatch):
    found = installed_packages(install)
    assert found["pydantic"] and found["pytest"]
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was asked again"))
    assert installed_packages(install) == found


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"folders": 3}', '{"folders": {"/gone": 1}, "packages": {}}'])
def test_a_damaged_answer_on_disk_is_asked_again(install, content, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path / "cache"))
    found = installed_packages(install)
    (kept,) = (cache_folder() / "packages").iterdir()
    kept.write_text(content, "utf-8")
    assert installed_packages(install) == found


def test_an_interpreter_that_cannot_be_asked_has_no_packages(tmp_path):
    assert installed_packages(Install("x", tmp_path, tmp_path / "python")) == {}
    assert installed_packages(Install("x", tmp_path / "gone", Path(sys.executable))) == {}


def test_a_cache_folder_that_cannot_be_written_does_no_harm(install, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(touch(tmp_path / "a_file")))
    assert installed_packages(install)["pytest"]
