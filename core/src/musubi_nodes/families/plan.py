"""The plan of a run: final options, files and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from musubi_nodes.commands.argv import argv
from musubi_nodes.commands.check import accepted_arguments, missing_required
from musubi_nodes.commands.code import code_of
from musubi_nodes.commands.option import Argument, arguments_from, merged
from musubi_nodes.commands.option_owners import IMPORTABLE, RUNNER
from musubi_nodes.commands.tables import Table
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.result_key import key_of
from musubi_nodes.runs.install import Install


@dataclass(frozen=True)
class Plan:
    """A script's final options with their owners, built once per run.

    The run folder's own options come with :meth:`argv`. ``counted`` is what else affects the result, ``program`` the
    state of Python and the script's code.
    """

    title: str
    script: str
    known: Table
    version: str
    options: Sequence[Argument]
    inputs: Any
    counted: Any = ()
    program: str = ""

    def on(self, install: Install) -> Plan:
        """Return the plan with the code that ``install`` would run."""
        modules = [str(each.value) for each in self.options if each.name in IMPORTABLE]
        return replace(self, program=f"{install.python} {code_of(install, install.script(self.script), modules)}")

    def key(self, *facts: str) -> str:
        """Return the result key: the same key, the same result."""
        self._check_complete({*RUNNER, *(each.name for each in self.options)})
        options = [(each.name, each.value) for each in self.options if not each.same_result]
        return key_of(options, self.program, self.counted, facts)

    def argv(self, runner_options: Mapping[str, object]) -> list[str]:
        """Return the argument list with the options of the run folder."""
        own = arguments_from(runner_options, "the runner")
        every = merged([*self.options, *accepted_arguments(own, self.script, self.known, self.version)])
        self._check_complete({each.name for each in every})
        return argv(every, self.known)

    def _check_complete(self, given: set[str]) -> None:
        if missing := missing_required(given, self.known):
            names = ", ".join(f"--{name}" for name in missing)
            raise MusubiError(
                "option-missing", f"{self.title}: {self.script} needs {names}", fix="Choose a value in the node."
            )
