"""A model family as shared nodes see it: names, frame rule, defaults, and how it spells a memory plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from musubi_nodes.datasets.fingerprint import Source
from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.datasets.schema import Dataset
from musubi_nodes.errors import MusubiError, NotPossible, Problem, did_you_mean
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.picture_count import PictureCount
from musubi_nodes.i18n import translate

OptionMap = Mapping[str, Mapping[str | bool, Mapping[str, Any] | str]]
"""Memory field -> value -> musubi-tuner's options for it, or the reason why the script cannot do it."""

NO_FLASH3 = "musubi-tuner has no FlashAttention 3 for this model."

TRAINER_OPTIONS: OptionMap = {
    "attention": {
        "sdpa": {"sdpa": True},
        "flash": {"flash_attn": True},
        "flash3": NO_FLASH3,
        "xformers": {"xformers": True},
        "sage": "SageAttention does not support training.",
    },
    "fp8": {"fp8": {"fp8_base": True}, "fp8_scaled": {"fp8_base": True, "fp8_scaled": True}},
}
"""Trainers (training/parser_common.py and the family's own parser, v0.3.4)."""

GENERATOR_OPTIONS: OptionMap = {
    "attention": {
        "sdpa": {"attn_mode": "torch"},
        "flash": {"attn_mode": "flash"},
        "flash3": NO_FLASH3,
        "xformers": {"attn_mode": "xformers"},
        "sage": {"attn_mode": "sageattn"},
    },
    "fp8": {"fp8": {"fp8": True}, "fp8_scaled": {"fp8": True, "fp8_scaled": True}},
}
"""Generators (v0.3.4). Their parsers offer the attention mode ``sdpa`` as well, which modules/attention.py can't do."""


def with_choice(options: OptionMap, field: str, value: str | bool, how: Mapping[str, Any] | str) -> OptionMap:
    """The same options with another way to say ``field`` = ``value``, or with the reason why it is not possible."""
    return {**options, field: {**options.get(field, {}), value: how}}


def option_names(options: OptionMap, field: str, value: Any) -> Collection[str]:
    """Return musubi-tuner's names of the options that say ``field`` = ``value``."""
    how = options.get(field, {}).get(value, field)
    return (how,) if isinstance(how, str) else how.keys()


NETWORKS: Mapping[str, str] = {"LoHa": "networks.loha", "LoKr": "networks.lokr"}
"""Kinds of networks beside LoRA -> the module that finds out the model by itself (v0.3.0 and newer)."""


@dataclass(frozen=True)
class Family:
    """``architecture`` is the tail of its cache files (``wan``).

    ``network_module`` is that of its LoRAs, ``networks`` those of other kinds. ``needs_lycoris``: its generator reads
    LoHa and LoKr only with ``--lycoris`` (docs/loha_lokr.md, v0.3.4).

    ``not_convertible`` says why its LoRAs cannot be converted to other programs' format; empty where they can.
    ``lora_modules`` is a regular expression of the module names in its LoRAs as ComfyUI spells them (with dots).
    ``sizes`` are its DiTs, the one that most people use first; without them there is no advice on memory.
    ``vae_saving`` are the memory fields, with their values, that let its VAE hold less at once. ``trainer_split_attn``
    and ``generator_split_attn`` say with which attention that script needs ``split_attn``, and why.
    ``check_dataset`` says what of a TOML's datasets the scripts cannot take whatever the cache node is set to, each
    such as ``datasets[0]: needs a control_directory``; files are not looked at.
    ``training_defaults`` are options by musubi-tuner's name that hold where no settings node says otherwise.
    ``control_images``: how many control pictures a sample and a generation take, ``item_controls`` how many an item of
    a dataset has, and ``item_targets`` how many layers (``multiple_target``); ``None``: the family's nodes check it.
    ``text_made_from``: what of an item its text cache depends on; an encoder that looks at the control pictures adds
    ``control``. ``empty_negative_prompt`` is what the scripts need in the place of an empty one. ``ignores`` are the
    fields of a prompt that its samples and generations would leave out without a word. ``sample_options`` are defaults
    of samples by key of the prompt file, ``sample_keys`` the keys that differ there, by field of a prompt.
    ``refused_options`` fail in its scripts, with the reason.
    ``versions`` are the versions of its models by name, each with the fields of this class that differ there.
    """

    key: str
    title: str
    architecture: str
    network_module: str
    frame_rule: FrameRule = FrameRule()
    fps: int = 16
    training_defaults: Mapping[str, Any] = field(default_factory=dict)
    fp8_text_encoder: str = ""
    check_dataset: Callable[[Sequence[Dataset]], Iterable[Problem]] = lambda datasets: ()
    lora_modules: str = ""
    not_convertible: str = ""
    networks: Mapping[str, str] = field(default_factory=lambda: NETWORKS)
    needs_lycoris: bool = False
    sizes: tuple[DitSize, ...] = ()
    vae_saving: Mapping[str, Any] = field(default_factory=dict)
    trainer_split_attn: Mapping[str, str] = field(default_factory=dict)
    generator_split_attn: Mapping[str, str] = field(default_factory=dict)
    trainer_options: OptionMap = field(default_factory=lambda: TRAINER_OPTIONS)
    generator_options: OptionMap = field(default_factory=lambda: GENERATOR_OPTIONS)
    control_images: PictureCount | None = None
    item_controls: PictureCount | None = None
    item_targets: PictureCount | None = None
    text_made_from: frozenset[Source] = frozenset({"caption"})
    empty_negative_prompt: str = ""
    ignores: frozenset[str] = frozenset()
    sample_options: Mapping[str, Any] = field(default_factory=dict)
    sample_keys: Mapping[str, str] = field(default_factory=dict)
    refused_options: dict[str, str] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.versions:
            self.version(name)  # a field that there is not is a TypeError here, and not in a user's run

    def version(self, name: str) -> Family:
        """Return the family as that version of its models has it."""
        return replace(self, versions={}, **self.versions[name]) if name in self.versions else self

    @property
    def architectures(self) -> tuple[str, ...]:
        """Return the tails of the cache files of all versions."""
        return tuple(dict.fromkeys([self.architecture, *(self.version(name).architecture for name in self.versions)]))

    def module_of(self, network: str) -> str:
        """Return the module of a kind of network; a :class:`NotPossible` if the family's scripts have none."""
        module = {"LoRA": self.network_module, **self.networks}.get(network)
        if module is None:
            raise NotPossible(
                "network-not-possible",
                f"no {network} can be trained for {self.title}",
                why="musubi-tuner's module for it does not know this model.",
                fix="Set network_type of Network Config to LoRA.",
            )
        return module


def family_named(families: Sequence[Family], key: str | None) -> Family | None:
    """The family of this key; None for no key, a :class:`MusubiError` where there is none."""
    if key is None:
        return None
    known = {family.key: family for family in families}
    if key not in known:
        near = did_you_mean(key, list(known))
        raise MusubiError(
            "family-unknown",
            f"there is no model family {key[:80]!r}{near}",
            fix=translate("Known: {names}.", names=", ".join(known)),
        )
    return known[key]
