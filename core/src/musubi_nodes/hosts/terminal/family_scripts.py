"""Scripts of one model family in a musubi-tuner, with their options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from musubi_nodes.commands.option import Option, marker
from musubi_nodes.commands.parser_options import help_failure, parser_options
from musubi_nodes.commands.tables import Table, scripts
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.caches.node import LatentCache, TextEncoderCache
from musubi_nodes.families.family import GENERATOR_OPTIONS, TRAINER_OPTIONS, OptionMap
from musubi_nodes.families.fields import Settings
from musubi_nodes.families.generating.generator import ImageGenerator, VideoGenerator
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Memory, Network, Optimizer, Sampling, Training
from musubi_nodes.families.training.lora_trainer import LoRATrainer
from musubi_nodes.hosts.terminal.checkout_facts import architectures, documented_training, line_options
from musubi_nodes.runs.install import SOURCE_FOLDERS, Install


@dataclass(frozen=True)
class Kind:
    """A node type: ending of its script, base, and what that base sends."""

    ending: str
    base: type[ScriptNode]
    title: str
    doc: str
    settings: tuple[type[Settings], ...] = (Memory,)
    option_map: OptionMap = field(default_factory=dict)
    option_map_name: str = ""
    sent: frozenset[str] = frozenset()

    @property
    def taken(self) -> frozenset[str]:
        """Options that the base or shared settings set."""
        found = sent_by(self.base.Inputs) | self.sent | self.base.refused_options.keys()
        for settings in self.settings:
            found |= settings.model_fields.keys() | settings().options().keys()
        for choices in self.option_map.values():
            found |= {name for options in choices.values() if not isinstance(options, str) for name in options}
            found |= {str(name) for name, options in choices.items() if isinstance(options, str)}
        return frozenset(found)


KINDS = (
    Kind(r"cache_(latents|pixel)", LatentCache, "Latent Cache", "Encodes a dataset with {title}'s VAE."),
    Kind(
        r"cache_text_encoder_outputs",
        TextEncoderCache,
        "Text Encoder Cache",
        "Encodes a dataset's captions with {title}.",
    ),
    Kind(
        r"train_network",
        LoRATrainer,
        "LoRA Trainer",
        "Trains a {title} LoRA on finished caches; the LoRA lands in models/loras/musubi.",
        (Memory, Training, Network, Optimizer, Sampling),
        TRAINER_OPTIONS,
        "TRAINER_OPTIONS",
        frozenset({"network_weights", "base_weights", "base_weights_multiplier", "sage_attn"}),
    ),
    *(
        Kind(
            f"generate_{media}",
            base,
            "Generator",
            f"Makes a {word} with {{title}}.",
            (Memory,),
            GENERATOR_OPTIONS,
            "GENERATOR_OPTIONS",
            frozenset({"prompt", f"{media}_size", "lora_weight", "lora_multiplier", "attn_mode"}),
        )
        for media, word, base in (("video", "video", VideoGenerator), ("image", "picture", ImageGenerator))
    ),
)


@dataclass(frozen=True)
class Script:
    """``failure`` of its --help, then the options are a table's; ``lines``: options of a line of its prompt file."""

    name: str
    kind: Kind
    options: Table
    failure: str = ""
    lines: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """What an install says of a family; ``training`` is the documented command's options."""

    prefix: str
    version: str
    scripts: tuple[Script, ...]
    architectures: tuple[str, ...]
    training: Mapping[str, str]

    def of(self, base: type[ScriptNode]) -> Script | None:
        return next((script for script in self.scripts if issubclass(script.kind.base, base)), None)


def read_family(install: Install, pattern: str) -> Found:
    """Read a family; ``pattern`` is how its scripts begin, such as ``krea2`` or ``krea2_*``."""
    prefix = re.sub(r"(_?\*.*|_)$", "", pattern)
    read = tuple(_read(install, name, kind) for name, kind in family_scripts(install, prefix))
    training = documented_training(install.root, f"{prefix}_train_network.py")
    return Found(prefix, install.version, read, architectures(install.root, prefix), training)


def family_scripts(install: Install, prefix: str) -> list[tuple[str, Kind]]:
    """Find the scripts in the order of nodes."""
    names = sorted({path.name for sub in SOURCE_FOLDERS for path in (install.root / sub).glob("*.py")})
    found = [(_family(name, kind), name, kind) for kind in KINDS for name in names]
    if mine := [(name, kind) for family, name, kind in found if family == prefix]:
        return mine
    known = sorted({family for family, _, _ in found if family})
    raise MusubiError(
        "script-missing",
        f"there are no scripts {prefix}_*.py in {install.root}{did_you_mean(prefix, known)}",
        why=f"Families there: {', '.join(known)}." if known else "It holds no scripts of musubi-tuner at all.",
        fix="Write how the scripts' names begin after --scripts; --install chooses another musubi-tuner.",
    )


def sent_by(model: type[BaseModel]) -> set[str]:
    marked = ((name, marker(info, Option)) for name, info in model.model_fields.items())
    return {option.name or name for name, option in marked if option}


def _family(name: str, kind: Kind) -> str:
    """Return the prefix before the kind's ending, or ""."""
    match = re.fullmatch(rf"(\w+?)_{kind.ending}\.py", name)
    return match[1] if match else ""


def _read(install: Install, name: str, kind: Kind) -> Script:
    print(f"reading the options of {name}", flush=True)
    known, lines = parser_options(install, name), line_options(install.script(name))
    if any(spec.help for spec in known.values()) or name not in scripts():
        return Script(name, kind, known, lines=lines)
    return Script(name, kind, known, help_failure(install, name), lines)
