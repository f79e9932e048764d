"""What `accelerate config` once wrote, and what stands in the environment, decide nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.launch import accelerate_launch, write_launch_config
from musubi_nodes.runs.install import load_install
from musubi_nodes.runs.process.environment import child_environment

pytestmark = pytest.mark.musubi

HOSTILE: dict[str, dict[str, Any]] = {
    "another GPU": {"distributed_type": "NO", "gpu_ids": "5", "num_processes": 1},
    "several GPUs": {"distributed_type": "MULTI_GPU", "gpu_ids": "0,1", "num_processes": 2},
    "FSDP": {"distributed_type": "FSDP", "fsdp_config": {"fsdp_version": 2}, "num_processes": 1},
    "DeepSpeed": {"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": 3}, "num_processes": 1},
    "TPU": {"distributed_type": "XLA", "num_processes": 8},
    "compiled": {"distributed_type": "NO", "dynamo_config": {"dynamo_backend": "INDUCTOR", "dynamo_mode": "x"}},
    "other precision": {"distributed_type": "NO", "mixed_precision": "fp8", "fp8_config": {"backend": "TE"}},
    "MPI": {"distributed_type": "MULTI_CPU", "mpirun_config": {"mpirun_hostfile": "/none"}, "use_cpu": True},
    "a cloud": {"compute_environment": "AMAZON_SAGEMAKER", "distributed_type": "NO"},
    "nonsense": {"distributed_type": "NO", "no_such_key": 1},
    "debugging": {"distributed_type": "NO", "debug": True, "enable_cpu_affinity": True, "main_process_port": 1},
}

OURS = {"MUSUBI_NODES_RUN", "LC_CTYPE"}

SCRIPT = "import json, os, sys; print(json.dumps([sys.argv[1:], sys.executable, dict(os.environ)]))"

BY_HAND = {"ACCELERATE_USE_FSDP": "true", "RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "10.0.0.9", "PET_NNODES": "2"}
"""What a launcher around this program would leave in its environment."""


def launched(real: Mapping[str, str], folder: Path, config: Mapping[str, Any] | None, ours: bool = True) -> Any:
    """What a script sees that accelerate starts with our words; ``config`` is what `accelerate config` wrote."""
    home = folder / "huggingface"
    (home / "accelerate").mkdir(parents=True)
    if config is not None:
        (home / "accelerate" / "default_config.yaml").write_text(json.dumps(config), "utf-8")
    install = load_install("real", real["root"], real.get("python"), {"HF_HOME": str(home)})
    write_launch_config(folder, "bf16")
    words = accelerate_launch(install, TrainerInputs.model_construct(), folder, cpu=False)
    words = words if ours else [word for word in words if not word.startswith("--config_file=")]
    script = folder / "told.py"
    script.write_text(SCRIPT, "utf-8")
    environment = child_environment(install, ["1"], None, {**os.environ, **BY_HAND})
    done = subprocess.run(
        [*words, str(script), "--a b"], env=environment, cwd=install.root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "The following values were not passed" not in done.stderr
    given, python, seen = json.loads(done.stdout)
    assert (given, Path(python)) == (["--a b"], install.python)
    return {name: value for name, value in seen.items() if name not in {*OURS, "HF_HOME"}}


@pytest.fixture(scope="module")
def undisturbed(real_musubi: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    return launched(real_musubi, tmp_path_factory.mktemp("undisturbed"), None)


def test_the_launcher_adds_only_what_we_say(undisturbed: Any) -> None:
    assert undisturbed["CUDA_VISIBLE_DEVICES"] == "1" and undisturbed["ACCELERATE_MIXED_PRECISION"] == "bf16"
    assert undisturbed["ACCELERATE_DYNAMO_BACKEND"] == "NO" and undisturbed["ACCELERATE_USE_CPU"] == "False"
    assert not undisturbed.keys() & {*BY_HAND, "ACCELERATE_DEBUG_MODE", "FSDP_VERSION"}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_accelerate_config_decides_nothing(
    name: str, undisturbed: Any, real_musubi: dict[str, str], tmp_path: Path
) -> None:
    assert launched(real_musubi, tmp_path, HOSTILE[name]) == undisturbed


def test_an_accelerate_config_would_decide_without_our_file(real_musubi: dict[str, str], tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    config = {**HOSTILE["another GPU"], "mixed_precision": "fp16"}
    seen = launched(real_musubi, tmp_path, config, ours=False)
    assert (seen["CUDA_VISIBLE_DEVICES"], seen["ACCELERATE_MIXED_PRECISION"]) == ("5", "fp16")


def test_machines_find_each_other_without_a_port(real_musubi: dict[str, str], tmp_path: Path) -> None:
    """Two launchers of one machine stand for two machines; accelerate would take "None" for the port."""
    install = load_install("real", real_musubi["root"], real_musubi.get("python"))
    write_launch_config(tmp_path, "no")
    script = tmp_path / "told.py"
    script.write_text("import os; print(os.environ['RANK'], os.environ['WORLD_SIZE'])", "utf-8")
    counts = {"num_processes": 2, "num_machines": 2, "main_process_ip": "127.0.0.1"}
    started = []
    for rank in range(2):
        inputs = TrainerInputs.model_construct(**counts, machine_rank=rank)
        words = [*accelerate_launch(install, inputs, tmp_path, cpu=False), str(script)]
        environment = child_environment(install, [])
        started.append(subprocess.Popen(words, env=environment, cwd=install.root, stdout=subprocess.PIPE, text=True))
    try:
        assert [process.communicate(timeout=300)[0] for process in started] == ["0 2\n", "1 2\n"]
    finally:
        for process in started:
            process.kill()
