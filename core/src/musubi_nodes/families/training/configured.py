"""Trainer options in the server's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from musubi_nodes.commands.option import Argument
from musubi_nodes.commands.option_owners import RUNNER, is_upload
from musubi_nodes.errors import MusubiError

OWNER = "[options] of config.toml"


def configured_options(options: Mapping[str, Any], runner_options: Iterable[str]) -> dict[str, Argument]:
    if taken := sorted({*RUNNER, "resume", *runner_options} & options.keys()):
        raise MusubiError("option-refused", f"{OWNER} sets {', '.join(taken)}, which the runner sets", fix="Remove it.")
    return {name: Argument(name, value, OWNER) for name, value in options.items()}


def counting(configured: Mapping[str, Argument]) -> dict[str, Argument]:
    """Return the options that affect the LoRA."""
    return {name: argument for name, argument in configured.items() if not is_upload(name)}
