"""The command ``doctor``: examines plugins, installs and folders."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from musubi_nodes import __version__
from musubi_nodes.commands.parser_options import HelpFailed, ask_help
from musubi_nodes.commands.tables import RELEASES, scripts
from musubi_nodes.config import config_file
from musubi_nodes.errors import MusubiError
from musubi_nodes.hosts.terminal.findings import Finding, of_error, of_problem, report
from musubi_nodes.hosts.terminal.places import places
from musubi_nodes.hosts.terminal.script_counts import counted, missing
from musubi_nodes.media import ffmpeg
from musubi_nodes.plugins.discovery import checkout
from musubi_nodes.plugins.installs import PRACTICE
from musubi_nodes.plugins.manager import Plugins, plugins
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.packages import installed_packages
from musubi_nodes.runs.process.probe import ask_python

NEEDED = ("torch", "accelerate", "transformers", "safetensors")
WATCHED = (*NEEDED, "bitsandbytes", "tensorboard", "xformers", "flash_attn", "sageattention")

TORCH_SECONDS = 120.0

_ASK_TORCH = """
import json, torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "gpus": gpus}))
"""


def examine(output: Path, as_json: bool = False) -> int:
    """Print all findings, as text or JSON; return 1 if there is a fault."""
    try:
        found = list(_findings(plugins(), output))
    except MusubiError as error:  # in the configuration
        found = [of_error("configuration", error)]
    for line in [json.dumps(list(map(asdict, found)), indent=1)] if as_json else report(found):
        print(line)
    return 1 if any(each.mark == "fault" for each in found) else 0


def _findings(found: Plugins, output: Path) -> Iterator[Finding]:
    yield Finding("musubi-nodes", f"{__version__}, {checkout() or 'installed without a clone'}")
    yield _configuration(config_file())
    for name, registered in found.loaded.items():
        yield Finding("plugins", f"{name}: {len(registered.nodes)} nodes ({registered.distribution})")
    for name, why in found.failed.items():
        fix = f"Correct it, install another version of it, or add {name.split(' ')[0]!r} to plugins_off in config.toml."
        yield Finding(f"plugin {name}", f"it was left out: {why}", "fault", why.code, fix)
    for problem in found.unknown:
        yield of_problem("configuration", problem, f"Correct it in {config_file()}.")
    yield _executor(found)
    yield _ffmpeg()
    yield from places(found, output)
    told: set[str] = set()
    for name, load in found.installs().items():
        _print_progress(name)
        try:
            yield from _install(name, load(), found)
        except MusubiError as error:
            told.add(str(error))
            yield of_error(f"install {name}", error)
    try:
        yield Finding("used", f"install {found.install().name}, when a workflow names none")
    except MusubiError as error:
        if str(error) not in told:
            yield of_error("install", error)


def _print_progress(name: str) -> None:
    if sys.stderr.isatty():  # loading PyTorch takes a while
        print(f"asking the install {name} ...", file=sys.stderr)


def _configuration(file: Path) -> Finding:
    if file.is_file():
        return Finding("configuration", str(file))
    if os.environ.get("MUSUBI_NODES_CONFIG"):
        fix = "Correct MUSUBI_NODES_CONFIG, or make the file."
        return Finding("configuration", f"{file} is not there", "fault", "file-missing", fix)
    return Finding("configuration", f"{file} (not there; that is fine)")


def _executor(found: Plugins) -> Finding:
    try:
        return Finding("executor", found.executor().name)
    except MusubiError as error:
        return of_error("executor", error)


def _ffmpeg() -> Finding:
    try:
        path, version = ffmpeg.found()
    except MusubiError as error:
        return of_error("ffmpeg", error)
    return Finding("ffmpeg", f"{version}, {path}")


def _install(name: str, install: Install, found: Plugins) -> Iterator[Finding]:
    subject = f"install {name}"
    yield Finding(subject, f"musubi-tuner {install.release}, {install.root}")
    yield Finding(subject, f"Python {install.python}")
    packages = installed_packages(install)
    if not packages:
        fix = "Set `python` of this install to a working interpreter."
        yield Finding(subject, f"{install.python} cannot be run", "fault", "python-unusable", fix)
        return
    yield Finding(subject, ", ".join(f"{package} {packages[package]}" for package in WATCHED if package in packages))
    if name != PRACTICE:
        yield from _environment(subject, install, [package for package in NEEDED if package not in packages])
        yield from _warnings(subject, install, "tensorboard" in packages)
    yield from _scripts(subject, install, found)


def _environment(subject: str, install: Install, lacking: list[str]) -> Iterator[Finding]:
    if lacking:
        fix = f"{install.python} -m pip install -e {install.root}"
        yield Finding(subject, f"packages are missing: {', '.join(lacking)}", "fault", "package-missing", fix)
        return
    answer = ask_python(install, _ASK_TORCH, TORCH_SECONDS)
    if answer.why:
        fix = f"Install PyTorch as musubi-tuner's README says, with {install.python}."
        yield Finding(subject, f"torch cannot be imported: {answer.why}", "fault", "torch-unusable", fix)
        return
    facts = answer.found
    yield Finding(subject, f"CUDA {facts['cuda'] or 'none'}, GPUs: {', '.join(facts['gpus']) or 'none'}")
    if not facts["gpus"] and not install.cpu:
        fix = "Install the GPU driver, and a CUDA build of torch in this environment."
        yield Finding(subject, f"torch {facts['torch']} sees no GPU", "fault", "gpu-missing", fix)


def _warnings(subject: str, install: Install, has_tensorboard: bool) -> Iterator[Finding]:
    if install.version not in (*RELEASES, "0.1.0"):
        tried = f"{RELEASES[0]} to {RELEASES[-1]}"
        fix = "Go on: options are asked of the scripts themselves. If a training fails at once, try one of those."
        text = f"musubi-tuner {install.release} was not tried; {tried} were"
        yield Finding(subject, text, "warning", "version-untried", fix)
    if not has_tensorboard:
        fix = f"{install.python} -m pip install tensorboard"
        text = "without tensorboard there is no loss of single steps, only its average"
        yield Finding(subject, text, "warning", "tensorboard-missing", fix)


def _scripts(subject: str, install: Install, found: Plugins) -> Iterator[Finding]:
    known = [script for script in scripts() if install.find_script(script)]
    if not known:
        fix = "Correct `root` of this install."
        yield Finding(subject, f"no script of musubi-tuner is in {install.root}", "fault", "script-missing", fix)
        return
    yield Finding(subject, f"{len(known)} scripts: {counted(known, found.nodes)}")
    for family, lacking in missing(known, found.nodes).items():
        fix = "Update musubi-tuner, or do without these nodes."
        yield Finding(subject, f"{family} lacks {', '.join(lacking)}", "warning", "script-missing", fix)
    first = known[0]
    try:
        ask_help(install, install.script(first))
    except HelpFailed as error:
        fix = f"Run `{install.python} {install.script(first)} --help` in a terminal and read why."
        text = f"{first} --help fails ({error}); the kept option tables serve"
        yield Finding(subject, text, "fault", "script-help-failed", fix)
