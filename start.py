"""Sets everything up on a fresh machine and runs one thing: ``python start.py demo`` or ``python start.py test``.

It needs nothing but Python 3.10 or newer: a virtual environment is made in ``.venv`` (once), the package is installed
into it, and the command runs there.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

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
    """Make the environment if needed, then run the command with all further arguments."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: python start.py {'|'.join(COMMANDS)} [arguments]")
        return 2
    extra, command = COMMANDS[sys.argv[1]]
    marker = ENVIRONMENT / f"installed{extra}"
    if not marker.exists() or marker.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        print(f"setting up {ENVIRONMENT} (once)", flush=True)
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run(
            [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", f"{ROOT}{extra}"],
            check=True,
        )
        marker.touch()
    return subprocess.run([str(PYTHON), *command, *sys.argv[2:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
