"""Checks of output folders and of the login for metrics."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from netrc import NetrcParseError, netrc
from pathlib import Path

from musubi_nodes.config import config_file
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.settings import Training
from musubi_nodes.files import CONFIG, open_file
from musubi_nodes.i18n import translate
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import child_environment
from musubi_nodes.runs.record.folder import runs_of

LONGEST_PATH = 259
"""UTF-16 units on Windows (MAX_PATH without NUL)."""
RUN = len("20260102-101500-250-MusubiTunerHunyuanVideoLoRATrainer-1a2b3c")
INSIDE = len("/out/sample/_e000001_00_20261130120000_4294967295_000.png")
"""Longest suffix (``sample_images``, training/trainer_base.py, v0.3.4)."""
WITHOUT_LOGIN = ("offline", "dryrun", "disabled")


def check_folder(folder: Path, kind: str) -> None:
    """Raise unless ``folder`` or its nearest parent can be written."""
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise MusubiError(
            "folder-not-writable",
            f"the folder {folder} cannot be written",
            why=translate("{path} is no folder, or not one that this program may write into.", path=there),
            fix=translate("Make it writable, or name another folder for {kind} in the configuration.", kind=kind),
        )


def check_paths(output: Path, name: str, *, longest: int | None) -> None:
    size = _units(str(runs_of(output))) + 1 + RUN + INSIDE + _units(name)
    if longest is not None and size > longest:
        raise MusubiError(
            "path-too-long",
            f"output_name {name[:80]!r} is too long: a path of {size} characters would come of it",
            why=translate("Windows takes {longest} here, and a save that fails ends the training.", longest=longest),
            fix=translate(
                "Remove {count} characters, choose a shorter output folder, or enable long paths in Windows.",
                count=size - longest,
            ),
        )


def longest_path() -> int | None:
    return None if os.name != "nt" or _long_paths() else LONGEST_PATH


def check_login(install: Install, training: Training, secrets: Mapping[str, str]) -> None:
    """Raise if Weights & Biases has no key: it would ask invisibly."""
    if training.log_with not in ("wandb", "all"):
        return
    environment = child_environment(install, secrets=secrets)
    if environment.get("WANDB_API_KEY") or environment.get("WANDB_MODE") in WITHOUT_LOGIN or _has_login(environment):
        return
    raise MusubiError(
        "wandb-key-missing",
        f"log_with {training.log_with} needs a key of Weights & Biases, and there is none",
        why="wandb would ask for it invisibly once the models are loaded, and the training would end.",
        fix=translate(
            "Write  WANDB_API_KEY = '...'  under [secrets] in {file} and start again, or run `wandb login` once.",
            file=config_file(),
        ),
    )


def _has_login(environment: Mapping[str, str]) -> bool:
    """Whether `wandb login` has written a netrc file."""
    host = re.sub(r"^\w+://|[:/].*$", "", environment.get("WANDB_BASE_URL", "") or "api.wandb.ai")
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or Path.home())
    named = environment.get("NETRC")
    for path in [Path(named)] if named else [home / ".netrc", home / "_netrc"]:
        try:
            with open_file(path, CONFIG):
                if host in netrc(path).hosts:
                    return True
        except (OSError, ValueError, NetrcParseError):
            continue
    return False


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _long_paths() -> bool:
    try:
        import winreg

        key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:  # type: ignore[attr-defined,unused-ignore]
            return bool(winreg.QueryValueEx(opened, "LongPathsEnabled")[0])  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, OSError):
        return False
