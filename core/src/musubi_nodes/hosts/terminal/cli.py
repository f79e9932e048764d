"""``musubi-nodes run | demo | runs | stop | doctor | new-plugin``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from musubi_nodes import __version__
from musubi_nodes.errors import MusubiError
from musubi_nodes.hosts.terminal.broken import BrokenOff

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_UNREAD = 1, 2, 130, 141


def main(arguments: list[str] | None = None) -> int:
    """0: done; 1: a run failed, or what came after one; 2: refused before any run started; 130: interrupted; 141: who
    read the output has gone."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows code page must not end a night's training
    options = _parser().parse_args(arguments)
    if options.install:
        os.environ["MUSUBI_NODES_INSTALL"] = options.install
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT may have been inherited as ignored
        signal.signal(number, _interrupt)
    try:
        code = int(options.command(options))
        sys.stdout.flush()
        return code
    except BrokenOff as broken:
        return _tell(broken.error, EXIT_FAILED)
    except BrokenPipeError:  # as `musubi-nodes runs | head` closes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNREAD
    except (MusubiError, OSError) as error:
        return _tell(error, EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        print("musubi-nodes: cancelled; nothing is left running", file=sys.stderr)
        return EXIT_INTERRUPTED


def _tell(error: Exception, code: int) -> int:
    fix = "\nFix: Check that path and its permissions." if isinstance(error, OSError) else ""
    print(f"musubi-nodes: {error}{fix}", file=sys.stderr)
    return code


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("musubi-nodes", description="musubi-tuner workflows in a terminal.")
    parser.add_argument("--version", action="version", version=f"musubi-nodes {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--install", metavar="NAME", help='a configured musubi-tuner, or "miniature"')
    common.add_argument("--output", type=Path, default=Path("output"), metavar="DIR", help="default: ./output")
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", parents=[common], help="run a workflow file (API format)")
    run.add_argument("workflow", type=Path)
    run.add_argument("--set", action="append", default=[], metavar="NODE.input=value", dest="settings")
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", parents=[common], help="dataset, caches, LoRA and video on the miniature")
    demo.add_argument("--family", default="", metavar="NAME", help="model family; default: the first installed")
    demo.set_defaults(command=_demo)

    runs = commands.add_parser("runs", parents=[common], help="list the run folders")
    runs.add_argument("-n", type=int, default=20, help="how many, newest first")
    runs.set_defaults(command=_runs)

    stop = commands.add_parser("stop", parents=[common], help="end a training after its next save")
    stop.add_argument("name", nargs="?", default="", help="the run folder or a part of its name; default: the only one")
    stop.set_defaults(command=_stop)

    doctor = commands.add_parser("doctor", parents=[common], help="what was found, and what to do about each fault")
    doctor.set_defaults(command=_doctor)

    new = commands.add_parser("new-plugin", help="a plugin for another model family, to begin with")
    new.add_argument("name", help="the family's name, such as  my-model")
    new.add_argument("--into", type=Path, default=Path(), metavar="DIR", help="where its folder is made; default: here")
    new.add_argument("--scripts", type=Path, metavar="DIR", help="a musubi-tuner: propose fields from its --help")
    new.add_argument("--prefix", default="", help="how the family's scripts begin; default: the name")
    new.set_defaults(command=_new_plugin, install=None)
    return parser


def _run(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.run import run_file

    return run_file(options.workflow, options.settings, options.output)


def _demo(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.demo import run_demo
    from musubi_nodes.plugins.installs import PRACTICE

    return run_demo(options.output, options.install or PRACTICE, options.family)


def _runs(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.listing import list_runs

    return list_runs(options.output, options.n)


def _stop(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.listing import stop_run

    return stop_run(options.output, options.name)


def _doctor(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.doctor import examine

    return examine(options.output)


def _new_plugin(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.new_plugin import new_plugin

    return new_plugin(options.name, options.into, options.scripts, options.prefix)


if __name__ == "__main__":
    sys.exit(main())
