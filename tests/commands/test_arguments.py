"""Argument lists: what is sent, how it is spelled, and that nothing can pose as another option."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from musubi_nodes.commands.argv import argv, plain
from musubi_nodes.commands.check import accepted_arguments
from musubi_nodes.commands.extra import extra_arguments, parse_extra
from musubi_nodes.commands.option import Argument, arguments_from, merged
from musubi_nodes.commands.option_owners import refusal
from musubi_nodes.commands.tables import OptionSpec, table
from musubi_nodes.errors import MusubiError
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.parsers import Refused, parser_for

TRAIN = "wan_train_network.py"
KNOWN = table(TRAIN) or {}
GENERATE = {name: replace(spec, choices=()) for name, spec in (table("wan_generate_video.py") or {}).items()}


def extra(text: str) -> list[Argument]:
    return list(extra_arguments(text, TRAIN, KNOWN, "0.3.4"))


def test_numbers_are_plain_decimals() -> None:
    assert plain(1e-5) == "0.00001"
    assert plain(2.5e-7) == "0.00000025"
    assert plain(16.0) == "16.0"
    assert plain(7) == "7"


def test_scalars_stick_to_their_option_so_that_a_leading_dash_is_data() -> None:
    words = argv([Argument("output_name", "--evil=1")], KNOWN)
    assert words == ["--output_name=--evil=1"]
    assert parser_for(KNOWN).parse_args(words).output_name == "--evil=1"


@pytest.mark.parametrize(
    ("item", "code"),
    [
        *(("--config_file=x", "list-item-not-allowed"), ("-x", "list-item-not-allowed")),
        *(("a\nb", "list-item-not-allowed"), ("a\0b", "text-invalid")),
    ],
)
def test_a_list_item_that_could_be_an_option_is_refused(item: str, code: str) -> None:
    with fails(code, "network_args"):
        argv([Argument("network_args", ["a=1", item])], KNOWN)


def test_a_list_of_more_items_than_anybody_sends_is_refused_by_its_count() -> None:
    with fails("command-too-long", "10001"):
        argv([Argument("network_args", ["a\nb"] * 10_001)], KNOWN)


def test_switches_lists_and_positionals() -> None:
    ema = table("lora_post_hoc_ema.py") or {}
    words = argv([Argument("output_file", "x"), Argument("path", ["a", "b"])], ema)
    assert words == ["a", "b", "--output_file=x"]
    assert argv([Argument("sdpa", True), Argument("video_size", [480, 832])], KNOWN) == [
        "--sdpa",
        "--video_size",
        "480",
        "832",
    ]


def test_what_means_leave_it_to_musubi_tuner_is_not_sent() -> None:
    arguments = [Argument(n, v) for n, v in {"a": None, "b": False, "c": "", "d": [], "e": 0, "f": 0.0}.items()]
    assert [a.name for a in merged(arguments)] == ["e", "f"]


def test_an_option_set_by_two_owners_names_both() -> None:
    with fails("option-set-twice", "min_timestep", "Wan Models", "the sampling settings"):
        merged([Argument("min_timestep", 875, "Wan Models"), Argument("min_timestep", 0, "the sampling settings")])


def test_the_same_value_from_two_owners_is_no_contradiction() -> None:
    assert len(merged([Argument("one_frame", True, "a"), Argument("one_frame", True, "b")])) == 1


def test_an_option_that_the_install_lacks_names_option_and_versions() -> None:
    old = table(TRAIN, "0.2.0") or {}
    with fails("option-unknown", "--block_swap_h2d_only", "the memory plan", "0.3.2", "0.2.0"):
        accepted_arguments([Argument("block_swap_h2d_only", True, "the memory plan")], TRAIN, old, "0.2.0")


def test_a_default_of_the_first_release_that_has_the_option_is_left_out_on_older_installs() -> None:
    old = table(TRAIN, "0.2.0") or {}
    assert accepted_arguments([Argument("block_swap_ring_size", 2)], TRAIN, old, "0.2.0") == []


def test_a_text_is_a_file_if_its_option_or_its_field_names_one() -> None:
    sent = {"prompt": "/a", "lora_weight": ["/a"], "vae": "/a", "vae_dtype": "/a", "task": "/b"}
    found = accepted_arguments(arguments_from(sent, ""), "wan_generate_video.py", GENERATE, "0.3.4", {"/b"})
    paths = {"lora_weight": [Path("/a")], "vae": Path("/a"), "task": Path("/b")}
    assert {each.name: each.value for each in found} == sent | paths


def test_a_choice_that_the_install_lacks_says_when_it_came() -> None:
    old = table(TRAIN, "0.2.0") or {}
    with fails("option-choice-unknown", "krea2_shift", "0.3.4"):
        accepted_arguments([Argument("timestep_sampling", "krea2_shift", "SAMPLING")], TRAIN, old, "0.2.0")


def test_extra_options_are_toml_and_checked_against_the_install() -> None:
    assert extra('log_prefix = "night"\nnetwork_dropout = 0.1\n') == [
        Argument("log_prefix", "night", "extra options"),
        Argument("network_dropout", 0.1, "extra options"),
    ]


@pytest.mark.parametrize(
    ("text", "code", "value"),
    [
        ("netwrok_dropout = 0.1", "option-unknown", "'network_dropout'"),
        ("seed = 'x'", "option-value-other-kind", "int"),
        ("sdpa = 1", "option-value-other-kind", "true"),
        ("seed = [1]", "option-value-other-kind", "--seed"),
        ("seed = {a = 1}", "option-value-other-kind", "--seed"),
        ("network_args = 'a=1'", "option-value-other-kind", "[1, 2]"),
        ("mixed_precision = 'bf15'", "option-choice-unknown", "'bf16'"),
        ("seed = ", "toml-invalid", ""),
        ("[a]\nb = 1", "option-unknown", "--a"),
        ("log_prefix = 'x'\n" * 2, "toml-invalid", ""),
    ],
)
def test_a_wrong_extra_option_is_one_clear_error(text: str, code: str, value: str) -> None:
    with fails(code, value):
        extra(text)


@pytest.mark.parametrize(
    "line",
    [
        "output_dir = '/etc'",
        "config_file = '/tmp/x.toml'",
        "dit = '/etc/passwd'",
        "optimizer_type = 'os.system'",
        "network_module = 'antigravity'",
        "lr_scheduler_type = 'a.b'",
        "wandb_api_key = 'k'",
        "huggingface_repo_id = 'me/x'",
        "async_upload = true",
        "interactive = true",
        "save_merged_model = '/x'",
    ],
)
def test_paths_names_secrets_and_the_runners_own_options_are_refused(line: str) -> None:
    with fails("option-refused"):
        extra(line)


@pytest.mark.parametrize("name", ["new_model_path", "style_image", "lora_weights_extra", "cache_dir", "merge_from"])
def test_a_new_text_option_whose_name_looks_like_a_path_is_refused(name: str) -> None:
    assert refusal(OptionSpec(name, kind=""))


@pytest.mark.parametrize("name", ["new_scheme", "fancy_mode", "rope_scale"])
def test_other_new_options_can_be_used_on_the_day_they_appear(name: str) -> None:
    assert not refusal(OptionSpec(name, kind=""))


def test_extra_options_of_any_text_raise_nothing_but_clear_errors() -> None:
    for text in ("\0", "=" * 50, "a" * 30_000, "a = {b = 1}", '"--x" = 1', "\ufeffseed = 1"):
        with pytest.raises(MusubiError):
            extra(text)
    assert parse_extra('"--seed" = 1') == {"seed": 1}


def test_the_table_parser_refuses_what_argparse_refuses() -> None:
    with pytest.raises(Refused, match="unrecognized arguments"):
        parser_for(KNOWN).parse_args(["--input_lora=x"])
    with pytest.raises(Refused, match="invalid choice"):
        parser_for(KNOWN).parse_args(["--mixed_precision=bf15"])
