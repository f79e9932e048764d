"""The child's environment: built, not inherited as it comes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from musubi_nodes.runs.install import Install

DROPPED = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "PYTHONSAFEPATH",
    "PYTHONOPTIMIZE",
    "PYTHONIOENCODING",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "__PYVENV_LAUNCHER__",
)
"""What belongs to ComfyUI's Python and would make the child import the wrong packages, or drop its assertions."""


def child_environment(
    install: Install, gpus: Sequence[str] | None = None, secrets: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole environment of a process of ``install`` that sees ``gpus`` only (driver's names; ``None``: all).

    PYTHONUTF8: training prints Japanese and dies on a Windows code page; PYTHONUNBUFFERED: its stdout lines come at
    once (both seen with v0.3.4).
    """
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    sources = [str(install.root / "src")]
    if extra := install.environment.get("PYTHONPATH"):
        sources.insert(0, extra)
    kept |= {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "TQDM_MININTERVAL": "0.1"}
    kept |= dict(install.environment) | dict(secrets or {})
    kept["PYTHONPATH"] = os.pathsep.join(sources)
    kept.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # the numbers that NVML and nvidia-smi show
    return kept if gpus is None else kept | {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
