"""Symbolic links, which Windows leaves to those who have the right, and Wine makes as nothing at all."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import pytest


@cache
def can_link() -> bool:
    """Whether a link can be made here, and is one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "link")
        try:
            path.symlink_to(folder, target_is_directory=True)
        except OSError:
            return False
        return path.is_symlink()


def symlink(path: Path, target: Path | str) -> None:
    """Make ``path`` a link to ``target``; the test is skipped, visibly, if none can be made."""
    if not can_link():
        pytest.skip("no symbolic link can be made here")
    path.symlink_to(target, target_is_directory=os.path.isdir(path.parent / target))  # noqa: PTH112
