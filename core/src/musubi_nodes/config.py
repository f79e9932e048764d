"""The server's configuration: ``config.toml`` and environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from musubi_nodes.errors import InvalidValue, MusubiError, Problem, did_you_mean, finding, problems
from musubi_nodes.files import CONFIG, NotUsable, cleaned_path, read_text
from musubi_nodes.log import log
from musubi_nodes.parsing import parse_toml

ENVIRONMENT = "environment"  # name of the install that MUSUBI_TUNER_ROOT describes


_SECRET = re.compile(
    r"(?:^|_)(?:TOKEN|KEYS?|APIKEY|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH)(?:_ID|_?\d+)?$", re.IGNORECASE
)

LOGINS = {"huggingface_token": "HF_TOKEN", "wandb_api_key": "WANDB_API_KEY"}
"""Secrets among musubi-tuner's options -> the variable to use instead."""


def _whole_path(text: str) -> str:
    if not cleaned_path(text).is_absolute():
        raise InvalidValue("path-not-absolute", "must be an absolute path, or begin with ~")
    return text


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InvalidValue("variable-name-invalid", "is not a valid variable name: use letters, digits and _")
    return name


def _variable_value(value: str) -> str:
    if "\0" in value:
        raise InvalidValue("variable-value-invalid", "contains a NUL character, which variables cannot contain")
    return value


def is_secret(name: str) -> bool:
    """Whether a variable or option of this name holds a secret."""
    return bool(_SECRET.search(name))


def _option(name: str) -> str:
    """Refuse secrets: others can see a command line."""
    if is_secret(name):
        variable = LOGINS.get(name, name.upper())
        text = f"would be visible to others in the command line; put {variable} into [secrets] instead"
        raise InvalidValue("secret-in-command", text)
    return name


WholePath = Annotated[str, AfterValidator(_whole_path)]


Variables = dict[Annotated[str, AfterValidator(_variable_name)], Annotated[str, AfterValidator(_variable_value)]]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class InstallConfig(_Section):
    """``[installs.<name>]``: a musubi-tuner checkout and its Python."""

    root: WholePath
    python: WholePath | None = None
    environment: Variables = Field(default_factory=dict)
    cpu: bool = False


class Config(_Section):
    """All settings (docs/configuration.md). Environment variables win."""

    install: str | None = Field(None, description="The install that is used when a workflow names none.")
    installs: dict[str, InstallConfig] = Field(default_factory=dict)
    plugins_off: list[str] = Field(default_factory=list, description="Plugins that are not loaded.")
    executor: str = Field("local", description="Where commands run.")
    models: dict[str, list[WholePath]] = Field(
        default_factory=dict, description="Model folders by kind, for the terminal."
    )
    comfyui: WholePath | None = Field(None, description="A ComfyUI folder whose models/ the terminal uses.")
    read_roots: list[WholePath] = Field(default_factory=list, description="Folders that remote users may read.")
    shared: bool = Field(False, description="Others can reach ComfyUI although it listens on loopback.")
    machines: list[str] = Field(default_factory=list, description="Machines that may lead a training across several.")
    secrets: Variables = Field(default_factory=dict, description="WANDB_API_KEY, HF_TOKEN: reach the child only.")
    options: dict[Annotated[str, AfterValidator(_option)], Any] = Field(
        default_factory=dict, description="Upload options sent to every trainer."
    )


@cache
def load_config() -> Config:
    return read_config(config_file(), os.environ)


def config_file() -> Path:
    """Return MUSUBI_NODES_CONFIG or ``config.toml`` in the user's folder."""
    if named := _variable(os.environ, "MUSUBI_NODES_CONFIG"):
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("musubi-nodes", appauthor=False) / "config.toml"


def cache_folder() -> Path:
    """Return MUSUBI_NODES_CACHE or the user's cache folder."""
    if named := _variable(os.environ, "MUSUBI_NODES_CACHE"):
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("musubi-nodes", appauthor=False)


def read_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read ``path``, which may be missing; ``environment`` wins."""
    config = _checked(path, _file_values(path))
    return config.model_copy(update=_environment_values(config, environment))


def _environment_values(config: Config, environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    root, python = (_variable(environment, f"MUSUBI_TUNER_{name}") for name in ("ROOT", "PYTHON"))
    if root:
        given = {"root": root} | ({"python": python} if python else {})
        before = config.installs.get(ENVIRONMENT, InstallConfig.model_construct(root=root))
        values["installs"] = {**config.installs, ENVIRONMENT: before.model_copy(update=given)}
        values["install"] = ENVIRONMENT
    elif python:
        log.warning("musubi-nodes: MUSUBI_TUNER_PYTHON is not used, because MUSUBI_TUNER_ROOT is not set")
    if chosen := _variable(environment, "MUSUBI_NODES_INSTALL"):
        values["install"] = chosen
    if off := _variable(environment, "MUSUBI_NODES_PLUGINS_OFF"):
        values["plugins_off"] = [name.strip() for name in off.split(",") if name.strip()]
    return values


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip().strip("\"'").strip()


def _checked(path: Path, values: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        found = [_sentence(each) for each in error.errors()]
        raise problems(
            "config-invalid", f"the configuration {path} is invalid", found, fix="Correct the file and start again."
        ) from None


def _sentence(error: Mapping[str, Any]) -> Problem:
    *above, last = (str(part) for part in error["loc"] if part != "[key]")
    key, said = ".".join([*above, last]), finding(error)
    if error["type"] == "extra_forbidden":
        near = did_you_mean(last, list((InstallConfig if above else Config).model_fields))
        return Problem("key-unknown", f"{key} is not a known key{near}")
    if key == "install" and isinstance(error["input"], Mapping):
        text = "install names one of the installs; they are described in [installs.NAME], with an s"
        return Problem("install-not-a-name", text)
    return Problem(said.code, f"{key}: {said.text[0].lower()}{said.text[1:]}")


def _file_values(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_text(path, CONFIG))
    except (FileNotFoundError, NotADirectoryError):  # the home of a service may be /dev/null
        return {}
    except NotUsable as error:
        raise MusubiError(
            "file-unreadable",
            f"the configuration {path} cannot be read: {error}",
            fix="Name a text file of at most 1 MB.",
        ) from None
    except UnicodeDecodeError as error:
        raise MusubiError(
            "file-not-utf8", f"the configuration {path} is not UTF-8: {error}", fix="Save it as UTF-8."
        ) from None
    except ValueError as error:
        fix = "Correct the file and start again. Put Windows paths in 'single quotes'."
        raise MusubiError("toml-invalid", f"the configuration {path} is not valid TOML: {error}", fix=fix) from None
    except OSError as error:
        raise MusubiError(
            "file-unreadable", f"the configuration {path} cannot be read: {error}", fix="Check its permissions."
        ) from None
