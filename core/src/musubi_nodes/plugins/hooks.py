"""Strict pluggy wrapper: validates hooks and calls plugins one by one."""

from __future__ import annotations

import inspect
from typing import Any

import pluggy

from musubi_nodes.errors import did_you_mean
from musubi_nodes.plugins import hookspecs
from musubi_nodes.plugins.discovery import GROUP
from musubi_nodes.plugins.errors import PluginError

PREFIX = "musubi_"
SPECS = {name: spec for name, spec in vars(hookspecs).items() if name.startswith(PREFIX) and inspect.isfunction(spec)}


class Hooks:
    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)

    def enter(self, name: str, plugin: object) -> None:
        if other := self._manager.get_name(plugin):
            raise PluginError("plugin-twice", f"its entry point names the same object as the plugin {other}")
        self._check(plugin)
        self._manager.register(plugin, name)
        self._manager.check_pending()

    def leave(self, name: str) -> None:
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)

    def ask(self, name: str, hook: str, **arguments: Any) -> Any:
        """Call one plugin's hook; ``None`` if not implemented."""
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        answers = self._manager.subset_hook_caller(hook, others)(**arguments)
        return answers[0] if answers else None

    def _check(self, plugin: object) -> None:
        found = [name for name in dir(plugin) if self._is_hook(plugin, name)]
        if not found:
            raise PluginError("hook-missing", "it has no hook: no function is marked with @musubi_nodes.hookimpl")
        for name in found:
            function, options = getattr(plugin, name), self._manager.parse_hookimpl_opts(plugin, name)
            if options is None:
                raise PluginError("hook-unmarked", f"{name} is not marked with @musubi_nodes.hookimpl")
            hook = options.get("specname") or name
            if hook not in SPECS:
                raise PluginError("hook-unknown", f"there is no hook {hook}{did_you_mean(hook, list(SPECS))}")
            allowed = inspect.signature(SPECS[hook])
            wrong = set(inspect.signature(function).parameters) - set(allowed.parameters)
            if wrong:
                raise PluginError(
                    "hook-arguments-unknown",
                    f"{name} takes {', '.join(sorted(wrong))}, but the hook is {hook}{arguments(hook)}",
                )

    def _is_hook(self, plugin: object, name: str) -> bool:
        if self._manager.parse_hookimpl_opts(plugin, name) is not None:
            return True
        return name.startswith(PREFIX) and inspect.isroutine(getattr(plugin, name))


def arguments(hook: str) -> str:
    """Format the hook's arguments, such as ``(failure)``."""
    return f"({', '.join(inspect.signature(SPECS[hook]).parameters)})"
