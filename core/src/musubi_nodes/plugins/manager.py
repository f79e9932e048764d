"""The loaded plugins, the only caller of hooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial
from threading import Lock

from musubi_nodes.config import Config, config_file, load_config
from musubi_nodes.datasets.scan.scan_cache import RecentScan
from musubi_nodes.errors import MusubiError, Problem, did_you_mean
from musubi_nodes.families.family import Family
from musubi_nodes.families.node import Node
from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.families.recognition.table import known_kinds
from musubi_nodes.i18n import translate
from musubi_nodes.log import log
from musubi_nodes.plugins.discovery import CORE, Found, checkout, find_plugins
from musubi_nodes.plugins.errors import PluginError, plugin_error
from musubi_nodes.plugins.hooks import Hooks
from musubi_nodes.plugins.installs import PRACTICE, Known, choose_install, known_installs
from musubi_nodes.plugins.names import Names
from musubi_nodes.plugins.registered import Registered, collect
from musubi_nodes.runs.explain import Explainer, Explanation, Failure
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.executor import Executor


class Plugins:
    """Loaded plugins in the order of discovery.

    ``failed`` maps "name (distribution)" to its error; ``unknown`` are invalid names in ``plugins_off``.
    """

    def __init__(self, config: Config, found: Iterable[Found]) -> None:
        self.config, self.recent_scan = config, RecentScan()
        self.loaded: dict[str, Registered] = {}
        self.failed: dict[str, PluginError] = {}
        self._hooks, self._names, self._loading = Hooks(), Names(), Lock()
        found = list(found)
        removable = [plugin.name for plugin in found if plugin.distribution != CORE]
        wanted = [plugin for plugin in found if plugin.distribution == CORE or plugin.name not in config.plugins_off]
        self._practice = next((plugin for plugin in wanted if plugin.name == PRACTICE), None)
        for plugin in wanted:
            if plugin is not self._practice:
                self._take(plugin)
        self.unknown = [_unknown(name, removable) for name in config.plugins_off if name not in removable]
        for problem in self.unknown:
            log.warning("musubi-nodes: %s", problem)

    @property
    def nodes(self) -> list[type[Node]]:
        return [node for registered in self.loaded.values() for node in registered.nodes]

    @property
    def families(self) -> list[Family]:
        return [family for registered in self.loaded.values() for family in registered.families]

    @property
    def weights_kinds(self) -> Sequence[WeightsKind]:
        """Known kinds of weights, of the core and in nodes' fields."""
        return known_kinds(self.nodes)

    def installs(self) -> Known:
        """Return loaders by name; they may raise a MusubiError."""
        provided = (install for registered in self.loaded.values() for install in registered.installs)
        practice = {PRACTICE: partial(self._practised, self._practice)} if self._practice else {}
        return {**practice, **known_installs(self.config, provided)}

    def _practised(self, plugin: Found) -> Install:
        with self._loading:
            if plugin.name not in self.loaded:
                self._take(plugin)
        if error := self.failed.get(str(plugin)):
            raise error
        return self.loaded[plugin.name].installs[0]

    def install(self, name: str | None = None) -> Install:
        return choose_install(name, self.config, self.installs())

    def executor(self) -> Executor:
        known = {e.name: e for registered in self.loaded.values() for e in registered.executors}
        wanted = self.config.executor
        if wanted not in known:
            raise MusubiError(
                "executor-unknown",
                f"there is no executor {wanted[:80]!r}{did_you_mean(wanted, list(known))}",
                why=translate("Known: {names}.", names=", ".join(known)),
                fix=translate("Correct `executor` in {file}.", file=config_file()),
            )
        return known[wanted]

    def explainers(self, family: str) -> Sequence[Explainer]:
        """Return error explainers, those of ``family`` first."""
        owners = [name for name, registered in self.loaded.items() if family in {f.key for f in registered.families}]
        return [partial(self._explain, name) for name in dict.fromkeys([*owners, *self.loaded])]

    def _explain(self, name: str, failure: Failure) -> Explanation | None:
        try:
            answer = self._hooks.ask(name, "musubi_explain_error", failure=failure)
            if answer is not None and not isinstance(answer, Explanation):
                raise PluginError("answer-invalid", f"{answer!r:.80} is no Explanation")
            return answer
        except Exception as error:
            log.error("musubi-nodes: the plugin %s could not explain an error: %s", name, plugin_error(error))
            return None

    def _take(self, plugin: Found) -> None:
        try:
            registered = self._entered(plugin)
        except (Exception, SystemExit) as error:
            self.failed[str(plugin)] = why = plugin_error(error)
            log.error("musubi-nodes: the plugin %s was left out: %s", plugin, why)
            log.debug("the plugin %s", plugin, exc_info=True)
        else:
            self.loaded[plugin.name] = registered

    def _entered(self, plugin: Found) -> Registered:
        if other := self.loaded.get(plugin.name):
            raise PluginError("name-taken", f"the plugin name {plugin.name!r} is already taken by {other.distribution}")
        try:
            self._hooks.enter(plugin.name, plugin.load())
            registered = collect(plugin.distribution, partial(self._hooks.ask, plugin.name))
            self._names.take(registered)
        except BaseException:
            self._hooks.leave(plugin.name)
            raise
        return registered


def _unknown(name: str, known: Sequence[str]) -> Problem:
    return Problem("plugin-unknown", f"plugins_off: there is no plugin {name[:80]!r}{did_you_mean(name, known)}")


@cache
def plugins() -> Plugins:
    return Plugins(load_config(), find_plugins(checkout()))
