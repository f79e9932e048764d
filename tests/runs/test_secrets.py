from __future__ import annotations

import html
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from musubi_nodes.config import Config
from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.masking import Mask, secret_values, without_secrets
from musubi_nodes.runs.process.probe import ask_python

TOKEN = "hf_AbCdEfGhIjKlMnOp"


def masked(secrets: list[bytes], chunks: list[bytes]) -> bytes:
    mask = Mask(secrets)
    return b"".join([*map(mask.feed, chunks), mask.finish()])


def test_what_the_installs_python_answers_shows_no_secret(tmp_path: Path) -> None:
    install = Install("test", tmp_path, Path(sys.executable), {"HF_TOKEN": TOKEN})
    answer = ask_python(install, "import os, sys; sys.exit('no access with ' + os.environ['HF_TOKEN'])", 60)
    assert answer.why == "no access with " + "*" * len(TOKEN)


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
    assert "***" in str(caught.value) and TOKEN not in str(caught.value)
    files = [path for path in runs.folder.path.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert not [path.name for path in files if TOKEN.encode() in path.read_bytes()]


def test_secrets_are_known_by_the_names_of_their_variables() -> None:
    environment = {"WANDB_API_KEY": "k" * 40, "HF_TOKEN": TOKEN, "AWS_SECRET_ACCESS_KEY": "s" * 20, "HOME": "/home/me"}
    short = {"MY_KEY": "1", "KEYBOARD": "a long enough name", "TOKENIZERS_PARALLELISM": "false and long"}
    short |= {"HF_TOKEN_PATH": "/home/me/token"}
    assert secret_values(environment | short) == [b"k" * 40, b"s" * 20, TOKEN.encode()]


def test_a_variable_of_the_configuration_is_secret_whatever_its_name(runs: Any) -> None:
    code, environment = "import os; print('as', os.environ['COMET_PASS'])", {**os.environ, "COMET_PASS": TOKEN}
    runs(code, environment=environment, secrets=["COMET_PASS"])
    assert runs.folder.log.read_text("utf-8") == f"as {'*' * len(TOKEN)}\n"


_bytes = st.lists(st.sampled_from([b"a", b"b", b"ab", b"abaabaab", b"x", b"\n"]), max_size=30).map(b"".join)


_secrets = st.lists(st.sampled_from([b"abaabaab", b"abaabaabaab", b"aaaaaaaa", b"abababab", b"bab"]), min_size=1)


def blotted(secrets: list[bytes], data: bytes) -> bytes:
    """``data`` without any byte of any secret, also where two overlap."""
    covered = bytearray(data)
    for secret in secrets:
        for start in range(len(data)):
            if data.startswith(secret, start):
                covered[start : start + len(secret)] = b"*" * len(secret)
    return bytes(covered)


@given(_bytes, _secrets, st.data())
def test_how_the_output_is_chunked_makes_no_difference(data: bytes, secrets: list[bytes], draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert masked(secrets, chunks) == blotted(secrets, data)


def test_a_secret_that_begins_like_another_is_blotted_out_whole() -> None:
    secrets = secret_values({"HF_TOKEN": "hf_abcdefgh", "HF_TOKEN_TWO": "x", "WANDB_API_KEY": "hf_abcdefgh-and-more"})
    assert masked(secrets, [b"hf_abcdefgh", b"-and-", b"more."]) == b"*" * 20 + b"."
    assert masked(secrets, [b"hf_abcdefgh", b"-and-", b"less."]) == b"*" * 11 + b"-and-less."


ODD = "pa\"ss\\wörd/+ &<ü>'\n\tend"


@pytest.mark.parametrize(
    "printed",
    [
        ODD,
        json.dumps({"key": ODD}),
        json.dumps({"key": ODD}, ensure_ascii=False),
        json.dumps(json.dumps({"key": ODD})),
        repr({"key": ODD}),
        ascii(ODD),
        repr(ODD.encode()),
        quote(ODD),
        quote(ODD, safe=""),
        quote_plus(ODD),
        urlencode({"key": ODD}),
        quote(ODD).lower(),
        html.escape(ODD),
        shlex.quote(ODD),
    ],
)
def test_a_secret_is_known_in_every_spelling(printed: str) -> None:
    shown = masked(secret_values({"THE_KEY": ODD}), [bytes([byte]) for byte in printed.encode()])
    assert "end" not in shown.decode() and "rd" not in shown.decode()


def test_each_line_of_a_key_is_secret() -> None:
    secrets = secret_values({"SSH_KEY": "-----BEGIN-----\nMIIEowIBAAKC\nshort\n"})
    assert masked(secrets, [b"line 2: MIIEowIBAAKC"]) == b"line 2: ************"


def test_the_password_of_a_proxy_is_secret_and_its_address_is_not() -> None:
    environment = {"HTTPS_PROXY": "http://me:pass-0123@proxy:8080", "HTTP_PROXY": "http://proxy:8080"}
    assert without_secrets(environment) == {"HTTP_PROXY": "http://proxy:8080"}
    assert masked(secret_values(environment), [b"http://me:pass-0123@proxy:8080"]) == b"http://me:*********@proxy:8080"
    assert without_secrets({"HF_ENDPOINT": "https://token-0123@mirror"}) == {}


@pytest.mark.parametrize("name", ["huggingface_token", "wandb_api_key", "new_api_key"])
def test_a_key_is_no_option(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config(options={name: TOKEN})
    assert name in str(caught.value)


def test_options_that_only_sound_like_keys_are_none() -> None:
    options = {"max_new_tokens": 3, "fused_backward_pass": True, "huggingface_repo_id": "me/loras"}
    assert Config(options=options).options == options


def test_nothing_is_held_back_that_cannot_become_a_secret() -> None:
    mask = Mask([TOKEN.encode()])
    assert mask.feed(b"steps: 33%|##| [avr_loss=1]") == b"steps: 33%|##| [avr_loss=1]"
    assert mask.feed(b"token hf_Ab") == b"token "
    assert mask.feed(b"!") == b"hf_Ab!"
