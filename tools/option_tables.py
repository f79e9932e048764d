"""Compares the options of a musubi-tuner checkout with a stored release, and stores them as a new one.

``python -m tools.option_tables CHECKOUT --python ITS_PYTHON [--against 0.3.4] [--save 0.3.5]``
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from musubi_nodes.commands.tables import RELEASES

TABLES = Path(__file__).resolve().parents[1] / "core" / "src" / "musubi_nodes" / "commands" / "tables"
PROBE = Path(__file__).with_name("parser_probe.py")
SOURCES = Path("src", "musubi_tuner")
SECONDS = 300

Rows = list[dict[str, Any]]
Tables = Mapping[str, Rows]


class Change(NamedTuple):
    """A difference; ``option`` is "" for a whole script."""

    script: str
    option: str
    what: str


def read_tables(release: str = RELEASES[-1]) -> Tables:
    """Return the stored rows of a release, by script."""
    tables: Tables = json.loads((TABLES / f"v{release}.json").read_text("utf-8"))
    return tables


def scripts_of(checkout: Path) -> list[str]:
    """Return the programs of a checkout that read options."""
    files = sorted((checkout / SOURCES).glob("*.py"))
    return [file.name for file in files if _is_program(file.read_text("utf-8"))]


def _is_program(source: str) -> bool:
    return "__main__" in source and "parse_args(" in source


def ask(checkout: Path, python: str, script: str) -> Rows:
    """Return the options of a script from its own parser."""
    path = [str(checkout / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [python, str(PROBE), str(checkout / SOURCES / script)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script} does not show its parser: {done.stderr.strip().splitlines()[-1:]}")
    rows: Rows = json.loads(done.stdout.splitlines()[-1])
    return rows


def changes(before: Tables, now: Tables) -> Iterator[Change]:
    """Yield the differences, script by script."""
    for script in sorted(before.keys() | now.keys()):
        if script not in now:
            yield Change(script, "", "is gone")
        elif script not in before:
            yield Change(script, "", f"is new, with {len(now[script])} options")
        else:
            yield from _changed_options(script, _by_name(before[script]), _by_name(now[script]))


def _changed_options(script: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            yield Change(script, name, "is gone")
        elif name not in before:
            yield Change(script, name, f"is new: {_shown(now[name])}")
        elif before[name] != now[name]:
            yield Change(script, name, "; ".join(_differing(before[name], now[name])))


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for part in sorted(before.keys() | now.keys()):
        old, new = before.get(part), now.get(part)
        if isinstance(old, list) and isinstance(new, list) and old != new:
            words = [f"-{each}" for each in old if each not in new] + [f"+{each}" for each in new if each not in old]
            yield f"{part} {' '.join(words) or 'in another order'}"
        elif old != new:
            yield f"{part} {old!r} -> {new!r}"


def _by_name(rows: Rows) -> dict[str, dict[str, Any]]:
    return {row["flags"][0].lstrip("-"): row for row in rows}


def _shown(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{part} {value!r}" for part, value in row.items() if part not in ("flags", "nargs"))


@cache
def plugins_by_script() -> Mapping[str, str]:
    """Return the plugin of each script that a node runs."""
    from musubi_nodes.plugins.manager import plugins

    nodes = [node for node in plugins().nodes if hasattr(node, "script")]
    return {node.script: node.__module__.partition(".")[0].removeprefix("musubi_nodes_") for node in nodes}


def report(found: Iterable[Change]) -> Iterator[str]:
    """Yield lines: each change, below that of an option the scripts that have it; with their plugins."""
    scripts: dict[str, list[str]] = {}
    for change in found:
        script = f"{change.script} ({plugins_by_script().get(change.script, 'no plugin')})"
        if change.option:
            scripts.setdefault(f"--{change.option} {change.what}", []).append(f"    {script}")
        else:
            scripts[f"{script} {change.what}"] = []
    for told, names in scripts.items():
        yield from (told, *names)
    yield f"{len(scripts)} changes"


def save(tables: Tables, release: str) -> Path:
    """Store the tables of a release, one option per line."""
    parts = (
        f" {json.dumps(script)}: [\n" + ",\n".join(f"  {json.dumps(row)}" for row in tables[script]) + "\n ]"
        for script in sorted(tables)
    )
    path = TABLES / f"v{release}.json"
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")
    return path


def main() -> int:
    """Print the differences; ``--save`` stores the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", default=sys.executable, help="the Python of musubi-tuner's environment")
    parser.add_argument("--against", metavar="RELEASE", choices=RELEASES, default=RELEASES[-1])
    parser.add_argument("--save", metavar="RELEASE", help="store the options under this version")
    given = parser.parse_args()
    checkout = given.checkout.absolute()
    scripts = scripts_of(checkout)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tables = dict(zip(scripts, pool.map(partial(ask, checkout, given.python), scripts), strict=True))
    print("\n".join(report(list(changes(read_tables(given.against), tables)))))
    if given.save:
        print(f"written: {save(tables, given.save)}; now add the version to RELEASES in commands/tables.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
