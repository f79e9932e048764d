"""The one owner of every hook call: loads plugins, keeps what they registered, and why any of them is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pluggy

from musubi_nodes.config import Config, config_file, load_config
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.family import Family
from musubi_nodes.families.node import Node
from musubi_nodes.plugins import hookspecs
from musubi_nodes.plugins.discovery import GROUP, Found, checkout, find_plugins
from musubi_nodes.runs.executor import Executor
from musubi_nodes.runs.explain import Explainer, Explanation, Failure
from musubi_nodes.runs.install import Install, load_install

log = logging.getLogger("musubi_nodes")


@dataclass
class Registered:
    """What one plugin brought."""

    distribution: str
    families: list[Family] = field(default_factory=list)
    nodes: list[type[Node]] = field(default_factory=list)
    installs: list[Install] = field(default_factory=list)
    executors: list[Executor] = field(default_factory=list)

    def names(self) -> set[tuple[str, str]]:
        """All names that must be unique across plugins, with their kind."""
        found = {("node id", node.id) for node in self.nodes}
        found |= {("family key", family.key) for family in self.families}
        found |= {("install", install.name) for install in self.installs}
        found |= {("executor", executor.name) for executor in self.executors}
        return found | {("socket type", spec.socket) for node in self.nodes for spec in node.outputs() if _owned(spec)}


def _owned(spec: Any) -> bool:
    return str(spec.socket).startswith("MUSUBI_") and spec.socket not in _SHARED


_SHARED = frozenset(
    f"MUSUBI_{name}"
    for name in ["DATASET", "TRAINING", "OPTIMIZER", "SAMPLING", "MEMORY", "PROMPTS", "LORA", "RUN", "LATENT"]
)


class Plugins:
    """The plugins of this process, in the order core, bundled, installed by distribution name."""

    def __init__(self, config: Config, found: Iterable[Found]) -> None:
        self.config = config
        self.failed: dict[str, str] = {}
        self.loaded: dict[str, Registered] = {}
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._take("core", "musubi-nodes", self._core)
        for plugin in found:
            if plugin.name not in config.plugins_off:
                self._take(plugin.name, plugin.distribution, plugin.entry.load)

    @property
    def nodes(self) -> list[type[Node]]:
        """The nodes of all plugins."""
        return [node for registered in self.loaded.values() for node in registered.nodes]

    @property
    def families(self) -> list[Family]:
        """The families of all plugins."""
        return [family for registered in self.loaded.values() for family in registered.families]

    def installs(self) -> dict[str, Callable[[], Install]]:
        """All installs by name; calling one raises a MusubiError where its folder or Python is missing."""
        configured: dict[str, Callable[[], Install]] = {
            name: _loader(name, values) for name, values in self.config.installs.items()
        }
        provided = {i.name: _constant(i) for r in self.loaded.values() for i in r.installs}
        return {**provided, **configured}

    def install(self, name: str | None = None) -> Install:
        """The named install, else the configured one, else the only one in config.toml."""
        known = self.installs()
        configured = list(self.config.installs)
        chosen = name or self.config.install or (configured[0] if len(configured) == 1 else None)
        if chosen is None:
            raise MusubiError(
                "no musubi-tuner is configured" if not configured else "several installs, and none is chosen",
                why=f"Looked for MUSUBI_TUNER_ROOT and {config_file()}.",
                fix="Set MUSUBI_TUNER_ROOT to the musubi-tuner folder"
                + (' (to try without one: MUSUBI_NODES_INSTALL="miniature").' if "miniature" in known else "."),
            )
        if chosen not in known:
            raise MusubiError(
                f"there is no install {chosen[:80]!r}{did_you_mean(chosen, list(known))}",
                why=f"Known are: {', '.join(known) or 'none'}.",
                fix=f"Name one of them, or add [installs.{chosen[:40]}] to {config_file()}.",
            )
        return known[chosen]()

    def executor(self) -> Executor:
        """The configured executor."""
        known = {e.name: e for r in self.loaded.values() for e in r.executors}
        if self.config.executor not in known:
            raise MusubiError(
                f"there is no executor {self.config.executor!r}",
                why=f"Known are: {', '.join(known)}.",
                fix=f"Correct `executor` in {config_file()}.",
            )
        return known[self.config.executor]

    def explainers(self, family: str) -> Sequence[Explainer]:
        """The plugins' explainers: that of ``family`` first, one that raises is told and passed over."""
        names = sorted(self.loaded, key=lambda name: family not in {f.key for f in self.loaded[name].families})
        return [self._explainer(name) for name in names]

    def _explainer(self, name: str) -> Explainer:
        def explain(failure: Failure) -> Explanation | None:
            try:
                answers = self._ask(name, "musubi_explain_error", failure=failure)
                return next((answer for answer in answers if answer is not None), None)
            except Exception:
                log.exception("plugin %r could not explain an error", name)
                return None

        return explain

    def _core(self) -> Any:
        from musubi_nodes.plugins import core

        return core

    def _take(self, name: str, distribution: str, load: Callable[[], Any]) -> None:
        """Load, check and ask one plugin; whatever it does wrong, it is left out whole with one message."""
        try:
            self._manager.register(load(), name)
            self._manager.check_pending()
            registered = self._asked(name, distribution)
            self._refuse_clashes(registered)
        except Exception as error:
            self.failed[name] = f"{distribution}: {type(error).__name__}: {error}"
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            log.error("musubi-nodes: the plugin %s (%s) was left out: %s", name, distribution, error)
            log.debug("plugin %s", name, exc_info=True)
        else:
            self.loaded[name] = registered

    def _asked(self, name: str, distribution: str) -> Registered:
        registered = Registered(distribution)
        for family in self._ask(name, "musubi_register_family"):
            registered.families += [family] if isinstance(family, Family) else list(family or ())
        for nodes in self._ask(name, "musubi_register_nodes"):
            registered.nodes += list(nodes or ())
        for installs in self._ask(name, "musubi_provide_installs"):
            registered.installs += list(installs or ())
        for executors in self._ask(name, "musubi_provide_executors"):
            registered.executors += list(executors or ())
        for node in registered.nodes:
            node.fields()  # a wrong declaration fails here, not on the canvas
        return registered

    def _ask(self, name: str, hook: str, **arguments: Any) -> list[Any]:
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        return list(self._manager.subset_hook_caller(hook, others)(**arguments))

    def _refuse_clashes(self, registered: Registered) -> None:
        own = [("node id", node.id) for node in registered.nodes]
        if len(own) != len(set(own)):
            raise ValueError("it registers one node id twice")
        for other in self.loaded.values():
            clash = sorted(other.names() & registered.names())
            if clash:
                kind, what = clash[0]
                raise ValueError(f"the {kind} {what!r} is already taken by {other.distribution}")


def _loader(name: str, values: Any) -> Callable[[], Install]:
    return lambda: load_install(name, values.root, values.python, values.environment, values.cpu)


def _constant(install: Install) -> Callable[[], Install]:
    return lambda: install


@cache
def plugins() -> Plugins:
    """The plugins of this process, loaded once."""
    root: Path | None = checkout()
    return Plugins(load_config(), find_plugins(root))
