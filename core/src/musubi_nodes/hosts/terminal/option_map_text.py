"""How a family's scripts spell a memory plan, as source text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musubi_nodes.families.family import GENERATOR_OPTIONS, TRAINER_OPTIONS
from musubi_nodes.families.settings import Memory
from musubi_nodes.hosts.terminal.family_scripts import Found, Script
from musubi_nodes.hosts.terminal.python_text import literal

NO_SUCH_OPTION = "The script has no such option."


def option_maps(found: Found, constant: str) -> str:
    """Return how the scripts spell a memory plan, where they differ from most."""
    maps = []
    for script in found.scripts:
        rows = []
        for field, choices_ in differing(script).items():
            base = f'**mn.{script.kind.option_map_name}["{field}"],'
            shown = {choice: "NO_SUCH_OPTION" if how == NO_SUCH_OPTION else literal(how) for choice, how in choices_}
            rows += [f'    "{field}": {{', f"        {base}"]
            rows += [*(f'        "{choice}": {how},' for choice, how in shown.items()), "    },"]
        if rows:
            name = f"mn.{script.kind.option_map_name}"
            head = f"{constant}_{script.kind.option_map_name} = {{"
            maps.append("\n".join([head, f"    **{name},", *rows, "}"]))
    reason = [f"NO_SUCH_OPTION = {literal(NO_SUCH_OPTION)}"] if "NO_SUCH_OPTION" in "".join(maps) else []
    return "".join(f"{each}\n" for each in [*reason, *maps])


def differing(script: Script) -> dict[str, list[tuple[str | bool, Mapping[str, Any] | str]]]:
    """Return choices that the script spells in another way, or cannot do."""
    found = {}
    for name, known in script.kind.option_map.items():
        plain = Memory.model_fields[name].default  # stays possible, as the script's default
        how = {choice: _spelled(script, name, choice) for choice, sent in known.items() if not isinstance(sent, str)}
        how = {choice: {} if choice == plain and each == NO_SUCH_OPTION else each for choice, each in how.items()}
        if rows := [(choice, each) for choice, each in how.items() if each != known[choice]]:
            found[name] = rows
    return found


def _spelled(script: Script, field: str, choice: str | bool) -> Mapping[str, Any] | str:
    for known in (script.kind.option_map, TRAINER_OPTIONS, GENERATOR_OPTIONS):
        sent = known[field][choice]
        if not isinstance(sent, str) and all(_has(script, name, value) for name, value in sent.items()):
            return sent
    return {str(choice): True} if _has(script, str(choice), True) else NO_SUCH_OPTION


def _has(script: Script, name: str, value: Any) -> bool:
    spec = script.options.get(name)
    return spec is not None and (not spec.choices or str(value) in spec.choices)
