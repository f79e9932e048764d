"""The command of a run for people: a script that runs it again, and one line to paste into a terminal."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from musubi_nodes.files import write_json, write_text
from musubi_nodes.runs.record.folder import RunFolder

BOM = "\ufeff"
"""Tells PowerShell 5 that a script is UTF-8."""


def write_command(folder: RunFolder, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
    """``command.json`` and a script that runs the same command again."""
    values = {"command": list(command), "cwd": str(cwd), "environment": dict(environment)}
    write_json(folder.path / "command.json", values)
    if os.name == "nt":
        write_text(folder.path / "command.ps1", BOM + powershell(command, cwd, environment))
    else:
        write_text(folder.path / "command.sh", shell(command, cwd, environment)).chmod(0o755)


def pasted_command(folder: RunFolder) -> str:
    """The command as it is pasted into a terminal (PowerShell on Windows); empty before there is one."""
    found = folder.read_json("command.json")
    try:
        words, cwd, environment = list(found["command"]), str(found["cwd"]), dict(found["environment"])
        return powershell(words, Path(cwd), environment) if os.name == "nt" else one_line(words, cwd, environment)
    except (KeyError, TypeError, ValueError):
        return ""


def shell(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> str:
    """A POSIX shell script that runs ``command`` again."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines = ["#!/bin/sh", "unset PYTHONHOME", *exports, f"cd {shlex.quote(str(cwd))}", "exec " + shlex.join(command)]
    return "\n".join(lines) + "\n"


def one_line(command: Sequence[str], cwd: str, environment: Mapping[str, str]) -> str:
    """The same as one line for a POSIX shell, which goes on afterwards as it was."""
    values = [f"{name}={value}" for name, value in environment.items()]
    return f"(cd {shlex.quote(cwd)} && {shlex.join(['env', '-u', 'PYTHONHOME', *values, *command])})"


def powershell(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> str:
    """A PowerShell script that runs ``command`` again."""
    exports = [f"$env:{name} = {_quoted(value)}" for name, value in environment.items()]
    lines = [*exports, f"Set-Location -LiteralPath {_quoted(str(cwd))}", _called(command)]
    return "\n".join(lines) + "\n"


def typed(command: Sequence[str]) -> str:
    """``command`` alone, as it is typed into a terminal here (PowerShell on Windows)."""
    return _called(command) if os.name == "nt" else shlex.join(command)


def _called(command: Sequence[str]) -> str:
    return "& " + " ".join(map(_quoted, command))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
