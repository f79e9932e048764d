"""How a trainer is started: accelerate, and the server's own options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from musubi_nodes.commands.option import Argument
from musubi_nodes.commands.option_owners import RUNNER, is_upload
from musubi_nodes.errors import MusubiError, one_line
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.files import write_json
from musubi_nodes.runs.install import Install

CONFIG = "accelerate.json"
OWNER = "[options] of config.toml"

PORT = 29500
"""Default of accelerate, which has none for several machines (v1.6.0)."""


def accelerate_launch(install: Install, inputs: TrainerInputs, folder: Path, *, cpu: bool) -> list[str]:
    """Return the words before the script, with every count explicit."""
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
    """Write a configuration with only the precision.

    It replaces that of `accelerate config`. As an option, the precision makes the launcher use the GPU (v1.6.0).
    """
    values = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "NO", "mixed_precision": precision}
    write_json(folder / CONFIG, {**values, "num_processes": 1, "use_cpu": False, "debug": False})


def configured_options(options: Mapping[str, Any], runner_options: Iterable[str]) -> dict[str, Argument]:
    if taken := sorted({*RUNNER, "resume", *runner_options} & options.keys()):
        raise MusubiError("option-refused", f"{OWNER} sets {', '.join(taken)}, which the runner sets", fix="Remove it.")
    return {name: Argument(name, value, OWNER, same_result=is_upload(name)) for name, value in options.items()}
