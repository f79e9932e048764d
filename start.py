"""Sets everything up on a fresh machine and runs one thing: ``python start.py demo`` or ``python start.py test``.

It needs nothing but Python 3.10 or newer: a virtual environment is made in ``.venv`` (once), the package is installed
into it, and the command runs there.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import TextIO

if sys.version_info < (3, 10):  # noqa: UP036 - whatever Python is at hand starts this file
    sys.exit(f"musubi-nodes needs Python 3.10 or newer; {sys.executable} is {sys.version.split()[0]}.")

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = Path(os.environ.get("MUSUBI_NODES_VENV", "").strip().strip("\"'").strip() or ROOT / ".venv")
GUARD = ROOT / "core" / "src" / "musubi_nodes" / "runs" / "process" / "guard_windows.py"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
COMMANDS = {
    "test": ("[test]", ["-m", "pytest", "-n", "auto", "--dist", "worksteal"]),
    **{
        name: ("", ["-m", "musubi_nodes.hosts.terminal.cli", name])
        for name in ("demo", "doctor", "run", "runs", "stop", "new-plugin")
    },
}


def main() -> int:
    """Make the environment if needed, then become the command with all further arguments."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        say(f"usage: python start.py {'|'.join(COMMANDS)} [arguments]")
        return 2
    if sys.argv[1] == "test" and not (ROOT / "tests").is_dir():
        say("The tests are in a clone only: ComfyUI's registry leaves them out.", sys.stderr)
        say("Fix: git clone https://github.com/musubi-nodes/musubi-nodes", sys.stderr)
        return 2
    extra, command = COMMANDS[sys.argv[1]]
    marker = ENVIRONMENT / f"installed{extra}"
    if not _is_set_up(marker):
        say(f"setting up {ENVIRONMENT} (once)")
        try:
            _set_up(extra)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            say(f"{ENVIRONMENT} could not be set up: {error}", sys.stderr)
            say("Fix: Read the lines above; pip needs the network, Debian the package python3-venv.", sys.stderr)
            return 2
        marker.write_text(str(ROOT), "utf-8")
    return _become([str(PYTHON), *command, *sys.argv[2:]])


def say(text: str, stream: TextIO | None = sys.stdout) -> None:
    """Print a line; a code page that lacks a letter, a closed stream or a full disk ends nothing."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None) or getattr(stream, "buffer", None)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        raw.write((text + os.linesep).encode(stream.encoding, "backslashreplace"))


def _is_set_up(marker: Path) -> bool:
    """Whether the environment is this clone's, where it lies now, and as its pyproject.toml wants it."""
    try:
        where, when = marker.read_text("utf-8"), marker.stat().st_mtime
    except OSError:
        return False
    return where == str(ROOT) and when >= (ROOT / "pyproject.toml").stat().st_mtime


def _set_up(extra: str) -> None:
    venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-e", f"{ROOT}{extra}"], check=True)


def _become(command: list[str]) -> int:
    """Whoever started this file signals and waits for the command itself: no process of ours stays in between."""
    if os.name != "nt":
        os.execv(command[0], command)
    for number in (signal.SIGINT, signal.SIGBREAK):  # Windows has no exec; its Ctrl-C reaches the command as well
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(Exception):
        runpy.run_path(str(GUARD))["enter_job"]()  # the command ends with this process, whoever ends it
    return subprocess.Popen(command).wait()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
