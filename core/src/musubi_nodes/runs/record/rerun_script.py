"""Scripts that run a command again."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from subprocess import list2cmdline

from musubi_nodes.files import write_json, write_text
from musubi_nodes.runs.record.folder import RunFolder

BOM = "\ufeff"  # tells PowerShell 5 that a script is UTF-8

LEFT = ("_", "SHELLOPTS", "BASHOPTS")  # the shell's own variables


@dataclass(frozen=True)
class Again:
    """A command; its secrets, named in ``from_shell``, come from the shell."""

    command: Sequence[str]
    cwd: str
    environment: Mapping[str, str]
    from_shell: Collection[str] = ()


def write_command(folder: RunFolder, again: Again) -> None:
    values = {"command": list(again.command), "cwd": again.cwd, "environment": dict(again.environment)}
    write_json(folder.path / "command.json", values | {"from_shell": sorted(again.from_shell)})
    if os.name == "nt":
        write_text(folder.path / "command.ps1", BOM + powershell(again))
    else:
        write_text(folder.path / "command.sh", shell(again)).chmod(0o755)


def pasted_command(folder: RunFolder) -> str:
    found = folder.read_json("command.json")
    try:
        again = Again(list(found["command"]), str(found["cwd"]), dict(found["environment"]), found["from_shell"])
        return f"& {{\n{_process(again)}}}\n" if os.name == "nt" else f"({'; '.join(_steps(again))})"
    except (KeyError, TypeError, ValueError):
        return ""


def shell(again: Again) -> str:
    return "\n".join(["#!/bin/sh", *_steps(again)]) + "\n"


def _steps(again: Again) -> list[str]:
    """Keep secrets out of arguments: other users see those."""
    kept = "|".join([*LEFT, *sorted(again.from_shell)])
    names = f"for (n in ENVIRON) if (n ~ /^[A-Za-z_][A-Za-z0-9_]*$/ && n !~ /^({kept})$/) print n"
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(again.environment.items())]
    end = f"cd {shlex.quote(again.cwd)} && exec {shlex.join(again.command)}"
    return [f"unset $(awk 'BEGIN {{ {names} }}')", *exports, end]


def powershell(again: Again) -> str:
    return _process(again) + "exit $run.ExitCode\n"


def _process(again: Again) -> str:
    """Avoid ``& 'program' 'word'``: PowerShell 5.1 breaks inner quotes."""
    first, *words = again.command
    lines = [
        "$start = New-Object System.Diagnostics.ProcessStartInfo",
        f"$start.FileName = {_quoted(first)}",
        f"$start.Arguments = {_quoted(list2cmdline(words))}",
        f"$start.WorkingDirectory = {_quoted(again.cwd)}",
        "$start.UseShellExecute = $false",
        "$start.EnvironmentVariables.Clear()",
        *(_set(name, _quoted(value)) for name, value in sorted(again.environment.items())),
        *(f"if ($env:{name}) {{ {_set(name, f'$env:{name}')} }}" for name in sorted(again.from_shell)),
        "$run = [System.Diagnostics.Process]::Start($start)",
        "$run.WaitForExit()",
    ]
    return "\n".join(lines) + "\n"


def _set(name: str, value: str) -> str:
    return f"$start.EnvironmentVariables[{_quoted(name)}] = {value}"


def typed(command: Sequence[str]) -> str:
    return "& " + " ".join(map(_quoted, command)) if os.name == "nt" else shlex.join(command)


def _quoted(text: str) -> str:
    """PowerShell also ends text at typographic quotes (U+2018 to U+201B)."""
    return "'" + re.sub("['\u2018-\u201b]", r"\g<0>\g<0>", text) + "'"
