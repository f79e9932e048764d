"""Scripts of one model family in a musubi-tuner, with their options."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from musubi_nodes.commands.parser_options import help_failure, parser_options
from musubi_nodes.commands.tables import RELEASES, Table, scripts, table
from musubi_nodes.config import Config
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.caches.node import LatentCache, TextEncoderCache
from musubi_nodes.families.family import GENERATOR_OPTIONS, TRAINER_OPTIONS, OptionMap
from musubi_nodes.families.fields import Settings
from musubi_nodes.families.generating.generator import ImageGenerator, VideoGenerator
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Memory, Network, Optimizer, Sampling, Training
from musubi_nodes.families.training.lora_trainer import LoRATrainer
from musubi_nodes.files import cleaned_path
from musubi_nodes.runs.install import SOURCE_FOLDERS, Install, load_install


@dataclass(frozen=True)
class Kind:
    """A node type: ending of its script, base, and what that base sends."""

    ending: str
    base: type[ScriptNode]
    settings: tuple[type[Settings], ...] = (Memory,)
    option_map: OptionMap = field(default_factory=dict)
    option_map_name: str = ""
    sent: frozenset[str] = frozenset()


KINDS = (
    Kind(r"cache_(latents|pixel)", LatentCache),
    Kind(r"cache_text_encoder_outputs", TextEncoderCache),
    Kind(
        r"train_network",
        LoRATrainer,
        (Memory, Training, Network, Optimizer, Sampling),
        TRAINER_OPTIONS,
        "TRAINER_OPTIONS",
        frozenset({"network_weights", "base_weights", "base_weights_multiplier", "sage_attn"}),
    ),
    *(
        Kind(
            f"generate_{media}",
            base,
            (Memory,),
            GENERATOR_OPTIONS,
            "GENERATOR_OPTIONS",
            frozenset({"prompt", f"{media}_size", "lora_weight", "lora_multiplier", "attn_mode"}),
        )
        for media, base in (("video", VideoGenerator), ("image", ImageGenerator))
    ),
)


@dataclass(frozen=True)
class Script:
    name: str
    kind: Kind
    options: Table
    source: str


def read_scripts(folder: Path, prefix: str, config: Config) -> list[Script]:
    """Read scripts and options in the order of nodes.

    ``--help`` is preferred to the stored table of the newest release.
    """
    install = _install(folder, config)
    return [Script(name, kind, *_options(name, install)) for name, kind in family_scripts(folder, prefix)]


def family_scripts(folder: Path, prefix: str) -> list[tuple[str, Kind]]:
    """Find the scripts in the order of nodes."""
    names = sorted({path.name for sub in SOURCE_FOLDERS for path in (folder / sub).glob("*.py")})
    found = [(_family(name, kind), name, kind) for kind in KINDS for name in names]
    if mine := [(name, kind) for family, name, kind in found if family == prefix]:
        return mine
    known = sorted({family for family, _, _ in found if family})
    raise MusubiError(
        "script-missing",
        f"there are no scripts {prefix}_*.py in {folder}{did_you_mean(prefix, known)}",
        why=f"Families there: {', '.join(known)}." if known else "It holds no scripts of musubi-tuner at all.",
        fix="Name musubi-tuner's folder with --scripts, and how the scripts' names begin with --prefix.",
    )


def _family(name: str, kind: Kind) -> str:
    """Return the prefix before the kind's ending, or ""."""
    match = re.fullmatch(rf"(\w+?)_{kind.ending}\.py", name)
    return match[1] if match else ""


def _install(folder: Path, config: Config) -> Install | None:
    here = (values for values in config.installs.values() if cleaned_path(values.root).resolve() == folder.resolve())
    try:
        return load_install("scripts", str(folder), next((values.python for values in here), None))
    except MusubiError:
        return None


def _options(script: str, install: Install | None) -> tuple[Table, str]:
    print(f"reading the options of {script}", flush=True)
    known = parser_options(install, script) if install else table(script) or {}
    if not known:
        raise MusubiError(
            "script-options-unknown",
            f"the options of {script} cannot be found out",
            why="No Python was found that could run its --help, and no kept table of musubi-tuner has it.",
            fix="Set MUSUBI_TUNER_ROOT to this folder and MUSUBI_TUNER_PYTHON to its Python, or use config.toml.",
        )
    asked = any(spec.help for spec in known.values()) or script not in scripts()
    if asked:
        return known, "from its --help"
    reason = help_failure(install, script) if install else "no Python for it was found"
    return known, f"from the table of v{RELEASES[-1]}, since its --help failed: {reason}"
