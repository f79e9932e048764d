"""Copies of this checkout, wheels built from it, and fresh interpreters that see only what a test gives them."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "example_families"
EXAMPLE = EXAMPLES / "heron"
_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".*_cache", ".hypothesis", "__pycache__", ".venv", "venv", "output", "tests", "dist", "build")
)


def left_out(folder: str, names: list[str]) -> set[str]:
    """What git ignores, and tests; those of the example families are part of it."""
    return _LEFT_OUT(folder, names) - ({"tests"} if Path(folder).parent == EXAMPLES else set())


COMFYUI = """
def load(folder):
    \"\"\"As load_custom_node of ComfyUI's nodes.py (0.3.64): the module's name is its path.\"\"\"
    import importlib.util, os, sys
    name = folder.replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, "__init__.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
"""

Fresh = Callable[..., Any]


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    """Runs code in a new interpreter with the given folders first on sys.path; its last line is a JSON answer."""

    def run(code: str, *path: Path) -> Any:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MUSUBI_"))}
        environment |= {"MUSUBI_NODES_CONFIG": str(tmp_path / "config.toml"), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"MUSUBI_NODES_CACHE": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(map(str, path))}
        cwd = tmp_path / "somewhere"
        cwd.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", f"import json\n{COMFYUI}\n{code}"],
            capture_output=True,
            text=True,
            env=environment,
            cwd=cwd,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this checkout, without what git ignores; compiled, for each test starts Python in copies of it."""
    made = Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("clone") / "musubi-nodes", ignore=left_out))
    compileall.compile_dir(made, quiet=1)
    return made


@pytest.fixture
def clone(copied: Path, tmp_path: Path) -> Path:
    """A clone in custom_nodes/ that a test may change."""
    return Path(shutil.copytree(copied, tmp_path / "custom_nodes" / "musubi-nodes"))


@pytest.fixture(scope="session")
def wheels(copied: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of the core and of every bundled plugin, by the name of its folder."""
    folders = {"core": copied, **{file.parent.name: file.parent for file in copied.glob("plugins/*/pyproject.toml")}}
    return {name: build(folder, tmp_path_factory.mktemp(name)) for name, folder in folders.items()}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Installs a wheel into a folder of its own, once, without network and dependencies."""
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]

    @cache
    def install(wheel: Path) -> Path:
        target = tmp_path_factory.mktemp("installed")
        subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, wheel], check=True)
        return target

    return install


@pytest.fixture(scope="session")
def example_wheel(copied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the documented example family."""
    return build(copied / EXAMPLE.relative_to(ROOT), tmp_path_factory.mktemp("example"))


def build(folder: Path, target: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture
def site(tmp_path: Path, installed: Callable[[Path], Path]) -> Callable[..., Path]:
    """Puts wheels together in a folder, as if they were installed there."""

    def install(*wheels: Path) -> Path:
        target = tmp_path / "site"
        for wheel in wheels:
            shutil.copytree(installed(wheel), target, dirs_exist_ok=True)
        return target

    return install


@pytest.fixture
def older_wheel(tmp_path: Path) -> Path:
    """A folder as an older wheel of the core leaves it."""
    package = tmp_path / "old" / "musubi_nodes"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "0.0.1"\n', "utf-8")
    info = package.parent / "musubi_nodes-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: musubi-nodes\nVersion: 0.0.1\n", "utf-8")
    return package.parent
