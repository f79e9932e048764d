"""The scripts of an install, counted by model family."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from musubi_nodes.families.node import Node
from musubi_nodes.families.script import ScriptNode

KIND = re.compile(r"(?P<family>\w+?)_(cache_\w+|train(_network\w*)?|generate_\w+)\.py")
"""How a script's name goes on behind the family's prefix (v0.3.4)."""
OTHERS = "others"


def counted(scripts: Sequence[str], nodes: Iterable[type[Node]]) -> str:
    """``Wan 4, HunyuanVideo 5, ...``: by the family that uses the script, or others with its prefix, else by that."""
    owners = {script: family for family, used in _used(nodes).items() for script in used}
    prefixes = {_prefix(script): family for script, family in owners.items() if _prefix(script)}
    counts = Counter(
        owners.get(script) or prefixes.get(_prefix(script)) or _prefix(script) or OTHERS for script in scripts
    )
    shared = list(dict.fromkeys(owners.values()))
    ordered = sorted(counts, key=lambda name: (shared.index(name) if name in shared else len(shared), name == OTHERS))
    return ", ".join(f"{name} {counts[name]}" for name in ordered)


def missing(scripts: Sequence[str], nodes: Iterable[type[Node]]) -> Mapping[str, Sequence[str]]:
    """The scripts that a family's nodes use and that are not there, by family."""
    lacking = {family: [name for name in used if name not in scripts] for family, used in _used(nodes).items()}
    return {family: names for family, names in lacking.items() if names}


def _used(nodes: Iterable[type[Node]]) -> Mapping[str, Sequence[str]]:
    """The scripts of each family's nodes; one that several use counts for the first."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if issubclass(node, ScriptNode) and not any(node.script in used for used in found.values()):
            found.setdefault(node.family.title, []).append(node.script)
    return found


def _prefix(script: str) -> str:
    match = KIND.fullmatch(script)
    return match["family"] if match else ""
