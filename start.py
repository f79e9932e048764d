"""Sets everything up on a fresh machine and runs one thing: ``python start.py demo`` or ``python start.py test``.

It needs nothing but Python 3.10 or newer: a virtual environment is made in ``.venv`` (once), the package is installed
into it, and the command runs there.
"""

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036 - whatever Python is at hand starts this file
    sys.exit(f"musubi-nodes needs Python 3.10 or newer; {sys.executable} is {sys.version.split()[0]}.")

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = Path(os.environ.get("MUSUBI_NODES_VENV", ROOT / ".venv"))
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
COMMANDS = {
    "test": ("[test]", ["-m", "pytest", "-n", "auto"]),
    **{
        name: ("", ["-m", "musubi_nodes.hosts.terminal.cli", name])
        for name in ("demo", "doctor", "run", "runs", "stop", "new-plugin")
    },
}


def main() -> int:
    """Make the environment if needed, then become the command with all further arguments."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: python start.py {'|'.join(COMMANDS)} [arguments]")
        return 2
    extra, command = COMMANDS[sys.argv[1]]
    marker = ENVIRONMENT / f"installed{extra}"
    if not _is_set_up(marker):
        print(f"setting up {ENVIRONMENT} (once)", flush=True)
        try:
            _set_up(extra)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{ENVIRONMENT} could not be set up: {error}", file=sys.stderr)
            print("Fix: Read the lines above; pip needs the network, Debian the package python3-venv.", file=sys.stderr)
            return 2
        marker.write_text(str(ROOT), "utf-8")
    return _become([str(PYTHON), *command, *sys.argv[2:]])


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
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows has no exec; its Ctrl-C reaches the command as well
    return subprocess.Popen(command).wait()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
