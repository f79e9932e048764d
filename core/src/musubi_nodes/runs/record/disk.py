"""Errors of full disks and unwritable folders."""

from __future__ import annotations

import errno
from pathlib import Path

from musubi_nodes.errors import MusubiError

_FULL = {getattr(errno, name, -1) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


def is_full(error: OSError) -> bool:
    return error.errno in _FULL


def disk_error(error: OSError, run: Path, name: str = "run folder") -> MusubiError:
    target = Path(str(error.filename2 or error.filename or run))
    where, log = run if target.is_relative_to(run) else target.parent, run / "log.txt"
    found = log if log.is_file() else None
    if is_full(error):
        return MusubiError(
            "disk-full", f"the disk of {where} is full", fix="Free some space there, then queue again.", log=found
        )
    what = f"the {name} {run}" if where == run else str(where)
    return MusubiError(
        "folder-not-writable",
        f"{what} cannot be written: {error}",
        fix="Check that folder and its permissions.",
        log=found,
    )
