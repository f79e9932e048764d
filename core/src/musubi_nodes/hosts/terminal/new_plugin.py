"""The command ``new-plugin``: a plugin from the documented example."""

from __future__ import annotations

import re
import sys
from importlib.resources import as_file, files
from pathlib import Path
from subprocess import list2cmdline
from uuid import uuid4

from musubi_nodes.errors import MusubiError
from musubi_nodes.hosts.terminal.propose import proposal
from musubi_nodes.plugins.discovery import checkout
from musubi_nodes.plugins.manager import Plugins, plugins
from musubi_nodes.sharing import discard_folder, retried

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
LONGEST = 40
EXAMPLE = "heron"


def new_plugin(name: str, into: Path, scripts: Path | None = None, prefix: str = "") -> int:
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
    made = renamed(example_files(), name)
    if scripts:
        made["proposed_fields.py"] = proposal(scripts, prefix or name.replace("-", "_"), _camel(name), known.config)
    _write(made, target)
    print(f"{target}: {len(made)} files")
    print(f"try it:  {install_commands(target)}")
    print("next:    docs/plugins.md of musubi-nodes, from step 3 on")
    return 0


def install_commands(target: Path) -> str:
    python = [sys.executable, "-m"]
    commands = (
        ["cd", str(target)],
        [*python, "pip", "install", "pytest"],
        [*python, "pip", "install", "--no-deps", "-e", "."],
        [*python, "pytest"],
    )
    return " && ".join(map(list2cmdline, commands))


def example_files() -> dict[str, str]:
    """Read the example family from the clone or the wheel."""
    root = checkout()
    inside = root / "docs" / "example_family" if root else None
    if inside and inside.is_dir():
        return _texts(inside)
    with as_file(files("musubi_nodes") / "example_family") as folder:
        if not folder.is_dir():
            raise MusubiError("example-missing", "the example family is missing", fix="Install musubi-nodes again.")
        return _texts(folder)


def renamed(texts: dict[str, str], name: str) -> dict[str, str]:
    spellings = {
        rf"(?<=-){EXAMPLE}\b": name.replace("_", "-"),
        EXAMPLE: name.replace("-", "_"),
        EXAMPLE.upper(): name.replace("-", "_").upper(),
        rf"\b{EXAMPLE.capitalize()}\b": " ".join(part.capitalize() for part in _parts(name)),
        EXAMPLE.capitalize(): _camel(name),
    }
    any_of_them, new = "|".join(f"({pattern})" for pattern in spellings), list(spellings.values())

    def spelled(text: str) -> str:
        return re.sub(any_of_them, lambda match: new[(match.lastindex or 0) - 1], text)

    return {spelled(path): spelled(text) for path, text in texts.items()}


TAKEN = {EXAMPLE: "the example family", "any": "the core", "models": "the core"}


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
