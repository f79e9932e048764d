"""Choice of the musubi-tuner install."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from musubi_nodes.config import Config, InstallConfig, config_file
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.i18n import translate
from musubi_nodes.runs.install import Install, load_install

PRACTICE = "miniature"
"""The install without GPU or downloads; its plugin of this name is loaded once it is asked for."""

Known = Mapping[str, Callable[[], Install]]
"""Name -> loader, which may raise a MusubiError."""


def known_installs(config: Config, provided: Iterable[Install]) -> Known:
    return {
        **{install.name: partial(_given, install) for install in provided},
        **{name: partial(_configured, name, values) for name, values in config.installs.items()},
    }


def choose_install(name: str | None, config: Config, known: Known) -> Install:
    """Return the named or configured install, else the only configured one."""
    only = next(iter(config.installs)) if len(config.installs) == 1 else None
    chosen = name or config.install or only
    if chosen is None:
        raise _several(config) if config.installs else _none(PRACTICE in known)
    if chosen not in known:
        raise MusubiError(
            "install-unknown",
            f"there is no install {chosen[:80]!r}{did_you_mean(chosen, list(known))}",
            why=translate("Known: {names}.", names=", ".join(known) or translate("none")),
            fix=translate("Name one of them, or describe it in {file} under [installs.NAME].", file=config_file()),
        )
    return known[chosen]()


def _none(practice: bool) -> MusubiError:
    fix = translate("Set MUSUBI_TUNER_ROOT to the musubi-tuner folder and start again.")
    if practice:
        fix += " " + translate('To try everything without one, set MUSUBI_NODES_INSTALL to "{name}".', name=PRACTICE)
    return MusubiError(
        "install-not-configured",
        "no musubi-tuner is configured",
        why=translate("MUSUBI_TUNER_ROOT is not set, and {file} names no install.", file=config_file()),
        fix=fix,
    )


def _several(config: Config) -> MusubiError:
    return MusubiError(
        "install-not-chosen",
        f"{len(config.installs)} installs of musubi-tuner are configured, and none is chosen",
        why=translate("Configured: {names}.", names=", ".join(config.installs)),
        fix=translate(
            'Write  install = "{name}"  (or another of them) at the top of {file}.',
            name=next(iter(config.installs)),
            file=config_file(),
        ),
    )


def _given(install: Install) -> Install:
    return install


def _configured(name: str, values: InstallConfig) -> Install:
    return load_install(name, values.root, values.python, values.environment, values.cpu)
