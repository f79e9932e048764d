"""The environment of musubi-tuner's processes, built from one table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.install import Install

WINDOWS = os.name == "nt"

PASSED: Mapping[str, str] = {
    "programs and home": "PATH HOME USER LOGNAME SHELL",
    "folders for caches, settings and temporary files": "TMPDIR TEMP TMP XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME",
    "language and time zone": "LANG LANGUAGE LC_* TZ",
    "the network": "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy "
    "SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NETRC",
    "the network between GPUs": "NCCL_SOCKET_IFNAME NCCL_IB_DISABLE NCCL_IB_HCA NCCL_P2P_DISABLE GLOO_SOCKET_IFNAME",
    "shared libraries": "LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH NIX_LD NIX_LD_LIBRARY_PATH",
    "CUDA and ROCm": "CUDA_HOME CUDA_PATH CUDA_PATH_V* CUDA_CACHE_PATH CUDA_MPS_* ROCM_HOME ROCM_PATH "
    "HSA_OVERRIDE_GFX_VERSION ROCR_VISIBLE_DEVICES",
    "compilers, which Triton calls": "CC CXX INCLUDE LIB LIBPATH TRITON_CACHE_DIR TORCHINDUCTOR_CACHE_DIR",
    "downloads of models": "HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE TRANSFORMERS_CACHE HF_ENDPOINT HF_TOKEN_PATH "
    "HF_HUB_OFFLINE TRANSFORMERS_OFFLINE TORCH_HOME",
    "logins": "HF_TOKEN HUGGING_FACE_HUB_TOKEN WANDB_API_KEY",
    "where metrics go": "WANDB_MODE WANDB_BASE_URL WANDB_ENTITY WANDB_CONFIG_DIR WANDB_CACHE_DIR",
    "Windows": "SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT OS USERNAME USERPROFILE USERDOMAIN COMPUTERNAME "
    "HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA PROGRAMDATA ALLUSERSPROFILE PUBLIC PROGRAMFILES* PROGRAMW6432 "
    "COMMONPROGRAMFILES* COMMONPROGRAMW6432 NUMBER_OF_PROCESSORS PROCESSOR_*",
}
"""Variables that a process inherits, by reason.

Others could change the run, as ComfyUI's PYTORCH_CUDA_ALLOC_CONF would.
"""

STATED: Mapping[str, str] = {
    "PYTHONUTF8": "1",  # training prints Japanese and dies on a Windows code page (v0.3.4)
    "PYTHONUNBUFFERED": "1",  # stdout is not buffered
    "TQDM_MININTERVAL": "0.1",
    "HF_HUB_DISABLE_TELEMETRY": "1",  # these two as ComfyUI sets them
    "DO_NOT_TRACK": "1",
}

BY_BUS = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # the numbers of NVML and nvidia-smi

# numbers depend on the order: take all or none
SELECTION = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES")

_PATTERNS = tuple(pattern for patterns in PASSED.values() for pattern in patterns.split())


def child_environment(
    install: Install,
    gpus: Sequence[str] | None = None,
    secrets: Mapping[str, str] | None = None,
    inherited: Mapping[str, str] = os.environ,
    *,
    windows: bool = WINDOWS,
) -> dict[str, str]:
    """Build the environment; ``gpus=None`` shows what this program sees."""
    own = joined(install.environment, secrets or {}, windows=windows)
    passed = {name: value for name, value in inherited.items() if is_passed(name, windows=windows)}
    given = joined(passed, STATED, own, windows=windows)
    given["PATH"] = _path(install, own.get("PATH"), given.get("PATH", ""))
    given["PYTHONPATH"] = _sources(install, own.get("PYTHONPATH"))
    others = {name: value for name, value in given.items() if name not in SELECTION}
    if gpus is not None:
        return {**others, **BY_BUS, "CUDA_VISIBLE_DEVICES": ",".join(gpus)}
    return others | (selection(joined(inherited, own, windows=windows)) or BY_BUS)


def is_passed(name: str, *, windows: bool = WINDOWS) -> bool:
    name = name.upper() if windows else name
    return any(fnmatchcase(name, pattern) for pattern in _PATTERNS)


def joined(*environments: Mapping[str, str], windows: bool = WINDOWS) -> dict[str, str]:
    """Merge; later ones win. Windows ignores case."""
    return {
        name.upper() if windows else name: value for environment in environments for name, value in environment.items()
    }


def selection(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in SELECTION if name in environment}


def _path(install: Install, own: str | None, inherited: str) -> str:
    if own is not None:
        return own
    host = str(Path(sys.executable).parent) if sys.prefix != sys.base_prefix else ""
    first = str(install.python.parent)
    return _listed([first, *(each for each in inherited.split(os.pathsep) if each not in (first, host))])


def _sources(install: Install, own: str | None) -> str:
    source = str(install.root / "src")
    if os.pathsep in source:
        raise MusubiError(
            "install-path-not-allowed",
            f"the path of the install {install.name} contains {os.pathsep!r}: {install.root}",
            why="Python takes that character for a separator in PYTHONPATH, and would not find musubi-tuner.",
            fix="Rename or move the folder, and correct `root` in config.toml or MUSUBI_TUNER_ROOT.",
        )
    return _listed([own or "", source])


def _listed(folders: Iterable[str]) -> str:
    """Join without empty entries, which mean the working folder."""
    return os.pathsep.join(filter(None, folders))
