"""Digest of a script and the imports within its checkout."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from musubi_nodes.files import CODE, FileStamp, read_bytes
from musubi_nodes.memo import Memo
from musubi_nodes.runs.install import Install


def code_of(install: Install, script: Path, modules: Iterable[str] = ()) -> str:
    """Return 20 hex digits; ``modules`` are imported dynamically."""
    roots = [script, *_found(sorted(modules), _places(install, script))]
    memo = Memo("code", *roots, thorough=True)
    if (known := memo.find()) is not None:
        return str(known)
    stamps: dict[str, str] = {}
    digests = []
    for file in sorted(_closure(roots, _places(install, script), install.root)):
        stamps[str(file)] = memo.stamp(file)
        digests.append(f"{_name(file, install.root)} {hashlib.sha256(read_bytes(file, CODE)).hexdigest()}")
    code = hashlib.sha256("\n".join(digests).encode()).hexdigest()[:20]
    memo.keep(code, stamps)
    return code


def checkout_state(install: Install) -> str:
    """Return 20 hex digits of all Python files' stamps."""
    files = sorted([*install.root.glob("*.py"), *install.root.glob("src/**/*.py")])
    stamps = (f"{_name(file, install.root)} {FileStamp.of(file)}" for file in files)
    return hashlib.sha256("\n".join([str(install.python), *stamps]).encode()).hexdigest()[:20]


def _places(install: Install, script: Path) -> list[Path]:
    """Return the import roots: PYTHONPATH and the script's folder."""
    return [install.root / "src", script.parent]


def _closure(roots: Iterable[Path], places: Sequence[Path], root: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = list(roots)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            try:
                waiting += _imported(file, places)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                # syntax of a newer Python: assume all imports
                seen.update(root.glob("src/**/*.py"))
    return seen


def _imported(file: Path, places: Sequence[Path]) -> Iterator[Path]:
    for node in ast.walk(ast.parse(read_bytes(file, CODE))):
        if isinstance(node, ast.Import):
            yield from _found([alias.name for alias in node.names], places)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names]
            yield from _found(names, [file.parents[node.level - 1]] if node.level else places)


def _found(names: Sequence[str], places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        for parts in (name.split(".") for name in names):
            for length in range(1, len(parts) + 1):
                path = place.joinpath(*parts[:length])
                yield from (file for file in (path / "__init__.py", path.parent / f"{path.name}.py") if file.is_file())


def _name(file: Path, root: Path) -> str:
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
