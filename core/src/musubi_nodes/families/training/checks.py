"""Checks before a training starts."""

from __future__ import annotations

from typing import Any

from musubi_nodes.config import config_file
from musubi_nodes.datasets.scan.caches import CacheKind
from musubi_nodes.datasets.scan.fingerprint import fingerprint
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.caches.checks import checked_scan, verify
from musubi_nodes.families.caches.state import cache_state
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.settings import Optimizer, Sampling, Training
from musubi_nodes.families.sockets import Cache
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.i18n import translate


def check_machine(inputs: Any, context: Context) -> None:
    """Refuse machines that the server's configuration doesn't list."""
    address: str = inputs.main_process_ip
    if address and address not in context.services.config.machines:
        raise MusubiError(
            "machine-not-allowed",
            f"main_process_ip {address[:80]!r} is none of the machines in config.toml",
            why="A workflow may come from a stranger, and machines that train together trust each other.",
            fix=translate(
                "Write  machines = [{address!r}]  into {file} and start again, or leave it empty.",
                address=address[:80],
                file=config_file(),
            ),
        )
    if inputs.num_machines > 1 and not address:
        raise MusubiError(
            "machine-address-missing",
            f"a training on {inputs.num_machines} machines needs main_process_ip",
            why="Without the address of machine 0, accelerate would trust whoever connects.",
            fix=translate("Set it to one of the machines in {file}, or set num_machines to 1.", file=config_file()),
        )


def check_counts(inputs: Any) -> None:
    """Refuse processes that accelerate can't divide among machines."""
    processes, machines, rank = inputs.num_processes, inputs.num_machines, inputs.machine_rank
    if processes % machines:
        raise MusubiError(
            "processes-uneven",
            f"num_processes {processes} cannot be shared out evenly among num_machines {machines}",
            fix="Count the processes of all machines together, the same number for each.",
        )
    if rank >= machines:
        raise MusubiError(
            "machine-rank-too-large",
            f"machine_rank {rank} does not exist: num_machines is {machines}",
            fix="Machines are counted from 0, which leads.",
        )


def check_rate(inputs: Any) -> None:
    optimizer, training = inputs.optimizer or Optimizer(), inputs.training or Training()
    optimizer.check_rate(training.learning_rate)


def check_drawing(sampling: Sampling, own: str | None, title: str) -> None:
    """Refuse settings that the sampling, by default ``own``, ignores."""
    if why := sampling.ignored(sampling.timestep_sampling or own):
        raise MusubiError(
            "setting-ignored",
            f"{title}: {why}",
            why=translate("timestep_sampling default of {family} is {own}.", family=title, own=own),
            fix="Correct it in Sampling Config.",
        )


def check_caches(inputs: TrainerInputs, needed: frozenset[str], version: str) -> None:
    """Raise unless caches match dataset, ``version`` and ``needed`` flags."""
    latent, text = inputs.latent_cache, inputs.text_cache
    if latent.dataset.fingerprint != text.dataset.fingerprint:
        raise MusubiError(
            "cache-other-dataset",
            f"the latent cache ({latent.dataset.name}) and the text cache ({text.dataset.name}) are of two datasets",
            fix="Connect both cache nodes to the same dataset node.",
        )
    caches: tuple[tuple[CacheKind, Cache], ...] = (("latent", latent), ("text", text))
    for kind, cache in caches:
        if cache.version != version:
            raise MusubiError(
                "cache-other-version",
                f"the {kind} cache was made for {cache.version}, but {version} is to be trained",
                fix="Connect the same models node to both cache nodes and to the trainer.",
            )
    if latent.flags != needed:
        made, wants = _flags(latent.flags), _flags(needed)
        raise MusubiError(
            "cache-other-options",
            f"the latent cache was made {made}, but this training needs one made {wants}",
            fix="Connect the same models node to the latent cache and to the trainer, and cache again.",
        )


def check_files(inputs: TrainerInputs, family: Family) -> None:
    """Raise unless dataset and cache files are as they were cached."""
    latent = inputs.latent_cache
    found = checked_scan(latent.dataset, family)
    if fingerprint(latent.dataset.config, found) != latent.dataset.fingerprint:
        raise MusubiError(
            "dataset-changed",
            f"the dataset {latent.dataset.name} has changed since it was cached",
            fix="Queue again: both caches are rebuilt then.",
        )
    made: tuple[tuple[CacheKind, Cache], ...] = (("latent", latent), ("text", inputs.text_cache))
    for kind, cache in made:
        if cache.state and cache_state(latent.dataset, family.architecture, kind) == cache.state:
            continue
        verify(found, family.architecture, kind)
        raise MusubiError(
            "cache-changed",
            f"the {kind} caches of {latent.dataset.name} are not those that the cache node made",
            why="Another cache node or program has rebuilt them since, or a file was added by hand.",
            fix="Queue again. Cache nodes with different settings need their own dataset TOML and cache_directory.",
        )


def _flags(flags: frozenset[str]) -> str:
    return "with " + " and ".join(sorted(flags)) if flags else "for text to video"
