"""The server's own configuration: ``config.toml`` and environment variables. No workflow can change it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import tomli
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from musubi_nodes.errors import MusubiError, problems


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InstallConfig(_Section):
    """``[installs.<name>]``: a musubi-tuner checkout and the Python that runs it."""

    root: str
    python: str | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    cpu: bool = False


class Config(_Section):
    """All settings. Environment variables win over the file: MUSUBI_NODES_INSTALL, MUSUBI_TUNER_ROOT and ..._PYTHON."""

    install: str | None = Field(None, description="Which install is used when a workflow names none.")
    installs: dict[str, InstallConfig] = Field(default_factory=dict)
    plugins_off: list[str] = Field(default_factory=list, description="Plugins that are not loaded.")
    executor: str = Field("local", description="Where commands run.")
    models: dict[str, list[str]] = Field(default_factory=dict, description="Model folders by kind, for the terminal.")
    comfyui: str | None = Field(None, description="A ComfyUI folder whose models/ the terminal uses.")
    read_roots: list[str] = Field(default_factory=list, description="Folders that may be read beyond loopback.")
    secrets: dict[str, str] = Field(default_factory=dict, description="WANDB_API_KEY, HF_TOKEN: reach the child only.")
    options: dict[str, Any] = Field(default_factory=dict, description="Upload options sent to every trainer.")


@cache
def load_config() -> Config:
    """The configuration of this process, read once."""
    return read_config(config_file(), os.environ)


def config_file() -> Path:
    """MUSUBI_NODES_CONFIG, else ``config.toml`` in the user's configuration folder."""
    if named := os.environ.get("MUSUBI_NODES_CONFIG"):
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("musubi-nodes", appauthor=False) / "config.toml"


def cache_folder() -> Path:
    """Where option tables, device locks and toy models are kept: MUSUBI_NODES_CACHE, else the user's cache folder."""
    if named := os.environ.get("MUSUBI_NODES_CACHE"):
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("musubi-nodes", appauthor=False)


def read_config(path: Path, environment: Mapping[str, str]) -> Config:
    """The configuration in ``path`` (none is fine) with the environment's values on top."""
    values = _file_values(path)
    if root := environment.get("MUSUBI_TUNER_ROOT"):
        install = {"root": root, "python": environment.get("MUSUBI_TUNER_PYTHON") or None}
        named = values.setdefault("installs", {}).setdefault("environment", {})
        named |= install
        values["install"] = "environment"
    if chosen := environment.get("MUSUBI_NODES_INSTALL"):
        values["install"] = chosen
    if off := environment.get("MUSUBI_NODES_PLUGINS_OFF"):
        values["plugins_off"] = [name.strip() for name in off.split(",") if name.strip()]
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise problems(f"the configuration {path} is wrong", found, fix="Correct the file.") from None


def _file_values(path: Path) -> dict[str, Any]:
    try:
        return tomli.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise MusubiError(f"the configuration {path} cannot be read: {error}", fix="Correct the file.") from None
