"""Arguments of musubi-tuner's networks.

``create_network`` (networks/lora.py, loha.py and lokr.py, v0.3.4) ignores unknown names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from musubi_nodes.errors import InvalidValue, did_you_mean
from musubi_nodes.parsing import parse_literal


def _share(text: str) -> bool:
    return 0 <= float(text) <= 1


def _patterns(text: str) -> bool:
    found = parse_literal(text)
    try:
        return isinstance(found, list) and all(re.compile(each) for each in found)
    except RecursionError:  # deep nesting
        return False


_NUMBER: tuple[Callable[[str], object], str] = (float, "number")
_WHOLE: tuple[Callable[[str], object], str] = (int, "whole number")
_SHARE: tuple[Callable[[str], object], str] = (_share, "share of 0 to 1")
_PATTERNS: tuple[Callable[[str], object], str] = (_patterns, "list of regular expressions, such as ['.*mlp.*']")

_ALL: Mapping[str, tuple[Callable[[str], object], str]] = {
    "rank_dropout": _SHARE,
    "module_dropout": _SHARE,
    "exclude_patterns": _PATTERNS,
    "include_patterns": _PATTERNS,
    "verbose": (lambda text: text in ("True", "False"), "True or False"),
}
ARGUMENTS = {
    "LoRA": {**_ALL, "conv_dim": _WHOLE, "conv_alpha": _NUMBER, "loraplus_lr_ratio": _NUMBER},
    "LoHa": _ALL,
    "LoKr": {**_ALL, "factor": _WHOLE},
}
"""Kind of network -> argument -> parser, which may fail, and description."""


def check_network(line: str, network: str) -> None:
    """Refuse invalid values, misspelt names and those of another kind."""
    name, _, text = line.partition("=")
    known = ARGUMENTS[network]
    if name not in known:
        near = did_you_mean(name, list(known))
        if near or any(name in others for others in ARGUMENTS.values()):
            raise InvalidValue("argument-unknown", f"{network} takes no {name!r}{near}")
        return
    read, what = known[name]
    try:
        fits = read(text) is not False
    except (ValueError, TypeError, re.error):
        fits = False
    if not fits:
        raise InvalidValue("argument-value-invalid", f"{name}={text[:80]!r} is no {what}")
