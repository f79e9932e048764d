"""Options from a script's ``--help``, cached by its code."""

from __future__ import annotations

import math
import subprocess
import time
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from musubi_nodes import children
from musubi_nodes.commands.code import code_of
from musubi_nodes.commands.helptext import parse_help
from musubi_nodes.commands.tables import OptionSpec, Table, nearest_release, table
from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate
from musubi_nodes.memo import Memo
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import child_environment

FORMAT = 2
SECONDS = 120
"""Usually 2 to 7 s, more with a cold disk."""
AGAIN = 60
"""Seconds before a failed ``--help`` is retried."""

_failed: dict[Path, tuple[float, str]] = {}
"""When a ``--help`` failed, and why."""


class HelpFailed(Exception):
    """A script's ``--help`` failed; the message is its last line."""


def parser_options(install: Install, script: str) -> Table:
    """Return the script's options, with types of the nearest release.

    Some scripts need CUDA for ``--help`` (v0.3.4): then its table is used.
    """
    path = install.script(script)
    memo = _memo(install, path)
    found = _specs(memo.find()) or _asked(install, path, memo)
    release = table(script, nearest_release(install.version)) or {}
    if not found and not release:
        raise MusubiError(
            "script-options-unknown",
            f"the options of {script} cannot be found out",
            why=translate("Its --help failed: {reason}", reason=help_failure(install, script)),
            fix="Run `musubi-nodes doctor`.",
        )
    return {name: _typed(spec, release.get(name)) for name, spec in found.items()} if found else release


def help_failure(install: Install, script: str) -> str:
    """Return why the script's last ``--help`` failed, or ""."""
    return _failed.get(_memo(install, install.script(script)).file, (0.0, ""))[1]


def _asked(install: Install, path: Path, memo: Memo) -> dict[str, OptionSpec]:
    if time.monotonic() - _failed.get(memo.file, (-math.inf, ""))[0] < AGAIN:
        return {}
    try:
        found = ask_help(install, path)
    except HelpFailed as error:
        _failed[memo.file] = time.monotonic(), str(error)
        return {}
    _failed.pop(memo.file, None)
    memo.keep([asdict(spec) for spec in found.values()], {})
    return found


def ask_help(install: Install, path: Path) -> dict[str, OptionSpec]:
    """Return the options of ``--help``; raises :class:`HelpFailed`."""
    environment = child_environment(install) | {"COLUMNS": "400", "NO_COLOR": "1"}
    try:
        command = [str(install.python), str(path), "--help"]
        done = children.run(command, seconds=SECONDS, env=environment, cwd=install.root)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HelpFailed(str(error)) from error
    found = parse_help(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else {}
    if not found:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        raise HelpFailed(next((line.strip() for line in reversed(lines) if line.strip()), f"code {done.returncode}"))
    return found


def _typed(spec: OptionSpec, known: OptionSpec | None) -> OptionSpec:
    """Add types, defaults and ``required`` from a known release."""
    if known is None:
        return spec
    return replace(known, choices=spec.choices or known.choices, help=spec.help)


def _memo(install: Install, path: Path) -> Memo:
    return Memo("options", install.python, path, install.version, FORMAT, code_of(install, path))


def _specs(rows: object) -> dict[str, OptionSpec]:
    try:
        return {spec.name: spec for spec in _rows().validate_python(rows)}
    except ValueError:
        return {}


@cache
def _rows() -> TypeAdapter[list[OptionSpec]]:
    return TypeAdapter(list[OptionSpec])
