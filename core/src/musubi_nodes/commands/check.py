"""Comparison of arguments with the parser options."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path

from musubi_nodes.commands.option import Argument
from musubi_nodes.commands.option_owners import names_file
from musubi_nodes.commands.tables import OptionSpec, Table, first_release, first_spec
from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate


def accepted_arguments(
    arguments: Iterable[Argument], script: str, known: Table, version: str, files: Container[str] = ()
) -> list[Argument]:
    """Return known arguments; drop unknown ones with their default value.

    Texts among ``files``, and those of options that name files, become paths.
    """
    kept: list[Argument] = []
    for argument in arguments:
        spec = known.get(argument.name)
        if spec is not None:
            _check_choice(argument, spec, script, version)
            kept.append(_with_paths(argument, spec, files))
        elif not _means_nothing(argument, script):
            raise _unknown(argument, script, version)
    return kept


def missing_required(given: Container[str], known: Table) -> list[str]:
    return [spec.name for spec in known.values() if spec.required and spec.name not in given]


def _with_paths(argument: Argument, spec: OptionSpec, files: Container[str]) -> Argument:
    value, always = argument.value, names_file(spec)
    items = value if isinstance(value, list | tuple) else [value]
    typed = [Path(item) if isinstance(item, str) and (always or item in files) else item for item in items]
    return replace(argument, value=typed if items is value else typed[0])


def _check_choice(argument: Argument, spec: OptionSpec, script: str, version: str) -> None:
    values = argument.value if isinstance(argument.value, list | tuple) else [argument.value]
    wrong = next((v for v in values if spec.choices and str(v) not in spec.choices), None)
    if wrong is None:
        return
    first = first_release(script, argument.name, wrong)
    raise MusubiError(
        "option-choice-unknown",
        f"--{argument.name} {wrong!r} ({argument.owner}) is not a choice of musubi-tuner {version}'s {script}",
        why=translate("It was added in version {first}.", first=first)
        if first
        else translate("Its choices are {choices}.", choices=", ".join(spec.choices)),
        fix="Update musubi-tuner, or choose another value." if first else "Choose another value.",
    )


def _means_nothing(argument: Argument, script: str) -> bool:
    spec = first_spec(script, argument.name)
    return spec is not None and argument.value == spec.default


def _unknown(argument: Argument, script: str, version: str) -> MusubiError:
    first = first_release(script, argument.name)
    return MusubiError(
        "option-unknown",
        f"--{argument.name} ({argument.owner}) is not known to musubi-tuner {version}'s {script}",
        why=translate("It needs version {first} or newer; {version} was found.", first=first, version=version)
        if first
        else "No version is known to have it.",
        fix="Update musubi-tuner (git pull), or leave the option at its default."
        if first
        else "Correct its name, or leave it out.",
    )
