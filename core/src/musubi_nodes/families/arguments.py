"""All options of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from musubi_nodes.commands.option import Argument, arguments_from, arguments_of, is_sent, marker, merged
from musubi_nodes.commands.tables import RELEASES, Table, table
from musubi_nodes.errors import NotPossible
from musubi_nodes.families.family import Family, OptionMap
from musubi_nodes.families.fields import Settings
from musubi_nodes.families.forward_options import ForwardOptions
from musubi_nodes.families.settings import Memory


def own_arguments(inputs: BaseModel, title: str) -> Iterator[Argument]:
    """Yield the node's own and forwarded options."""
    yield from arguments_of(inputs, title)
    for name, field in type(inputs).model_fields.items():
        takes, value = marker(field, ForwardOptions), getattr(inputs, name)
        if takes and value is not None:
            yield from arguments_of(value, name, takes.fields or None)


def settings_arguments(settings: Settings, owner: str) -> Iterator[Argument]:
    yield from arguments_of(settings, owner)
    yield from arguments_from(settings.options(), owner, type(settings))


def memory_arguments(
    memory: Memory, family: Family, option_map: OptionMap, script: str, known: Table
) -> Iterator[Argument]:
    """Yield memory options that some release of ``script`` has."""
    owner = "the memory plan"
    values: dict[str, Any] = {a.name: a for a in arguments_of(memory, owner)}
    if memory.fp8_text_encoder and family.fp8_text_encoder:
        values[family.fp8_text_encoder] = True
    values |= spelled(memory, option_map, script)
    ever = _ever(script) | known.keys()
    return (a for a in arguments_from(values, owner) if a.name in ever)


def spelled(memory: Memory, option_map: OptionMap, script: str) -> dict[str, Any]:
    """Return options for fp8 and attention, or raise :class:`NotPossible`."""
    found: dict[str, Any] = {}
    for name, choices in option_map.items():
        chosen = getattr(memory, name)
        options = choices.get(chosen, {} if chosen in ("off", False) else "The script has no such option.")
        if isinstance(options, str):
            fix = "Choose another in the Memory Optimizer."
            raise NotPossible(
                "setting-not-possible", f"{name} {chosen!r} is not possible in {script}", why=options, fix=fix
            )
        found |= options
    return found


def with_defaults(arguments: Iterable[Argument], defaults: Mapping[str, object]) -> list[Argument]:
    """Merge the arguments, and add the family's defaults."""
    sent = merged(arguments)
    names = {argument.name for argument in sent}
    return sent + [
        a for a in arguments_from(defaults, "the family's defaults") if a.name not in names and is_sent(a.value)
    ]


def _ever(script: str) -> set[str]:
    return {name for release in RELEASES for name in (table(script, release) or {})}
