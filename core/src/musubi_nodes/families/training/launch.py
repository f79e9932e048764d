"""How a trainer is started: accelerate through the install's own Python."""

from __future__ import annotations

from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.runs.install import Install


def accelerate_launch(install: Install, inputs: TrainerInputs, precision: str, *, cpu: bool) -> list[str]:
    """What stands before the script. Every count is explicit: else accelerate prints notices and guesses."""
    several = inputs.num_processes > 1 or inputs.num_machines > 1
    options = {
        "num_processes": inputs.num_processes,
        "num_machines": inputs.num_machines,
        "machine_rank": inputs.machine_rank,
        "main_process_ip": inputs.main_process_ip,
        "main_process_port": inputs.main_process_port,
        "dynamo_backend": "no",
        "num_cpu_threads_per_process": 1,
        "mixed_precision": precision,
    }
    flags = ["--multi_gpu"] * several + ["--cpu"] * cpu
    given = [f"--{name}={value}" for name, value in options.items() if value not in (None, "")]
    return [str(install.python), "-m", "accelerate.commands.launch", *given, *flags]
