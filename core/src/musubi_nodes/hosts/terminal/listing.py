"""``musubi-nodes runs``: the run folders below an output folder."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from musubi_nodes.runs.folder import run_folders


def list_runs(output: Path, limit: int) -> int:
    """One line a run: status, name, and the error's first line."""
    if not (output / "musubi" / "runs").is_dir():
        print(f"no runs below {output.absolute()}")
    for folder in islice(run_folders(output), limit):
        status = folder.status()
        error = str(status.get("error", "")).split("\n")[0]
        print(f"{status['status']:<10} {folder.path.name}  {error}".rstrip())
    return 0
