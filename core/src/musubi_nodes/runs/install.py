"""A musubi-tuner on this machine: where it is, which Python runs it, which version it is."""

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

ENVIRONMENT_FOLDERS = ("venv", ".venv", "env", "conda", ".conda")
"""Folders of a checkout that may hold its environment: venv, uv (.venv), conda prefix."""

WINDOWS = ("Scripts/python.exe", "python.exe", "bin/python.exe")
"""Where the interpreter lies in an environment on Windows: venv and uv, conda, MSYS2."""

POSIX = ("bin/python", "bin/python3")
"""The same on Linux and macOS. A checkout shared with Windows may hold both kinds; the other's cannot be run."""

SOURCE_FOLDERS = ("src/musubi_tuner", ".")
"""Where the scripts lie in a checkout: since v0.2 under ``src/``; the root has wrappers of the same names."""


@dataclass(frozen=True)
class Demo:
    """How small a whole workflow of one family can be on an install's toy models.

    ``models`` are the widgets of the models node, ``generation`` those of the generator. The dataset has pictures where
    ``frames`` is 1, else videos of so many frames; ``dataset`` are further keys of its TOML. With ``first_frame`` the
    generator begins with a picture.
    """

    models: Mapping[str, Any]
    generation: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 1
    dataset: Mapping[str, Any] = field(default_factory=dict)
    first_frame: bool = False


@dataclass(frozen=True)
class Install:
    """One musubi-tuner checkout and the Python environment that runs it.

    ``environment`` is added to the child's environment, ``cpu`` allows training and generating on the CPU,
    ``models`` are extra model folders by kind that exist only while this install is chosen, ``demos`` say by family
    how ``musubi-nodes demo`` runs on them.
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
        """The version in the checkout's ``pyproject.toml``, or ``"unknown"``."""
        try:
            project = parse_toml(read_text(self.root / "pyproject.toml", CONFIG))["project"]
            return str(project["version"])
        except (OSError, KeyError, TypeError, ValueError):
            return "unknown"

    @property
    def release(self) -> str:
        """The version as its tag is called; all tags before v0.2.10 have 0.1.0 in their ``pyproject.toml``."""
        return "before 0.2.10" if self.version == "0.1.0" else self.version

    def find_script(self, name: str) -> Path | None:
        """The script's path, or ``None`` where this version does not have it."""
        return next((path for folder in SOURCE_FOLDERS if (path := self.root / folder / name).is_file()), None)

    def script(self, name: str) -> Path:
        """The script's absolute path; a :class:`MusubiError` where this version does not have it."""
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
    """Where an environment of this system has its interpreter."""
    return WINDOWS if windows else POSIX


def candidates(root: Path, windows: bool = os.name == "nt") -> Iterator[Path]:
    """Every place below ``root`` where a Python of its own could be, in the order of preference."""
    for folder in ENVIRONMENT_FOLDERS:
        for interpreter in interpreters(windows):
            yield root / folder / interpreter


def find_python(root: Path, windows: bool = os.name == "nt") -> Path:
    """The interpreter of the checkout's own environment; a :class:`MusubiError` that lists what was looked for."""
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
        why=translate("{python} points to a Python that is gone.", python=dead) if dead else looked,
        fix="Set MUSUBI_TUNER_PYTHON, or `python` of this install in config.toml, to musubi-tuner's Python.",
    )


def resolve_python(text: str, windows: bool = os.name == "nt") -> Path:
    """The interpreter that ``text`` names: an executable, or the folder of a venv, uv or conda environment."""
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
    """An :class:`Install` from configured values; raises :class:`MusubiError` where something does not exist."""
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
