"""The command ``new-plugin``: a plugin from a documented example, or from a family's scripts."""

from __future__ import annotations

import re
import sys
from importlib.resources import as_file, files
from pathlib import Path
from subprocess import list2cmdline
from uuid import uuid4

from musubi_nodes.errors import MusubiError
from musubi_nodes.hosts.terminal.from_scripts import plugin_files
from musubi_nodes.hosts.terminal.propose import Names
from musubi_nodes.hosts.terminal.python_text import WIDTH
from musubi_nodes.plugins.discovery import checkout
from musubi_nodes.plugins.manager import Plugins, plugins
from musubi_nodes.sharing import discard_folder, retried

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
LONGEST = 40
EXAMPLE, PICTURE_EXAMPLE = "heron", "magpie"
"""Folders in docs/example_families."""
RUFF = f"""
[tool.ruff]
line-length = {WIDTH}
lint.isort.known-first-party = ["musubi_nodes"]
lint.ignore = ["RUF012"]  # attributes of nodes are declarations
"""


def new_plugin(name: str, into: Path, scripts: str = "") -> int:
    """Write ``<into>/musubi-nodes-<name>`` atomically."""
    known = plugins()
    target = into.absolute() / f"musubi-nodes-{_checked(name, known).replace('_', '-')}"
    if not target.parent.is_dir():
        raise MusubiError(
            "folder-missing", f"the folder {target.parent} does not exist", fix="Make it, or name another with --into."
        )
    if target.exists():
        raise MusubiError(
            "folder-exists", f"{target} exists already", fix="Choose another name, or another folder with --into."
        )
    made, notes = scaffold(EXAMPLE, name), [f"read:    {PAGE}, from step 3 on"]
    if scripts:
        frame = scaffold(PICTURE_EXAMPLE, name)
        made, notes = plugin_files(frame, known.install(), scripts, names_of(name))
    _write(made, target)
    print(f"{target}: {len(made)} files")
    print(f"try it:  {install_commands(target)}")
    print("\n".join(notes))
    return 0


def names_of(name: str) -> Names:
    return Names(name.replace("-", "_"), " ".join(part.capitalize() for part in _parts(name)), _camel(name))


def install_commands(target: Path) -> str:
    python = [sys.executable, "-m"]
    commands = (
        ["cd", str(target)],
        [*python, "pip", "install", "pytest"],
        [*python, "pip", "install", "--no-deps", "-e", "."],
        [*python, "pytest"],
    )
    return " && ".join(map(list2cmdline, commands))


def scaffold(example: str, name: str) -> dict[str, str]:
    """Return the example's files for another name, with the form of their lines."""
    made = renamed(example_files(example), example, name)
    return {**made, "pyproject.toml": made["pyproject.toml"] + RUFF}


def example_files(example: str) -> dict[str, str]:
    """Read an example family from the clone or the wheel."""
    root = checkout()
    inside = root / "docs" / "example_families" / example if root else None
    if inside and inside.is_dir():
        return _texts(inside)
    with as_file(files("musubi_nodes") / "example_families" / example) as folder:
        if not folder.is_dir():
            raise MusubiError("example-missing", "the example family is missing", fix="Install musubi-nodes again.")
        return _texts(folder)


def renamed(texts: dict[str, str], example: str, name: str) -> dict[str, str]:
    names = names_of(name)
    spellings = {
        rf"(?<=-){example}\b": name.replace("_", "-"),
        example: names.key,
        example.upper(): names.constant,
        rf"\b{example.capitalize()}\b": names.title,
        example.capitalize(): names.camel,
    }
    any_of_them, new = "|".join(f"({pattern})" for pattern in spellings), list(spellings.values())

    def spelled(text: str) -> str:
        return re.sub(any_of_them, lambda match: new[(match.lastindex or 0) - 1], text)

    return {spelled(path): spelled(text) for path, text in texts.items()}


PAGE = "docs/plugins.md of musubi-nodes"
TAKEN = {**dict.fromkeys((EXAMPLE, PICTURE_EXAMPLE), "an example family"), "any": "the core", "models": "the core"}


def _checked(name: str, known: Plugins) -> str:
    fix = "Use small letters and digits, with '-' or '_' between words, such as  my-model."
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise MusubiError("plugin-name-invalid", f"{name[:80]!r} is no name for a plugin", fix=fix)
    taken = {entry: registered.distribution for entry, registered in known.loaded.items()}
    taken |= {family.key: r.distribution for r in known.loaded.values() for family in r.families}
    owner = next((owner for other, owner in taken.items() if _parts(other) == _parts(name)), None)
    if owner := owner or TAKEN.get(name):
        raise MusubiError("plugin-name-taken", f"the name {name!r} is taken by {owner}", fix="Choose another name.")
    return name


def _parts(name: str) -> list[str]:
    return re.split(r"[-_]", name)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in _parts(name))


def _texts(folder: Path) -> dict[str, str]:
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    kept = [path for path in paths if not any(part.startswith((".", "__pycache__")) for part in path.parts)]
    return {path.as_posix(): (folder / path).read_text("utf-8") for path in kept}


def _write(texts: dict[str, str], target: Path) -> None:
    beside = target.with_name(f".{uuid4().hex[:8]}.part")
    try:
        for path, text in texts.items():
            (beside / path).parent.mkdir(parents=True, exist_ok=True)
            (beside / path).write_text(text, "utf-8", newline="\n")
        retried(lambda: beside.rename(target))
    finally:
        discard_folder(beside)
