"""Packages of an install, cached until its folders change."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musubi_nodes.config import cache_folder
from musubi_nodes.files import KEPT, FileStamp, read_json, write_json
from musubi_nodes.json_types import fits, table, texts_by_name
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.probe import ask_python

_ASK = """
import importlib.metadata as m, json, os, re, sys
names = {re.sub(r"[-.]+", "_", d.metadata["Name"]).lower(): d.version for d in m.distributions() if d.metadata["Name"]}
stats = {p: os.stat(p) for p in sys.path if os.path.isdir(p)}
folders = {p: [s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for p, s in stats.items()}
print(json.dumps({"packages": names, "folders": folders, "python": sys.version.split()[0]}))
"""
SECONDS = 60


def installed_packages(install: Install) -> Mapping[str, str]:
    """Map distribution (lower case, ``_``) to version; empty on failure."""
    where = f"{install.python}\n{install.root}\n{install.environment.get('PYTHONPATH', '')}"
    key = hashlib.sha256(where.encode()).hexdigest()[:20]
    kept = cache_folder() / "packages" / f"{key}.json"
    found = _read(kept)
    if found is None:
        found = ask_python(install, _ASK, SECONDS).found
        if found:
            with contextlib.suppress(OSError):  # without a cache this only costs a second
                write_json(kept, found)
    return dict(found.get("packages", {}))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = read_json(path, KEPT)
        if not fits(found, {"packages": texts_by_name, "folders": table}):
            return None
        same = all(FileStamp.of(Path(p).stat()) == FileStamp(*then) for p, then in found["folders"].items())
        return found if same else None
    except (OSError, ValueError, TypeError):
        return None
