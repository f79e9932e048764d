"""``python -m accelerate.commands.launch [options] SCRIPT ...``: the real launcher's notice, process tree and end."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping

VALUES: Mapping[str, type] = {
    "config_file": str,
    "num_processes": int,
    "num_machines": int,
    "machine_rank": int,
    "main_process_ip": str,
    "main_process_port": int,
    "mixed_precision": str,
    "dynamo_backend": str,
    "num_cpu_threads_per_process": int,
    "gpu_ids": str,
    "rdzv_backend": str,
}
SWITCHES = ("multi_gpu", "cpu", "same_network")

COUNTS = {"num_processes": "1", "num_machines": "1", "mixed_precision": "'no'", "dynamo_backend": "'no'"}
"""What the launcher complains about where it is missing, and the default that it then takes."""


def launch_parser() -> argparse.ArgumentParser:
    """The launcher's options that the miniature knows; everything behind the script's name is the script's."""
    parser = argparse.ArgumentParser(prog="Accelerate launch command")
    for name, kind in VALUES.items():
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", type=kind)
    for name in SWITCHES:
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", action="store_true")
    parser.add_argument("training_script")
    parser.add_argument("training_script_args", nargs=argparse.REMAINDER)
    return parser


def take_config(args: argparse.Namespace) -> None:
    """What the file says counts where no option does. Without one the real launcher takes that of `accelerate config`,
    which the miniature does not have."""
    with open(args.config_file, encoding="utf-8") as file:
        for name, value in json.load(file).items():
            if getattr(args, name, None) is None:
                setattr(args, name, value)


def missing_counts(args: argparse.Namespace) -> str:
    """The notice about values that were not given, or an empty string."""
    missing = [
        f"\t`--{name}` was set to a value of `{default}`"
        for name, default in COUNTS.items()
        if getattr(args, name) is None
    ]
    if not missing:
        return ""
    head = "The following values were not passed to `accelerate launch` and had defaults used instead:"
    tail = "To avoid this warning pass in values for each of the problematic parameters or run `accelerate config`."
    return "\n".join([head, *missing, tail])


def child_environment(args: argparse.Namespace) -> dict[str, str]:
    """This process's environment with what the real launcher adds for one process."""
    added = {
        "ACCELERATE_MIXED_PRECISION": str(args.mixed_precision or "no").lower(),
        "ACCELERATE_DYNAMO_BACKEND": str(args.dynamo_backend or "no").upper(),
        "ACCELERATE_USE_CPU": str(args.cpu),
        "OMP_NUM_THREADS": str(args.num_cpu_threads_per_process or 1),
    }
    return {**os.environ, **added}


def simple_launcher(args: argparse.Namespace) -> None:
    """Run the script in the same process group and wait; its failure is raised as the real launcher raises it."""
    cmd = [sys.executable, args.training_script, *args.training_script_args]
    process = subprocess.Popen(cmd, env=child_environment(args))
    process.wait()
    if process.returncode != 0:
        raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)


def main() -> None:
    """Parse, complain about missing counts, launch."""
    args = launch_parser().parse_args()
    if args.config_file is not None:
        take_config(args)
    if notice := missing_counts(args):
        print(notice, file=sys.stderr, flush=True)
    simple_launcher(args)


if __name__ == "__main__":
    main()
