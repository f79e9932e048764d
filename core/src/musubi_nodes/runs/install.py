"""A musubi-tuner checkout and its Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import CONFIG, cleaned_path, read_text
from musubi_nodes.i18n import translate
from musubi_nodes.parsing import parse_toml

ENVIRONMENT_FOLDERS = ("venv", ".venv", "env", "conda", ".conda")  # venv, uv (.venv), conda prefix

WINDOWS = ("Scripts/python.exe", "python.exe", "bin/python.exe")  # venv and uv, conda, MSYS2

POSIX = ("bin/python", "bin/python3")

SOURCE_FOLDERS = ("src/musubi_tuner", ".")  # since v0.2 in src/; the root has wrappers of the same names


@dataclass(frozen=True)
class Demo:
    """The smallest workflow of a family on an install's toy models.

    ``dataset`` are more keys of its TOML: pictures if ``frames`` is 1, else videos.
    """

    models: Mapping[str, Any]
    generation: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 1
    dataset: Mapping[str, Any] = field(default_factory=dict)
    first_frame: bool = False


@dataclass(frozen=True)
class Install:
    """A musubi-tuner checkout and its Python environment.

    ``models`` are its own model folders by kind, ``demos`` by family.
    """

    name: str
    root: Path
    python: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    cpu: bool = False
    models: Mapping[str, Path] = field(default_factory=dict)
    demos: Mapping[str, Demo] = field(default_factory=dict)

    @property
    def version(self) -> str:
        try:
            project = parse_toml(read_text(self.root / "pyproject.toml", CONFIG))["project"]
            return str(project["version"])
        except (OSError, KeyError, TypeError, ValueError):
            return "unknown"

    @property
    def release(self) -> str:
        """The version's tag; all before v0.2.10 have 0.1.0 in pyproject.toml."""
        return "before 0.2.10" if self.version == "0.1.0" else self.version

    def find_script(self, name: str) -> Path | None:
        return next((path for folder in SOURCE_FOLDERS if (path := self.root / folder / name).is_file()), None)

    def script(self, name: str) -> Path:
        """Return the path; MusubiError if this version lacks it."""
        path = self.find_script(name)
        if path is None:
            raise MusubiError(
                "script-missing",
                f"musubi-tuner {self.release} at {self.root} has no {name}",
                why="The script came with a later version, or the checkout is incomplete.",
                fix="Update musubi-tuner (git pull), then run `musubi-nodes doctor`.",
            )
        return path


def interpreters(windows: bool = os.name == "nt") -> tuple[str, ...]:
    return WINDOWS if windows else POSIX


def candidates(root: Path, windows: bool = os.name == "nt") -> Iterator[Path]:
    for folder in ENVIRONMENT_FOLDERS:
        for interpreter in interpreters(windows):
            yield root / folder / interpreter


def find_python(root: Path, windows: bool = os.name == "nt") -> Path:
    places = list(candidates(root, windows))
    for path in places:
        if path.is_file():
            return path
    dead = next((path for path in places if path.is_symlink()), None)
    folders, pythons = ", ".join(ENVIRONMENT_FOLDERS), translate(" or ").join(interpreters(windows))
    looked = translate("Looked for {folders} with {pythons} inside.", folders=folders, pythons=pythons)
    raise MusubiError(
        "python-missing",
        f"no Python environment was found in {root}",
        why=translate("{python} points to a Python that no longer exists.", python=dead) if dead else looked,
        fix="Set MUSUBI_TUNER_PYTHON, or `python` of this install in config.toml, to musubi-tuner's Python.",
    )


def resolve_python(text: str, windows: bool = os.name == "nt") -> Path:
    """Find the interpreter of an executable or environment folder."""
    path = cleaned_path(text)
    if path.is_dir():
        inside = [path / interpreter for interpreter in interpreters(windows)]
        path = next((p for p in inside if p.is_file()), path)
    if not path.is_file():
        pythons = translate(" or ").join(interpreters(windows))
        raise MusubiError(
            "python-missing",
            f"the Python of musubi-tuner does not exist: {path}",
            why=translate("The folder has no {pythons}.", pythons=pythons) if path.is_dir() else "",
            fix="Set MUSUBI_TUNER_PYTHON, or `python` of this install in config.toml, to the interpreter or the folder "
            "of its environment.",
        )
    return Path(os.path.abspath(path))  # not resolve(): a venv's python is a link that must not be followed


def load_install(
    name: str, root: str, python: str | None = None, environment: Mapping[str, str] | None = None, cpu: bool = False
) -> Install:
    folder = cleaned_path(root).absolute()
    if not folder.is_dir():
        raise MusubiError(
            "install-folder-missing",
            f"the folder of musubi-tuner does not exist: {folder}",
            why=translate("It is configured as install {name!r}.", name=name),
            fix="Correct MUSUBI_TUNER_ROOT or `root` in config.toml.",
        )
    found = resolve_python(python) if python else find_python(folder)
    return Install(name, folder, found, dict(environment or {}), cpu)
