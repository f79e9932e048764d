"""A run's environment is built from one table, so that who starts it makes no difference."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from musubi_nodes.config import LOGINS
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import PASSED, child_environment, is_passed
from musubi_nodes.testing.errors import fails

CRON = {"PATH": os.pathsep.join(["/usr/bin", "/bin"]), "HOME": "/home/me", "LANG": "C.UTF-8"}

COMFYUI = {
    "PYTORCH_CUDA_ALLOC_CONF": "backend:cudaMallocAsync",
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TORCH_ROCM_AOTRITON_ENABLE_EXPERIMENTAL": "1",
    "MIMALLOC_PURGE_DELAY": "0",
    "HIP_VISIBLE_DEVICES": "1,0,2,3",
    "ONEAPI_DEVICE_SELECTOR": "level_zero:1",
}
"""What ComfyUI 0.3.64 and 0.33 set in main.py and cuda_malloc.py."""

TERMINAL = {"TERM": "xterm", "COLUMNS": "40", "FORCE_COLOR": "1", "DISPLAY": ":0", "SSH_AUTH_SOCK": "/s", "PWD": "/x"}

OUTER = {
    **dict.fromkeys(("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "SLURM_PROCID"), "1"),
    **{"MASTER_ADDR": "10.0.0.9", "MASTER_PORT": "1", "PET_NNODES": "2", "OMPI_COMM_WORLD_SIZE": "2", "PMI_SIZE": "2"},
    **dict.fromkeys(("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_DEBUG_MODE"), "true"),
    **{"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR", "ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_TORCH_DEVICE": "cpu"},
    **{"FSDP_VERSION": "2", "TP_SIZE": "2", "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "8"},
}
"""What torchrun, SLURM, MPI or `accelerate launch` around this program would leave."""

PYTHON = dict.fromkeys(
    "PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONNOUSERSITE PYTHONOPTIMIZE PYTHONHASHSEED PYTHONWARNINGS "
    "PYTHONSAFEPATH PYTHONEXECUTABLE PYTHONIOENCODING PYTHONDEVMODE PYTHONPLATLIBDIR PYTHONBREAKPOINT PYTHONINSPECT "
    "VIRTUAL_ENV CONDA_PREFIX __PYVENV_LAUNCHER__".split(),
    "/of/the/host",
)

DECIDING = {
    **{"LD_PRELOAD": "/x.so", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_LAUNCH_BLOCKING": "1"},
    **{"TORCH_LOGS": "+all", "TORCHDYNAMO_DISABLE": "1", "TORCHINDUCTOR_MAX_AUTOTUNE": "1", "TRITON_INTERPRET": "1"},
    **{"NVIDIA_TF32_OVERRIDE": "0", "TORCH_DEVICE_BACKEND_AUTOLOAD": "1", "XLA_USE_BF16": "1", "USE_TORCH_XLA": "1"},
    **{"WANDB_DISABLED": "true", "WANDB_PROJECT": "x", "WANDB_RUN_ID": "x", "MLFLOW_RUN_ID": "x", "TQDM_DISABLE": "1"},
    **{"MUSUBI_TUNER_OFFLOADER_DEBUG": "1", "ZE_AFFINITY_MASK": "1", "GIT_DIR": "/x", "BASH_ENV": "/x"},
}


def install(root: Path = Path("/tuner"), **environment: str) -> Install:
    return Install("test", root, Path("/tuner/venv/bin/python"), environment)


@pytest.mark.parametrize(
    "more", [COMFYUI, TERMINAL, OUTER, PYTHON, DECIDING], ids="comfyui terminal outer python x".split()
)
def test_who_starts_a_run_makes_no_difference(more: Mapping[str, str]) -> None:
    assert child_environment(install(), ["0"], None, {**CRON, **more}) == child_environment(
        install(), ["0"], None, CRON
    )


def test_the_whole_environment_is_known() -> None:
    found = child_environment(install(), ["2"], {"HF_TOKEN": "hf_1234567890"}, CRON)
    assert found == {
        "PATH": os.pathsep.join([str(Path("/tuner/venv/bin")), "/usr/bin", "/bin"]),
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path("/tuner/src")),
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "TQDM_MININTERVAL": "0.1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "2",
        "HF_TOKEN": "hf_1234567890",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://proxy"),
        ("no_proxy", "localhost"),
        ("HF_HOME", "/data/hf"),
        ("LD_LIBRARY_PATH", "/cuda/lib64"),
        ("CUDA_PATH_V12_4", "/cuda"),
        ("LC_ALL", "C"),
        ("WANDB_MODE", "offline"),
        ("ROCR_VISIBLE_DEVICES", "1"),
    ],
)
def test_what_the_machine_needs_is_passed_on(name: str, value: str) -> None:
    passed = child_environment(install(), (), None, {**CRON, name: value})
    assert passed[name.upper() if os.name == "nt" else name] == value


def test_an_install_passes_more_on_purpose() -> None:
    own = install(PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True", PYTHONPATH="/own", PATH="/only")
    found = child_environment(own, (), None, {**CRON, **COMFYUI})
    assert found["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert found["PYTHONPATH"] == os.pathsep.join(["/own", str(Path("/tuner/src"))])
    assert found["PATH"] == "/only"


def test_the_environment_of_the_hosts_python_lends_no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/comfyui/venv")
    host = str(Path(sys.executable).parent)
    found = child_environment(install(), (), None, {**CRON, "PATH": os.pathsep.join([host, "/usr/bin"])})
    assert found["PATH"].split(os.pathsep) == [str(Path("/tuner/venv/bin")), "/usr/bin"]


def test_numbers_of_gpus_go_with_the_order_that_they_were_meant_in() -> None:
    def seen(gpus: list[str] | None, **inherited: str) -> dict[str, str]:
        found = child_environment(install(), gpus, None, {**CRON, **inherited})
        return {name: value for name, value in found.items() if name.endswith(("_DEVICES", "_ORDER"))}

    assert seen(None) == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert seen(None, CUDA_VISIBLE_DEVICES="3") == {"CUDA_VISIBLE_DEVICES": "3"}
    by_bus = {"CUDA_VISIBLE_DEVICES": "3", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert seen(None, **by_bus) == by_bus
    assert seen(["3"], CUDA_VISIBLE_DEVICES="5", HIP_VISIBLE_DEVICES="5", CUDA_DEVICE_ORDER="FASTEST_FIRST") == by_bus


def test_windows_does_not_tell_names_apart_by_their_capitals() -> None:
    inherited = {"Path": "C:\\Windows", "SystemRoot": "C:\\Windows", "ProgramFiles(x86)": "C:\\P", "windir": "C:\\W"}
    found = child_environment(install(Path="D:\\own", Cuda_Home="D:\\c"), (), None, inherited, windows=True)
    assert found["PATH"] == "D:\\own" and found["CUDA_HOME"] == "D:\\c"
    assert {"SYSTEMROOT", "PROGRAMFILES(X86)", "WINDIR"} <= found.keys()
    assert len({name.upper() for name in found}) == len(found)


def test_a_path_that_would_break_pythonpath_is_refused(tmp_path: Path) -> None:
    with fails("install-path-not-allowed", f"a{os.pathsep}b"):
        child_environment(install(tmp_path / f"a{os.pathsep}b"))


def test_each_name_stands_once_and_is_documented() -> None:
    names = [name for names in PASSED.values() for name in names.split()]
    assert len(set(names)) == len(names) and all(map(is_passed, LOGINS.values()))
    page = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text("utf-8")
    table = page.partition("| what for |")[2].partition("\n\n")[0]
    assert re.findall("`(.+?)`", table) == names
