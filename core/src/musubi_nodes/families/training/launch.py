"""How a trainer is started: accelerate through the install's own Python."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import one_line
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.files import write_json
from musubi_nodes.runs.install import Install

CONFIG = "accelerate.json"

PORT = 29500
"""accelerate's own; for several machines it takes "None" for it (v1.6.0)."""


def accelerate_launch(install: Install, inputs: TrainerInputs, folder: Path, *, cpu: bool) -> list[str]:
    """What stands before the script. Every count is explicit: else accelerate prints notices and guesses."""
    several = inputs.num_processes > 1 or inputs.num_machines > 1
    options = {
        "config_file": folder / CONFIG,
        "num_processes": inputs.num_processes,
        "num_machines": inputs.num_machines,
        "machine_rank": inputs.machine_rank,
        "main_process_ip": inputs.main_process_ip,
        "main_process_port": inputs.main_process_port or (PORT if inputs.num_machines > 1 else None),
        "dynamo_backend": "no",
        "num_cpu_threads_per_process": 1,
    }
    flags = ["--multi_gpu"] * several + ["--cpu"] * cpu
    given = [f"--{name}={one_line(str(value))}" for name, value in options.items() if value not in (None, "")]
    return [str(install.python), "-m", "accelerate.commands.launch", *given, *flags]


def write_launch_config(folder: Path, precision: str) -> None:
    """A configuration that says nothing but the precision. Without a file, that of `accelerate config` would decide:
    other GPUs, FSDP, DeepSpeed. As an option, the precision would make the launcher itself use the GPU (v1.6.0)."""
    values = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "NO", "mixed_precision": precision}
    write_json(folder / CONFIG, {**values, "num_processes": 1, "use_cpu": False, "debug": False})
