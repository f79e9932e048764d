"""An install's scripts, counted by model family."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from musubi_nodes.families.node import Node
from musubi_nodes.families.script import ScriptNode

KIND = re.compile(r"(?P<family>\w+?)_(cache_\w+|train(_network\w*)?|generate_\w+)\.py")
"""Script names after the family's prefix (v0.3.4)."""
OTHERS = "others"


def counted(scripts: Sequence[str], nodes: Iterable[type[Node]]) -> str:
    """Format counts such as ``Wan 4, HunyuanVideo 5``."""
    owners = {script: family for family, used in _used(nodes).items() for script in used}
    prefixes = {_prefix(script): family for script, family in owners.items() if _prefix(script)}
    counts = Counter(
        owners.get(script) or prefixes.get(_prefix(script)) or _prefix(script) or OTHERS for script in scripts
    )
    shared = list(dict.fromkeys(owners.values()))
    ordered = sorted(counts, key=lambda name: (shared.index(name) if name in shared else len(shared), name == OTHERS))
    return ", ".join(f"{name} {counts[name]}" for name in ordered)


def missing(scripts: Sequence[str], nodes: Iterable[type[Node]]) -> Mapping[str, Sequence[str]]:
    lacking = {family: [name for name in used if name not in scripts] for family, used in _used(nodes).items()}
    return {family: names for family, names in lacking.items() if names}


def _used(nodes: Iterable[type[Node]]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for node in nodes:
        if issubclass(node, ScriptNode) and not any(node.script in used for used in found.values()):
            found.setdefault(node.family.title, []).append(node.script)
    return found


def _prefix(script: str) -> str:
    match = KIND.fullmatch(script)
    return match["family"] if match else ""
