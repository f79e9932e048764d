"""Which family a LoRA is of, told by the names of its modules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from musubi_nodes.families import Family, Header, modules_in


def family_of(header: Header, families: Sequence[Family]) -> Family | None:
    """The family whose module names are all the LoRA has, in either spelling; ``None`` for an unknown one."""
    names = set(modules_in(header))
    return next((f for f in families if f.lora_modules and all(_fits(f, name) for name in names)), None)


def wrong_names(header: Header, family: Family) -> list[str]:
    """Modules that the family does not have, as ComfyUI spells them: it would say "lora key not loaded"."""
    return sorted(name for name in modules_in(header) if not re.fullmatch(family.lora_modules, name))


def _fits(family: Family, name: str) -> bool:
    flat = family.lora_modules.replace(r"\.", "_")
    return bool(re.fullmatch(family.lora_modules, name) or re.fullmatch(flat, name))
