"""Checks of the values in files, as one table by role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.sockets import Latent, Lora
from musubi_nodes.files import FileStamp, unreadable
from musubi_nodes.tensor_values import Values, values_of

UP = (".lora_up.weight", ".lora_B.weight", ".hada_w1_a", ".lokr_w1", ".lokr_w2_b")
"""Endings of tensors that are zero in an untrained LoRA."""
GLANCE = 1 << 23
"""Bytes to read while a workflow is queued: some 10 ms."""

Role = Literal[
    "trained LoRA",
    "trained model",
    "chosen LoRA",
    "converted LoRA",
    "combined LoRA",
    "merged model",
    "made latent",
    "given latent",
    "state",
]


class Flaw(NamedTuple):
    code: str
    what: str
    why: str = ""
    fix: str = ""


_NAN = "{file} holds NaN or infinite numbers ({tensor})"
NOT_FINITE: Mapping[Role, Flaw] = {
    "trained LoRA": Flaw(
        "lora-not-finite",
        f"the LoRA {_NAN}",
        why="The loss became NaN: the learning rate is too high, or the precision does not fit the model. "
        "musubi-tuner trains on and ends without an error.",
        fix="Lower learning_rate, check mixed_precision, and train again.",
    ),
    "trained model": Flaw(
        "model-not-finite",
        f"the trained model {_NAN}",
        why="The loss became NaN: the learning rate is too high, or the precision does not fit the model. "
        "musubi-tuner trains on and ends without an error.",
        fix="Lower learning_rate, check mixed_precision, and train again.",
    ),
    "chosen LoRA": Flaw(
        "lora-not-finite",
        f"the LoRA {_NAN}",
        why="Its training or conversion went wrong. musubi-tuner would make a black video without an error.",
        fix="Choose another checkpoint of that training, or another LoRA.",
    ),
    "converted LoRA": Flaw(
        "lora-not-finite",
        f"the converted LoRA {_NAN}",
        why="musubi-tuner ended without an error.",
        fix="Use the LoRA in its old format.",
    ),
    "combined LoRA": Flaw(
        "lora-not-finite",
        f"the combined LoRA {_NAN}",
        why="Its numbers are too large for its precision.",
        fix="Lower the multipliers, or set save_precision to float.",
    ),
    "merged model": Flaw(
        "model-not-finite",
        f"the merged model {_NAN}",
        why="A model or multiplier produced numbers too large for its precision. musubi-tuner ended without an error.",
        fix="Lower the multipliers, or take the DiT in another precision.",
    ),
    "made latent": Flaw(
        "latent-not-finite",
        f"musubi-tuner ended without an error, but the latent {_NAN}",
        why="A model, LoRA or setting produced numbers too large for its precision.",
        fix="Try without LoRAs, with another fp8 setting in the Memory Optimizer, or another attention.",
    ),
    "given latent": Flaw(
        "latent-not-finite",
        f"the latent {_NAN}",
        why="Its generation went wrong: it would only make a black video.",
        fix="Generate the latent again.",
    ),
    "state": Flaw(
        "state-not-finite",
        f"resume: the state {_NAN}",
        why="The loss became NaN before it was saved, and never recovers.",
        fix="Take an earlier state, or auto.",
    ),
}
ZERO: Mapping[Role, tuple[Callable[[str], bool], Flaw]] = {
    "trained LoRA": (
        lambda name: name.endswith(UP),
        Flaw(
            "lora-all-zero",
            "the LoRA {file} was not trained: all its up weights are still zero",
            why="No step changed it: there was none, or the learning rate is almost zero.",
            fix="Raise learning_rate, or train more steps.",
        ),
    ),
    "made latent": (
        lambda name: name.startswith("latent"),
        Flaw(
            "latent-all-zero",
            "musubi-tuner ended without an error, but the latent {file} holds only zeros",
            why="Nothing was sampled.",
            fix="The log's last lines say more.",
        ),
    ),
}
"""Tensors that must not all be zero."""


def check_numbers(path: Path, role: Role, log: Path | None = None, *, glance: bool = False) -> None:
    """Raise for NaN, infinity, or unexpected zeros.

    Results are cached; ``glance`` reads :data:`GLANCE` bytes only.
    """
    try:
        found = _look(path, GLANCE if glance else None)
    except OSError as error:
        raise MusubiError(unreadable(error), f"{path} cannot be read", why=str(error), fix="Check the path.") from error
    if found.not_finite:
        raise _error(NOT_FINITE[role], path, log, found.not_finite[0])
    counts, flaw = ZERO.get(role, (None, None))
    if counts and flaw and not glance and _all_zero(found, counts):
        raise _error(flaw, path, log)


GIVEN: Mapping[type[BaseModel], tuple[Role, Callable[[Any], Iterable[Path]]]] = {
    Lora: ("chosen LoRA", lambda lora: [each.path for each in lora.chain()]),
    Latent: ("given latent", lambda latent: [latent.path]),
}


def check_given(inputs: BaseModel) -> None:
    """Check the files of all sockets."""
    for _, value in inputs:
        if given := GIVEN.get(type(value)):
            role, files = given
            for path in files(value):
                check_numbers(path, role)


def is_finite(path: Path) -> bool:
    return not _look(path, None).not_finite


def _all_zero(found: Values, counts: Callable[[str], bool]) -> bool:
    names = [name for name in found.names if counts(name)]
    return bool(names) and found.zero.issuperset(names)


def _look(path: Path, most: int | None) -> Values:
    stamp = FileStamp.of(path)
    return _values(path, stamp, most) if stamp.is_settled else values_of(path, most)


@lru_cache(maxsize=1024)
def _values(path: Path, stamp: FileStamp, most: int | None) -> Values:
    return values_of(path, most)


def _error(flaw: Flaw, path: Path, log: Path | None, tensor: str = "") -> MusubiError:
    what = flaw.what.replace("{file}", path.name).replace("{tensor}", tensor[:200])
    return MusubiError(flaw.code, what, why=flaw.why, fix=flaw.fix, log=log)
