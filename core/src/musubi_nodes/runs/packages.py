"""Packages of an install, cached until its folders change."""

from __future__ import annotations

from collections.abc import Mapping

from musubi_nodes.files import FileStamp
from musubi_nodes.json_types import texts_by_name
from musubi_nodes.memo import Memo
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
    memo = Memo("packages", install.python, install.root, install.environment.get("PYTHONPATH", ""))
    packages = memo.find()
    if not texts_by_name(packages):
        found = ask_python(install, _ASK, SECONDS).found
        packages = found.get("packages", {})
        if found:
            memo.keep(packages, {folder: str(FileStamp(*facts)) for folder, facts in found["folders"].items()})
    return dict(packages)
