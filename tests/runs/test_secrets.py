from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.process.masking import Mask, secret_values

TOKEN = "hf_AbCdEfGhIjKlMnOp"


def masked(secrets: list[bytes], chunks: list[bytes]) -> bytes:
    mask = Mask(secrets)
    return b"".join([*map(mask.feed, chunks), mask.finish()])


def test_a_secret_is_in_no_file_even_if_the_script_prints_it(runs: Any) -> None:
    code = f"""
        import os, sys, time
        sys.stdout.write("logged in with {TOKEN[:7]}"); sys.stdout.flush(); time.sleep(0.05)
        print("{TOKEN[7:]}")
        raise ValueError("bad token " + os.environ["HF_TOKEN"])
    """
    source = runs.script("import sys; exec(open(sys.argv[1]).read())", "start.py")
    code_file = runs.tmp_path / "code.py"
    code_file.write_text(__import__("textwrap").dedent(code))
    with pytest.raises(MusubiError) as caught:
        runs([__import__("sys").executable, str(source), str(code_file)], environment={**os.environ, "HF_TOKEN": TOKEN})
    assert "bad token ***" in str(caught.value) and TOKEN not in str(caught.value)
    files = [path for path in runs.folder.path.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert not [path.name for path in files if TOKEN.encode() in path.read_bytes()]


def test_secrets_are_known_by_the_names_of_their_variables() -> None:
    environment = {"WANDB_API_KEY": "k" * 40, "HF_TOKEN": TOKEN, "AWS_SECRET_ACCESS_KEY": "s" * 20, "HOME": "/home/me"}
    short = {"MY_KEY": "1", "KEYBOARD": "a long enough name", "TOKENIZERS_PARALLELISM": "false and long"}
    assert secret_values(environment | short) == [b"k" * 40, b"s" * 20, TOKEN.encode()]


def test_a_variable_of_the_configuration_is_secret_whatever_its_name(runs: Any) -> None:
    code, environment = "import os; print('as', os.environ['COMET_PASS'])", {**os.environ, "COMET_PASS": TOKEN}
    runs(code, environment=environment, secrets=["COMET_PASS"])
    assert runs.folder.log.read_text("utf-8") == f"as {'*' * len(TOKEN)}\n"


_bytes = st.lists(st.sampled_from([b"a", b"b", b"ab", b"abaabaab", b"x", b"\n"]), max_size=30).map(b"".join)


@given(_bytes, st.sampled_from([b"abaabaab", b"aaaaaaaa", b"abababab"]), st.data())
def test_how_the_output_is_chunked_makes_no_difference(data: bytes, secret: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert masked([secret], chunks) == data.replace(secret, b"*" * len(secret))


def test_nothing_is_held_back_that_cannot_become_a_secret() -> None:
    mask = Mask([TOKEN.encode()])
    assert mask.feed(b"steps: 33%|##| [avr_loss=1]") == b"steps: 33%|##| [avr_loss=1]"
    assert mask.feed(b"token hf_Ab") == b"token "
    assert mask.feed(b"!") == b"hf_Ab!"
