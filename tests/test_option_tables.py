"""tools/option_tables.py: the options of a checkout, and what a new release changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tools import option_tables
from tools.option_tables import Change, ask, changes, read_tables, report, save, scripts_of

from musubi_nodes.commands.tables import RELEASES

SCRIPT = """
import argparse
from pathlib import Path

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dit", type=Path, required=True)
    parser.add_argument("--mode", default="a", choices=["a", "b"])
    parser.add_argument("--shift", type=float, default=1.5)
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("prompt", nargs="?")
    print("not an option")
    parser.parse_args()
    raise SystemExit("it ran")

if __name__ == "__main__":
    main()
"""
ROWS = [
    {"flags": ["--dit"], "action": "Store", "type": "Path", "required": True},
    {"flags": ["--mode"], "action": "Store", "choices": ["a", "b"], "default": "a"},
    {"flags": ["--shift"], "action": "Store", "type": "float", "default": 1.5},
    {"flags": ["--sizes"], "action": "Store", "nargs": "+", "type": "int"},
    {"flags": ["--fast"], "action": "StoreTrue", "nargs": 0},
    {"flags": ["prompt"], "action": "Store", "positional": True, "nargs": "?"},
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "src" / "musubi_tuner"
    folder.mkdir(parents=True)
    (folder / "new_train.py").write_text(SCRIPT, "utf-8")
    (folder / "library.py").write_text("def main():\n    pass\n", "utf-8")
    return tmp_path


def test_a_script_shows_its_parser_without_running(checkout: Path) -> None:
    assert scripts_of(checkout) == ["new_train.py"]
    assert ask(checkout, sys.executable, "new_train.py") == ROWS


def test_a_script_without_a_parser_is_told(checkout: Path) -> None:
    (checkout / "src" / "musubi_tuner" / "broken.py").write_text("import nothing_like_it", "utf-8")
    with pytest.raises(RuntimeError, match=r"broken\.py.*nothing_like_it"):
        ask(checkout, sys.executable, "broken.py")


def test_new_changed_and_lost_options_are_found() -> None:
    before = {"gone.py": ROWS, "same.py": ROWS, "wan_train_network.py": ROWS}
    slower = {**ROWS[2], "default": 3.0}
    now = {"same.py": ROWS, "wan_train_network.py": [*ROWS[:2], slower, *ROWS[4:]], "krea3_train_network.py": ROWS[:1]}
    found = list(changes(before, now))
    assert [(change.script, change.option) for change in found] == [
        ("gone.py", ""),
        ("krea3_train_network.py", ""),
        ("wan_train_network.py", "shift"),
        ("wan_train_network.py", "sizes"),
    ]
    assert "1.5 -> 3.0" in found[2].what


def test_a_change_of_many_scripts_is_reported_once() -> None:
    more = [{**row, "choices": ["a", "c"]} if "choices" in row else row for row in ROWS]
    scripts = ("krea3_train_network.py", "wan_train_network.py")
    change, *lines, _ = report(changes(dict.fromkeys(scripts, ROWS), dict.fromkeys(scripts, more)))
    assert "--mode" in change and change.endswith("-b +c")
    assert [line.strip() for line in lines] == ["krea3_train_network.py (no plugin)", "wan_train_network.py (wan)"]


def test_the_last_two_releases_differ_by_krea_2() -> None:
    before, now = read_tables(RELEASES[-2]), read_tables(RELEASES[-1])
    found = list(changes(before, now))
    assert Change("krea2_train_network.py", "", f"is new, with {len(now['krea2_train_network.py'])} options") in found
    assert not list(changes(now, now))


@pytest.mark.parametrize("release", RELEASES)
def test_saved_tables_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    stored = read_tables(release)
    monkeypatch.setattr(option_tables, "TABLES", tmp_path)
    assert json.loads(save(stored, release).read_text("utf-8")) == stored
