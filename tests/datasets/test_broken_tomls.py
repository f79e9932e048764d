from __future__ import annotations

from pathlib import Path

import pytest
from tests.datasets.broken_tomls import BROKEN, Broken

from musubi_nodes.datasets.config.toml import load, loads
from musubi_nodes.testing.errors import codes, fails


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_one_message_names_file_key_value_and_hint(tmp_path: Path, broken: Broken) -> None:
    path = tmp_path / "set.toml"
    path.write_text(broken.text, "utf-8")
    with fails(broken.code, "set.toml", broken.where, broken.value, broken.hint) as caught:
        load(path)
    assert codes(caught.value) == ["dataset-invalid", broken.code]


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
    with fails("dataset-invalid") as told:
        loads(text, base=tmp_path)
    assert 100 <= len(told.value.problems) <= 102


def test_more_datasets_than_anybody_has_are_not_looked_at(tmp_path: Path) -> None:
    with fails("datasets-too-many", 3000, 1000):
        loads("[[datasets]]\nimage_directory = 'a'\n" * 3000, base=tmp_path)
