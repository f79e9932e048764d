"""``fails``: each kind of error by its code and values, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, field_validator

from musubi_nodes.errors import InvalidValue, MusubiError, Problem, problems
from musubi_nodes.testing.errors import codes, fails


class Cat(BaseModel):
    lives: int = Field(9, le=9)
    name: str = "Tom"

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        if len(name) > 3:
            raise InvalidValue("name-too-long", f"{name} has {len(name)} characters")
        return name


def test_an_error_is_known_by_its_code_and_values() -> None:
    with fails("cat-missing", "Tom", 9) as caught:
        raise MusubiError("cat-missing", "no Tom with 9 lives", fix="Call it.")
    assert caught.value.fix == "Call it."


def test_an_error_is_known_by_the_code_of_a_finding() -> None:
    with fails("name-too-long", "Felix"):
        raise problems("cats-invalid", "two cats", [Problem("cat-missing", "Tom"), Problem("name-too-long", "Felix")])


def test_what_a_model_refuses_is_known_by_the_code_of_its_validator_or_of_pydantic() -> None:
    with fails("name-too-long", "Felix", 5) as caught:
        Cat(lives=10, name="Felix")
    assert codes(caught.value) == ["less-than-equal", "name-too-long"]


@pytest.mark.parametrize(("code", "value"), [("cat-gone", "Tom"), ("cat-missing", "Felix")])
def test_another_code_or_value_fails(code: str, value: str) -> None:
    with pytest.raises(AssertionError), fails(code, value):
        raise MusubiError("cat-missing", "no Tom")


def test_a_value_of_the_input_is_none_of_the_message() -> None:
    with pytest.raises(AssertionError), fails("less-than-equal", "Tom"):
        Cat.model_validate({"lives": 10, "name": "Tom", "owner": "Tom"})
    with fails("less-than-equal", "lives", 9):
        Cat(lives=10)
