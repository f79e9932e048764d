"""A model family as data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.datasets.config.schema import DatasetSection
from musubi_nodes.datasets.scan.fingerprint import Source
from musubi_nodes.errors import MusubiError, NotPossible, Problem, did_you_mean
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.picture_count import PictureCount
from musubi_nodes.i18n import translate

OptionMap = Mapping[str, Mapping[str | bool, Mapping[str, Any] | str]]
"""Memory field -> value -> musubi-tuner's options, or why the script can't do it."""

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
    """Return the map with other options, or a reason against it, for ``field`` = ``value``."""
    return {**options, field: {**options.get(field, {}), value: how}}


def option_names(options: OptionMap, field: str, value: Any) -> Collection[str]:
    """Return the names of the options for ``field`` = ``value``."""
    how = options.get(field, {}).get(value, field)
    return (how,) if isinstance(how, str) else how.keys()


NETWORKS: Mapping[str, str] = {"LoHa": "networks.loha", "LoKr": "networks.lokr"}
"""Network -> module that recognises the model by itself (v0.3.0 and newer)."""


@dataclass(frozen=True)
class Family:
    """Facts of a model family; ``versions`` replaces some of them by version."""

    key: str
    title: str
    architecture: str
    """End of its cache files' names, such as ``wan``."""
    network_module: str
    """Module of its LoRAs."""
    frame_rule: FrameRule = FrameRule()
    fps: int = 16
    training_defaults: Mapping[str, Any] = field(default_factory=dict)
    """Options by musubi-tuner's names, unless a settings node sets them."""
    fp8_text_encoder: str = ""
    """Option for a text encoder in fp8."""
    check_dataset: Callable[[Sequence[DatasetSection]], Iterable[Problem]] = lambda datasets: ()
    """Yields what its scripts can't use in a TOML, without opening files."""
    lora_modules: str = ""
    """Regular expression of a LoRA's modules in ComfyUI's spelling, with dots."""
    not_convertible: str = ""
    """Why its LoRAs can't be converted, if so."""
    networks: Mapping[str, str] = field(default_factory=lambda: NETWORKS)
    """Modules of networks other than LoRA."""
    needs_lycoris: bool = False
    """Whether its generator reads LoHa and LoKr only with ``--lycoris`` (docs/loha_lokr.md, v0.3.4)."""
    sizes: tuple[DitSize, ...] = ()
    """Its DiTs, the most common first, for memory plans."""
    vae_saving: Mapping[str, Any] = field(default_factory=dict)
    """Memory settings that save memory in its VAE."""
    trainer_split_attn: Mapping[str, str] = field(default_factory=dict)
    """Attention that needs ``split_attn``, with the reason."""
    generator_split_attn: Mapping[str, str] = field(default_factory=dict)
    trainer_options: OptionMap = field(default_factory=lambda: TRAINER_OPTIONS)
    generator_options: OptionMap = field(default_factory=lambda: GENERATOR_OPTIONS)
    control_images: PictureCount | None = None
    """Control pictures of a sample or generation; ``None``: its nodes check them."""
    item_controls: PictureCount | None = None
    """Control pictures of a dataset's item."""
    item_targets: PictureCount | None = None
    """Layers of a dataset's item (``multiple_target``)."""
    text_made_from: frozenset[Source] = frozenset({"caption"})
    """What an item's text cache depends on."""
    empty_negative_prompt: str = ""
    """Stands for an empty negative prompt."""
    ignores: frozenset[str] = frozenset()
    """Fields of a prompt that its scripts ignore silently."""
    sample_options: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of samples, by key of the prompt file."""
    sample_keys: Mapping[str, str] = field(default_factory=dict)
    """Field of a prompt -> key of the prompt file, if it differs."""
    refused_options: dict[str, str] = field(default_factory=dict)
    """Options that fail in its scripts, with the reason."""
    versions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.versions:
            self.version(name)  # an unknown field is a TypeError here, not in a user's run

    def version(self, name: str) -> Family:
        """Return the family with this version's facts."""
        return replace(self, versions={}, **self.versions[name]) if name in self.versions else self

    @property
    def architectures(self) -> tuple[str, ...]:
        """Return :attr:`architecture` of all versions."""
        return tuple(dict.fromkeys([self.architecture, *(self.version(name).architecture for name in self.versions)]))

    def module_of(self, network: str) -> str:
        """Return a network's module; :class:`NotPossible` if there is none."""
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
    """Return the family, ``None`` for no key; MusubiError if it is unknown."""
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
