"""Two results have one key only if all that they are made from is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families.result_key import key_of

BYTES = np.arange(24, dtype=np.float32)
DIFFERENT: dict[str, tuple[Any, Any]] = {
    "another shape of an array": (BYTES.reshape(4, 6), BYTES.reshape(6, 4)),
    "another type of its numbers": (BYTES, BYTES.view(np.int32)),
    "one array or two": ([BYTES], [BYTES[:12], BYTES[12:]]),
    "two arrays, parted elsewhere": ([BYTES[:12], BYTES[12:]], [BYTES[:6], BYTES[6:]]),
    "an array and its bytes": (BYTES, BYTES.tobytes()),
    "lists that are nested in another way": ([["a"], ["b"]], [["a", "b"], []]),
    "a text and a number": ("1", 1),
    "where one text ends": (["a\0b", "c"], ["a", "b\0c"]),
    "a mapping's values": ({"a": BYTES}, {"a": BYTES + 1}),
    "nothing and an empty text": (None, ""),
}


@pytest.mark.parametrize("row", DIFFERENT)
def test_what_differs_has_another_key(row: str) -> None:
    one, other = DIFFERENT[row]
    assert key_of([], "", one) == key_of([], "", one) != key_of([], "", other)


@pytest.mark.parametrize("make", [object, lambda: (n for n in ()), lambda: test_what_differs_has_another_key])
def test_what_cannot_be_told_apart_names_no_result(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        key_of([], "", [make()])
