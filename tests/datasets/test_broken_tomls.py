from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.datasets.broken_tomls import BROKEN, Broken

from musubi_nodes.datasets.toml import load, loads
from musubi_nodes.errors import MusubiError


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_one_message_names_file_key_value_and_fix(tmp_path: Path, broken: Broken) -> None:
    path = tmp_path / "set.toml"
    path.write_text(broken.text, "utf-8")
    with pytest.raises(MusubiError) as caught:
        load(path)
    message = str(caught.value)
    assert "problems" not in message, message
    for part in ("set.toml", broken.where, broken.value, broken.fix):
        assert part in message, f"{part!r} is not in: {message}"


def test_each_mistake_is_another_one() -> None:
    assert len({broken.text for broken in BROKEN}) == len(BROKEN) >= 60


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"key_{number} = 1\n" for number in range(60_000)),
        "[general]\n" + "".join(f"key_{number} = 1\n" for number in range(60_000)),
        "[[datasets]]\nimage_directory = 'a'\n" + "".join(f"key_{number} = 1\n" for number in range(60_000)),
        "[[datasets]]\n" + "".join(f"key_{number} = 1\n" for number in range(60_000)),
        "[[datasets]]\nimage_directory = 'a'\nkey = 1\n" * 900,
    ],
    ids=["top", "general", "dataset", "no source", "many datasets"],
)
def test_of_thousands_of_mistakes_a_hundred_are_looked_at(text: str, tmp_path: Path) -> None:
    with pytest.raises(MusubiError) as told:
        loads(text, base=tmp_path)
    found = re.search(r"(\d+) problems", told.value.what)
    assert found and 100 <= int(found[1]) <= 102


def test_more_datasets_than_anybody_has_are_not_looked_at(tmp_path: Path) -> None:
    with pytest.raises(MusubiError, match="3000, more than 1000"):
        loads("[[datasets]]\nimage_directory = 'a'\n" * 3000, base=tmp_path)
