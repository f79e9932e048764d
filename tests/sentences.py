"""Which sentences the code has for users, read from its sources: what is translated must be a literal there."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from musubi_nodes.families.script import ScriptNode
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record import progress
from musubi_nodes.runs.record.folder import Status

ERRORS = {"MusubiError", "Crashed", "NotPossible", "OutOfGpuMemory", "problems", "Accepts", "accepts_known", "Flaw"}
"""Calls whose ``why`` and ``fix`` an error says."""
TABLES = {"Rule"}
"""Rows whose second value is a sentence."""


def stages() -> set[str]:
    """What a run says of itself in one word."""
    patterns = (*progress._STAGES, *progress._LABELS)
    own = {"starting", "checking", "working", "waiting for the GPU"}
    bars = {node.bar_stage for node in plugins().nodes if issubclass(node, ScriptNode)}
    return {*get_args(Status), "unknown", *own, *bars, *(stage for _, stage in patterns)}


def sentences(package: str) -> set[str]:
    """All that ``package`` says on the canvas: what goes through ``say``, and what errors say of cause and remedy."""
    found: set[str] = set()
    for file in _files(package):
        tree = ast.parse(file.read_text("utf-8"))
        named = _named(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                found |= {text for value in _said(node) for text in _texts(value, named)}
    return found


def glued(package: str) -> Iterator[str]:
    """Where an error says of cause or remedy what is put together by code, so that nothing can translate it."""
    for file in _files(package):
        tree = ast.parse(file.read_text("utf-8"))
        named = _put_together(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node) in ERRORS:
                for keyword in node.keywords:
                    if keyword.arg in ("why", "fix") and _has_glue(keyword.value, named):
                        yield f"{file}:{keyword.value.lineno}: {keyword.arg}={ast.unparse(keyword.value)}"


def _has_glue(value: ast.expr, named: frozenset[str] = frozenset()) -> bool:
    """Whether ``value`` is, or may be, an f-string or a sum with words in it, or a name of such a one."""
    if isinstance(value, ast.IfExp):
        return _has_glue(value.body, named) or _has_glue(value.orelse, named)
    if isinstance(value, ast.JoinedStr):
        return any(map(_has_words, value.values))
    if isinstance(value, ast.BinOp):
        return any(_has_words(side) or _has_glue(side, named) for side in (value.left, value.right))
    return isinstance(value, ast.Name) and value.id in named


def _has_words(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and any(map(str.isalpha, value.value))


def _put_together(tree: ast.AST) -> frozenset[str]:
    """The names that a file gives to glued texts."""
    pairs = (
        pair
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for pair in zip(_parts(node.targets[0]), _parts(node.value), strict=False)
    )
    return frozenset(target.id for target, value in pairs if isinstance(target, ast.Name) and _has_glue(value))


def _files(package: str) -> Iterator[Path]:
    spec = find_spec(package)
    assert spec and spec.submodule_search_locations
    for file in Path(spec.submodule_search_locations[0]).rglob("*.py"):
        if not {"terminal", "testing"} & set(file.parts):  # a terminal speaks English
            yield file


def _said(call: ast.Call) -> Iterator[ast.expr]:
    name = _name(call)
    if isinstance(call.func, ast.Name) and name in ("translate", "Progress"):
        yield from call.args[:1]
    if name in TABLES:
        yield from call.args[1:2]
    if name in ERRORS:
        yield from (keyword.value for keyword in call.keywords if keyword.arg in ("why", "fix"))


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")  # also with a module's name before it


def _texts(value: ast.expr, named: dict[str, set[str]]) -> set[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return {value.value} - {""}
    if isinstance(value, ast.IfExp):
        return _texts(value.body, named) | _texts(value.orelse, named)
    if isinstance(value, ast.BoolOp):
        return {text for each in value.values for text in _texts(each, named)}
    return named.get(value.id, set()) if isinstance(value, ast.Name) else set()


def _named(tree: ast.AST) -> dict[str, set[str]]:
    """The texts that a file gives names to."""
    found = defaultdict[str, set[str]](set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target, value in zip(_parts(node.targets[0]), _parts(node.value), strict=False):
                if isinstance(target, ast.Name):
                    found[target.id] |= _texts(value, {})
    return found


def _parts(value: ast.expr) -> list[ast.expr]:
    return value.elts if isinstance(value, ast.Tuple) else [value]
