"""TRAINING: texts that musubi-tuner reads late, after loading or at the first save, are read when they are typed."""

from __future__ import annotations

import pytest

from musubi_nodes.families.settings import Network, Training
from musubi_nodes.testing.errors import fails


@pytest.mark.parametrize(
    ("typed", "sent"),
    [("1280x720", "1280,720"), ("1280,720", "1280,720"), (" 1280 X 720 ", "1280,720"), ("1024", "1024"), ("", "")],
)
def test_a_resolution_is_sent_as_the_first_save_reads_it(typed: str, sent: str) -> None:
    assert Training(metadata_reso=typed).metadata_reso == sent


@pytest.mark.parametrize("typed", ["1280x", "x720", "720p", "1280x720x16", "0x720", "1280 720"])
def test_what_is_no_resolution_is_refused(typed: str) -> None:
    with fails("size-invalid"):
        Training(metadata_reso=typed)


@pytest.mark.parametrize(
    ("line", "code", "named"),
    [
        ("loraplus_lr_ratio=four", "argument-value-invalid", "loraplus_lr_ratio='four'"),
        ("loraplus_lr_ratoi=4", "argument-unknown", "'loraplus_lr_ratio'"),
        ("conv_dim=4.5", "argument-value-invalid", "conv_dim='4.5'"),
        ("rank_dropout=1.5", "argument-value-invalid", "rank_dropout='1.5'"),
        ("exclude_patterns=.*mlp.*", "argument-value-invalid", "exclude_patterns='.*mlp.*'"),
        ("include_patterns=['(mlp']", "argument-value-invalid", "include_patterns="),
        ("exclude_patterns=['(?<=a)b']", "argument-not-key-value", "(?<=a)b"),
    ],
)
def test_arguments_of_the_network_are_read_before_the_model_is_loaded(line: str, code: str, named: str) -> None:
    with fails(code, named):
        Network(network_args=line)


def test_arguments_of_the_network_are_sent_as_they_are() -> None:
    lines = ["loraplus_lr_ratio=4", "exclude_patterns=['.*mlp.*']", "verbose=True", "somebodys_own=7"]
    assert Network(network_args="\n".join(lines)).options()["network_args"] == lines


@pytest.mark.parametrize(
    ("kind", "line"),
    [("LoHa", "loraplus_lr_ratio=4"), ("LoRA", "factor=8"), ("LoKr", "conv_dim=4"), ("LoHa", "rank_dropuot=0.1")],
)
def test_an_argument_of_another_network_is_refused(kind: str, line: str) -> None:
    with fails("argument-unknown", kind, line.partition("=")[0]):
        Network(network_type=kind, network_args=line)


def test_lokr_takes_a_factor() -> None:
    assert Network(network_type="LoKr", network_args="factor=8").options()["network_args"] == ["factor=8"]
