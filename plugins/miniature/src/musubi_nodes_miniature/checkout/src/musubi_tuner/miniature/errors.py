"""Exceptions that print as those of libraries which the miniature does without."""

from __future__ import annotations

from typing import NoReturn


class MultipleInvalid(Exception):
    """A dataset TOML that the schema refuses."""

    __module__ = "voluptuous.error"


class TomlDecodeError(ValueError):
    """A TOML file that cannot be parsed."""

    __module__ = "toml.decoder"


class SafetensorError(Exception):
    """A safetensors file that cannot be read or written."""

    __module__ = "safetensors_rust"


class InvalidDataError(OSError):
    """A video that cannot be decoded."""

    __module__ = "av.error"

    def __init__(self, path: str) -> None:
        super().__init__(1094995529, "Invalid data found when processing input", path)


def refuse_weights(model: str, problems: list[str]) -> NoReturn:
    """What torch says where a state dict does not fit."""
    raise RuntimeError(f"Error(s) in loading state_dict for {model}:\n\t" + "\n\t".join(problems))
