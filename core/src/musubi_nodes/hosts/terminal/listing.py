"""``musubi-nodes runs`` and ``stop``: the run folders below an output folder."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from musubi_nodes.errors import MusubiError, printable
from musubi_nodes.runs.record.folder import run_folders, runs_of


def list_runs(output: Path, limit: int) -> int:
    """One line a run: status, name, and the error's first line."""
    if not runs_of(output).is_dir():
        print(f"no runs below {output.absolute()}")
    for folder in islice(run_folders(output), limit):
        status = folder.status()
        error = printable(str(status.get("error", "")).split("\n")[0])
        print(f"{status['status']:<10} {folder.path.name}  {error}".rstrip())
    return 0


def stop_run(output: Path, name: str) -> int:
    """Ask the running training whose folder's name holds ``name`` to end after its next save."""
    running = [folder for folder in run_folders(output) if folder.status()["status"] == "running"]
    found = [folder for folder in running if name in folder.path.name]
    if len(found) != 1:
        names = ", ".join(folder.path.name for folder in running) or "none"
        raise MusubiError(
            f"{len(found) or 'no'} running runs below {output.absolute()} are called {name!r}"
            if name
            else f"{len(found) or 'no'} runs are running below {output.absolute()}",
            why=f"Running: {names}.",
            fix="Name one of them, and its --output folder. Ctrl-C in its own terminal ends it at once.",
        )
    found[0].ask_to_stop()
    print(f"{found[0].path.name} ends after its next save")
    return 0
