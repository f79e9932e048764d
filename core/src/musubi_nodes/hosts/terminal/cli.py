"""The command ``musubi-nodes``."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

from musubi_nodes import __version__
from musubi_nodes.errors import MusubiError
from musubi_nodes.hosts.terminal.broken import BrokenOff
from musubi_nodes.hosts.terminal.output import Output, complain, replaced_streams

EXIT_FAILED, EXIT_REFUSED, EXIT_CANCELLED, EXIT_UNREAD = 1, 2, 130, 141

CANCELLING = ("SIGINT", "SIGTERM", "SIGBREAK")
"""Windows sends SIGBREAK for Ctrl-Break."""

REPEAT_SECONDS = 5.0
"""Seconds in which repeated signals count as one."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; lost output doesn't change its exit code."""
    with replaced_streams() as (out, _):
        options = _parser().parse_args(arguments)
        code = _code(options)
        if options.shows and code != EXIT_CANCELLED:
            code = _finished(out, code)
        elif out.lost and not out.reader_gone:
            complain(f"musubi-nodes: a part of what was said is lost: {out.lost}")
        return code


def _code(options: argparse.Namespace) -> int:
    _take_signals(survives=options.survives)
    if options.install:
        os.environ["MUSUBI_NODES_INSTALL"] = options.install
    try:
        _check_working_folder()
        return int(options.command(options))
    except BrokenOff as broken:
        return _report(broken.error, EXIT_FAILED)
    except (MusubiError, OSError) as error:
        return _report(error, EXIT_REFUSED)
    except KeyboardInterrupt:
        return _report("cancelled; nothing is left running", EXIT_CANCELLED)
    except Exception:
        return _report(f"a fault of musubi-nodes itself\n{traceback.format_exc()}", EXIT_FAILED)


def _check_working_folder() -> None:
    try:
        Path.cwd()
    except OSError:
        raise MusubiError(
            "working-folder-missing", "the working folder is not there any more", fix="Change to another one (cd)."
        ) from None


def _report(what: object, code: int) -> int:
    fix = "\nFix: Check that path and its permissions." if isinstance(what, OSError) else ""
    complain(f"musubi-nodes: {what}{fix}")
    return code


def _finished(out: Output, code: int) -> int:
    try:
        out.finish(patience=None)
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    if out.reader_gone:  # as `musubi-nodes runs | head` closes it
        return EXIT_UNREAD
    return _report(f"the output cannot be written: {out.lost}", EXIT_FAILED) if out.lost else code


def _take_signals(survives: bool) -> None:
    """``survives`` keeps running without its terminal."""
    interrupt = _Interrupt()
    for name in CANCELLING:  # SIGINT may have been inherited as ignored
        if number := getattr(signal, name, None):
            signal.signal(number, interrupt)
    if survives and hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: None)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)


class _Interrupt:
    """Raises KeyboardInterrupt, once per :data:`REPEAT_SECONDS`.

    A second one (`timeout` sends SIGTERM twice) would break the cleanup.
    """

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last >= REPEAT_SECONDS:
            self._last = now
            raise KeyboardInterrupt


def _path(text: str) -> Path:
    """Parse a path; an empty one comes from an unset variable."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("musubi-nodes", description="musubi-tuner workflows in a terminal.")
    parser.add_argument("--version", action="version", version=f"musubi-nodes {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--install", metavar="NAME", help='a configured musubi-tuner, or "miniature"')
    common.add_argument("--output", type=_path, default=Path("output"), metavar="DIR", help="default: ./output")
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", parents=[common], help="run a workflow file (API format)")
    run.add_argument("workflow", type=_path)
    run.add_argument("--set", action="append", default=[], metavar="NODE.input=value", dest="settings")
    run.set_defaults(command=_run, survives=True, shows=False)

    demo = commands.add_parser("demo", parents=[common], help="dataset, caches, LoRA and video on the miniature")
    demo.add_argument("--family", default="", metavar="NAME", help="model family; default: the first installed")
    demo.set_defaults(command=_demo, survives=True, shows=False)

    runs = commands.add_parser("runs", parents=[common], help="list the run folders")
    runs.add_argument("-n", type=_count, default=20, metavar="COUNT", help="how many, newest first")
    runs.add_argument("--json", action="store_true", help="a JSON list for programs")
    runs.set_defaults(command=_runs, survives=False, shows=True)

    stop = commands.add_parser("stop", parents=[common], help="end a training after its next save")
    stop.add_argument("name", nargs="?", default="", help="the run folder or a part of its name; default: the only one")
    stop.set_defaults(command=_stop, survives=False, shows=False)

    doctor = commands.add_parser("doctor", parents=[common], help="what was found, and what to do about each fault")
    doctor.add_argument("--json", action="store_true", help="a JSON list for programs")
    doctor.set_defaults(command=_doctor, survives=False, shows=True)

    new = commands.add_parser("new-plugin", help="a plugin for another model family, to begin with")
    new.add_argument("name", help="the family's name, such as  my-model")
    new.add_argument(
        "--into", type=_path, default=Path(), metavar="DIR", help="where its folder is made; default: here"
    )
    new.add_argument(
        "--scripts", default="", metavar="PATTERN", help="how the family's scripts begin: nodes are written from them"
    )
    new.add_argument("--install", metavar="NAME", help="the configured musubi-tuner that has them")
    new.set_defaults(command=_new_plugin, survives=False, shows=False)
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

    return list_runs(options.output, options.n, options.json)


def _stop(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.listing import stop_run

    return stop_run(options.output, options.name)


def _doctor(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.doctor import examine

    return examine(options.output, options.json)


def _new_plugin(options: argparse.Namespace) -> int:
    from musubi_nodes.hosts.terminal.new_plugin import new_plugin

    return new_plugin(options.name, options.into, options.scripts)


if __name__ == "__main__":
    sys.exit(main())
