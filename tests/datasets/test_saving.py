from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.datasets.config.saving import has_comments, save_toml


def test_comments_are_kept_beside_and_each_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    assert save_toml(path, "a = 1\n") is None and save_toml(path, "a = 2\n") is None
    for number in range(2):
        path.write_text(f"a = 3 # mine {number}\n", "utf-8")
        kept = save_toml(path, "a = 4\n")
        assert kept is not None and kept.read_text("utf-8") == f"a = 3 # mine {number}\n"
        assert path.read_text("utf-8") == "a = 4\n"
    assert len(list(tmp_path.iterdir())) == 3


def test_what_somebody_added_by_hand_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    save_toml(path, "a = 1\n")
    path.write_text("a = 1\nbucket_no_upscale = true\n", "utf-8")
    kept = save_toml(path, "a = 2\n")
    assert kept is not None and kept.read_text("utf-8") == "a = 1\nbucket_no_upscale = true\n"
    assert save_toml(path, "a = 3\n") is None and path.read_text("utf-8") == "a = 3\n"


def test_the_same_text_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"a = 1 # mine\n")
    before = path.stat()
    assert save_toml(path, "a = 1 # mine\n") is None and path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 1", False), ("# a", True), ("a = 1 # b", True), ('a = "#"', False), ("a = '#'", False),
        ('a = "\\"#"', False), ('a = """\n#\n"""', False), ("a = '''\n#'\n'''", False), ('a = "#" # b', True),
    ],
)  # fmt: skip
def test_a_hash_in_a_string_is_no_comment(text: str, found: bool) -> None:
    assert has_comments(text) is found
