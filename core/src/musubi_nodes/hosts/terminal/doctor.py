"""``musubi-nodes doctor``: what was found, what was looked for, and what to do about each fault."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from musubi_nodes import __version__
from musubi_nodes.commands.accepted import ask_help
from musubi_nodes.commands.tables import scripts
from musubi_nodes.config import config_file
from musubi_nodes.errors import MusubiError
from musubi_nodes.hosts.terminal.places import places
from musubi_nodes.plugins.discovery import checkout
from musubi_nodes.plugins.installs import PRACTICE
from musubi_nodes.plugins.manager import Plugins, plugins
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.packages import installed_packages
from musubi_nodes.runs.process.asking import ask_python

NEEDED = ("torch", "accelerate", "transformers", "safetensors")
WATCHED = (*NEEDED, "bitsandbytes", "tensorboard", "xformers", "flash_attn", "sageattention")

TORCH_SECONDS = 120.0
"""PyTorch loads its libraries from a cold disk; one that takes longer hangs."""

_ASK_TORCH = """
import json, torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "gpus": gpus}))
"""


def examine(output: Path) -> int:
    """Print the whole examination, for runs that write into ``output``; 1 if there is a fault."""
    found = plugins()
    faults = 0
    for mark, text in _findings(found, output):
        faults += mark == "fault"
        print(f"{'!!' if mark == 'fault' else '  '} {text}")
    print("\nno fault found" if not faults else f"\n{faults} fault{'s' if faults > 1 else ''}, marked !!")
    return 1 if faults else 0


def _findings(found: Plugins, output: Path) -> Iterator[tuple[str, str]]:
    yield "ok", f"musubi-nodes {__version__}, {checkout() or 'installed without a clone'}"
    yield _configuration(config_file())
    for name, registered in found.loaded.items():
        yield "ok", f"plugin {name}: {len(registered.nodes)} nodes ({registered.distribution})"
    for name, why in found.failed.items():
        yield "fault", f"plugin {name} was left out: {why}"
    yield from (("fault", sentence) for sentence in found.unknown)
    yield from _executor(found)
    yield from places(found, output)
    told: set[str] = set()
    for name, load in found.installs().items():
        try:
            yield from _install(name, load())
        except MusubiError as error:
            told.add(str(error))
            yield "fault", f"install {name}: {_indented(error)}"
    try:
        yield "ok", f"used when a workflow names none: {found.install().name}"
    except MusubiError as error:
        if str(error) not in told:
            yield "fault", _indented(error)


def _configuration(file: Path) -> tuple[str, str]:
    if file.is_file():
        return "ok", f"configuration: {file}"
    if os.environ.get("MUSUBI_NODES_CONFIG"):
        return "fault", f"configuration: {file} is not there. Fix: correct MUSUBI_NODES_CONFIG, or make the file."
    return "ok", f"configuration: {file} (not there; that is fine)"


def _executor(found: Plugins) -> Iterator[tuple[str, str]]:
    try:
        yield "ok", f"executor: {found.executor().name}"
    except MusubiError as error:
        yield "fault", _indented(error)


def _indented(error: MusubiError) -> str:
    return str(error).replace("\n", "\n   ")


def _install(name: str, install: Install) -> Iterator[tuple[str, str]]:
    yield "ok", f"install {name}: musubi-tuner {install.release} at {install.root}"
    yield "ok", f"  Python: {install.python}"
    packages = installed_packages(install)
    if not packages:
        yield "fault", f"  {install.python} cannot be run. Fix: set `python` of this install to a working interpreter."
        return
    yield "ok", "  packages: " + ", ".join(f"{p} {packages[p]}" for p in WATCHED if p in packages)
    if name != PRACTICE:
        yield from _environment(install, [p for p in NEEDED if p not in packages])
    yield from _scripts(install)


def _environment(install: Install, missing: list[str]) -> Iterator[tuple[str, str]]:
    if missing:
        fix = f"{install.python} -m pip install -e {install.root}"
        yield "fault", f"  missing in this environment: {', '.join(missing)}. Fix: {fix}"
        return
    answer = ask_python(install, _ASK_TORCH, TORCH_SECONDS)
    if answer.why:
        yield "fault", f"  torch cannot be imported: {answer.why}"
        return
    facts = answer.found
    yield "ok", f"  torch {facts['torch']}, CUDA {facts['cuda'] or 'none'}, GPUs: {', '.join(facts['gpus']) or 'none'}"
    if not facts["gpus"] and not install.cpu:
        yield "fault", "  torch sees no GPU. Fix: install the GPU driver and a CUDA build of torch in this environment."


def _scripts(install: Install) -> Iterator[tuple[str, str]]:
    known = [script for script in scripts() if install.find_script(script)]
    if not known:
        yield "fault", f"  no script of musubi-tuner is in {install.root}. Fix: correct `root` of this install."
        return
    yield "ok", f"  {len(known)} scripts: {', '.join(known)}"
    first = known[0]
    if not ask_help(install, install.script(first)):
        yield "fault", f"  {first} --help fails; the kept option tables serve. Fix: run it in a terminal and read why."
