"""Which family a LoRA is of, told by the names of its modules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from musubi_nodes.families import Family, Header, modules_in


def families_of(header: Header, families: Sequence[Family]) -> list[Family]:
    """The families whose module names are all the LoRA has, in either spelling; none for an unknown one."""
    names = set(modules_in(header))
    return [f for f in families if f.lora_modules and all(_fits(f, name) for name in names)]


def wrong_names(header: Header, *families: Family) -> list[str]:
    """Modules that no family has, as ComfyUI spells them: it would say "lora key not loaded"."""
    known = "|".join(family.lora_modules for family in families)
    return sorted(name for name in modules_in(header) if not re.fullmatch(known, name))


def _fits(family: Family, name: str) -> bool:
    flat = family.lora_modules.replace(r"\.", "_")
    return bool(re.fullmatch(family.lora_modules, name) or re.fullmatch(flat, name))
