"""Grouping of prompts into invocations, and the prompt file of one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from musubi_nodes.errors import InvalidValue, Problem, one_line, problems
from musubi_nodes.families.generating.inputs import GeneratorInputs
from musubi_nodes.families.plan import Plan
from musubi_nodes.families.prompts import Prompt, Prompts, prompt_problem
from musubi_nodes.media.frames import ImageFiles

NOT_IN_A_LINE = " --"
"""Behind it musubi-tuner reads options in a prompt line (parse_prompt_line, v0.3.4)."""


@dataclass(frozen=True)
class Item:
    """A prompt with the generator's inputs for it; ``key`` is the result key of its ``plan``."""

    number: int
    prompt: Prompt
    inputs: Any
    plan: Plan | None = None
    key: str = ""

    def planned(self, plan: Plan) -> Item:
        return replace(self, plan=plan, key=plan.key())

    @property
    def name(self) -> str:
        """Return the prompt's name for messages."""
        return name_of(self.number, self.prompt)


def name_of(number: int, prompt: Prompt) -> str:
    return f"prompt {number} ({prompt.prompt[:40]!r})"


def items_of(prompts: Prompts, inputs: GeneratorInputs, fields: Mapping[str, str], title: str) -> list[Item]:
    """Return each prompt with its own inputs; one MusubiError for all that don't fit.

    ``fields``: field of a prompt -> field of the generator. Prompts without a seed count up from the generator's.
    """
    found, wrong = [], []
    for number, prompt in enumerate(prompts.items, 1):
        try:
            found.append(_item(number, prompt, inputs, fields))
        except (ValidationError, InvalidValue) as error:
            problem = prompt_problem(error)
            wrong.append(Problem(problem.code, f"{name_of(number, prompt)}: {problem}"))
    if wrong:
        raise problems(
            "prompts-invalid", f"{title}: prompts that do not fit", wrong, fix="Correct them in the list of prompts."
        )
    return found


def _item(number: int, prompt: Prompt, inputs: GeneratorInputs, fields: Mapping[str, str]) -> Item:
    seed = (inputs.seed + number - 1) % 2**32 if prompt.seed is None else prompt.seed
    prompt = prompt.model_copy(update={"seed": seed})
    given = {name: value for name in Prompt.model_fields if _is_said(value := getattr(prompt, name))}
    factor = given.pop("lora_multiplier", None)
    if strange := [name for name in given if name not in fields]:
        raise InvalidValue("input-unexpected", f"this generator has no {strange[0]}")
    values = {name: getattr(inputs, name) for name in type(inputs).model_fields}
    values |= {fields[name]: value for name, value in given.items()} | {"prompts": None}
    if factor is not None:
        if inputs.lora is None:
            raise InvalidValue("lora-missing", "lora_multiplier needs a LoRA at the generator")
        values["lora"] = inputs.lora.scaled(factor)
    made = type(inputs).model_validate(values)
    filled = {name: getattr(made, own) for name, own in fields.items()}
    return Item(number, prompt.model_copy(update=filled), made)


@dataclass(eq=False)
class _Start:
    """Items of one invocation; ``kept`` is what the script caches by text."""

    items: list[Item] = field(default_factory=list)
    kept: dict[str, Hashable] = field(default_factory=dict)


def groups(
    items: Iterable[Item], lines: Mapping[str, str], per_start: int, kept_by_text: Set[str] = frozenset()
) -> list[list[Item]]:
    """Group items that one invocation can make; single ones if the script reads no prompt file.

    Items of a group have the same values for what a line can't contain, and the same options in their lines, since the
    command line counts for the others (wan_generate_video.py, fpack_generate_video.py, v0.3.4). Equal texts also have
    equal ``kept_by_text``, which the script caches by text.
    """
    found: list[_Start] = []
    with_room: dict[Hashable, list[_Start]] = {}
    for item in items:
        starts = with_room.setdefault(_in_common(item, lines), [])
        text, kept = _flat(item.prompt.prompt), _compared(item.prompt, kept_by_text)
        start = next((start for start in starts if start.kept.get(text, kept) == kept), None)
        if start is None:
            start = _Start()
            starts.append(start)
            found.append(start)
        start.items.append(item)
        start.kept[text] = kept
        if len(start.items) >= per_start:
            starts.remove(start)
    return [start.items for start in found]


def _in_common(item: Item, lines: Mapping[str, str]) -> Hashable:
    """Return what items of a group share; an item without company returns its number."""
    if not lines or not _can_be_a_line(item.prompt):
        return item.number
    unsaid = [name for name in Prompt.model_fields if name not in lines and name != "prompt"]
    return frozenset(name for name in lines if _is_said(getattr(item.prompt, name))), _compared(item.prompt, unsaid)


def _compared(prompt: Prompt, names: Iterable[str]) -> Hashable:
    """Return these fields' values; pictures compare by identity, not by pixels."""
    values = [getattr(prompt, name) for name in names]
    return tuple(value if isinstance(value, str | int | float | ImageFiles | None) else id(value) for value in values)


def by_size(items: Iterable[Item]) -> list[list[Item]]:
    """Group items by width, height and length, which need the same GPU memory."""
    found: dict[Any, list[Item]] = {}
    for item in items:
        found.setdefault((item.prompt.width, item.prompt.height, item.prompt.frames), []).append(item)
    return list(found.values())


def _can_be_a_line(prompt: Prompt) -> bool:
    texts = (prompt.prompt, prompt.negative_prompt)
    return not any(NOT_IN_A_LINE in f" {_flat(text)}" for text in texts) and not _flat(prompt.prompt).startswith("#")


def prompt_line(prompt: Prompt, lines: Mapping[str, str], pictures: Mapping[str, Sequence[Path]]) -> str:
    """Return the prompt as a line for ``--from_file``; line breaks become blanks.

    ``pictures``: files by field, one option each.
    """
    values = {name: pictures.get(name) or [getattr(prompt, name)] for name in lines}
    said = ((lines[name], value) for name, found in values.items() for value in found if _is_said(value))
    return " ".join([_flat(prompt.prompt), *(f"--{option} {_flat(value)}" for option, value in said)])


def _is_said(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value)


def _flat(value: Any) -> str:
    return " ".join(one_line(str(value)).split())
