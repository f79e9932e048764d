"""Extra options: checked TOML lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from musubi_nodes.commands.option import Argument
from musubi_nodes.commands.option_owners import NAMES, refusal
from musubi_nodes.commands.tables import OptionSpec, Table
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.file_names import checked_name
from musubi_nodes.i18n import translate
from musubi_nodes.parsing import is_number, parse_toml

LIMIT = 20_000
_SCALARS = (str, int, float)
_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float)}
_SHARE = re.compile(r"\d{1,3}(\.\d{1,6})?%", re.ASCII)
"""``10%`` of the steps (``_int_or_float``, v0.3.4)."""


def parse_extra(text: str) -> dict[str, Any]:
    if len(text) > LIMIT:
        raise MusubiError(
            "text-too-long", f"extra options hold {len(text)} characters, more than {LIMIT}", fix="Shorten the text."
        )
    try:
        values = parse_toml(text)
    except ValueError as error:  # also for huge numbers and deep nesting
        raise MusubiError(
            "toml-invalid",
            f"extra options are not TOML: {error}",
            fix='Write one option a line, such as  network_dropout = 0.1  or  log_prefix = "night"',
        ) from None
    return {name.lstrip("-"): value for name, value in values.items()}


def extra_arguments(
    text: str, script: str, known: Table, version: str, refused: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Argument]:
    """Yield checked arguments.

    ``refused`` maps options that can't work to the reason.
    """
    for name, value in parse_extra(text).items():
        spec = known.get(name, OptionSpec(name, kind=""))
        if reason := refused.get(name) or refusal(spec):
            raise MusubiError("option-refused", f"extra option --{name} is refused: {reason}", fix="Remove the line.")
        if name not in known:
            raise MusubiError(
                "option-unknown",
                f"extra option --{name} is not known to {script} of musubi-tuner {version}"
                f"{did_you_mean(name, list(known))}",
                fix=translate("Correct the name; `python {script} --help` lists what there is.", script=script),
            )
        _check_value(known[name], value)
        yield Argument(name, value, "extra options")


def _check_value(spec: OptionSpec, value: object) -> None:
    if shape := _wanted_shape(spec, value):
        raise MusubiError(
            "option-value-other-kind",
            f"extra option --{spec.name} takes {shape}",
            fix=translate("Correct the line of {name}.", name=spec.name),
        )
    for item in value if isinstance(value, list) else [value]:
        _check_item(spec, item)


def _wanted_shape(spec: OptionSpec, value: object) -> str:
    """Return the shape that the option takes, "" if the value has it."""
    if isinstance(value, dict):
        return "name = value, without [sections]"
    if spec.flag != isinstance(value, bool):
        return "true or false" if spec.flag else "a value, not true or false"
    if isinstance(value, list) != spec.is_list:
        return "a list such as [1, 2]" if spec.is_list else "one value"
    if isinstance(value, list) and isinstance(spec.nargs, int) and len(value) != spec.nargs:
        return f"{spec.nargs} values, not {len(value)}"
    return ""


def _check_item(spec: OptionSpec, item: object) -> None:
    if spec.name in NAMES:
        checked_name(str(item), f"extra option --{spec.name}")
    if not spec.flag and not _fits(spec.kind, item):
        raise MusubiError(
            "option-value-other-kind",
            f"extra option --{spec.name} takes {spec.kind or 'a number or a text'}, not {str(item)[:80]!r}",
            fix="Correct the value.",
        )
    if spec.choices and str(item) not in spec.choices:
        raise MusubiError(
            "option-choice-unknown",
            f"extra option --{spec.name} cannot be {str(item)[:80]!r}{did_you_mean(str(item), spec.choices)}",
            fix=translate("Choose one of {choices}.", choices=", ".join(spec.choices)),
        )


def _fits(kind: str, item: object) -> bool:
    if not isinstance(item, str | bool) and not is_number(item):
        return False
    if kind.endswith("int_or_float"):
        return not isinstance(item, str) or bool(_SHARE.fullmatch(item))
    return isinstance(item, _KINDS.get(kind, _SCALARS))
