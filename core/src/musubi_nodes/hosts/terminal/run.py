"""The command ``run``: one workflow file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from musubi_nodes.hosts.terminal.broken import broken_off
from musubi_nodes.hosts.terminal.host import TerminalHost
from musubi_nodes.hosts.terminal.output import complain
from musubi_nodes.hosts.terminal.places import unknown_kinds
from musubi_nodes.hosts.terminal.workflow import read_workflow, run_workflow, set_values
from musubi_nodes.plugins.manager import plugins


def run_file(path: Path, settings: Iterable[str], output: Path) -> int:
    """Run the workflow; return 1 if a prompt failed."""
    services = plugins()
    for problem in unknown_kinds(services):
        print(f"musubi-nodes: {problem}", file=sys.stderr)
    workflow = read_workflow(path, services.nodes)
    set_values(workflow, settings)
    host, failed = TerminalHost(output, services.config), 0
    with broken_off(output):
        for step, context in run_workflow(workflow, host, services):
            failed += context.failed
            for text in context.texts:
                print(f"{step.node.title}: {text}")
            for file in dict.fromkeys((*context.pictures, *context.files)):
                print(f"{step.node.title}: {file}")
    if failed:
        complain(f"musubi-nodes: {failed} of the prompts failed, for the reasons above; what was made is kept")
    return 1 if failed else 0
