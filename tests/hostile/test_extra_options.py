"""Extra options of every script of every kept release: paths, importable names, secrets and what the runner sets are
refused whatever their value; the others take a hostile text as their own value, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tomlkit

from musubi_nodes.commands.argv import argv
from musubi_nodes.commands.extra import LIMIT, extra_arguments
from musubi_nodes.commands.option_owners import IMPORTABLE, NAMES, RUNNER, SECRET, is_upload, names_file, refusal
from musubi_nodes.commands.tables import RELEASES, OptionSpec, scripts, table
from musubi_nodes.errors import MusubiError, one_line
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.hostile import HOSTILE, assert_clear, refused
from musubi_nodes.testing.parsers import parser_for

SHORT = [text for text in HOSTILE.values() if len(text) < LIMIT]
ANOTHER = OptionSpec("another")
ALL = [(script, release) for release in RELEASES for script in scripts(release)]
ONLY_TEXT = frozenset(
    "compile_args compile_backend custom_system_prompt diffusers_prefix dino_loss_model_type dit_dtype dtype "
    "exclude_patterns include_patterns latent_paddings log_prefix log_tracker_name lr_scheduler_args "
    "magcache_mag_ratios metadata_arch metadata_author metadata_description metadata_license metadata_reso "
    "metadata_tags metadata_title model_version nabla_method negative_prompt network_args one_frame_inference "
    "optimizer_args prompt slg_layers task text_encoder_dtype trainable_modules training_comment vae_dtype "
    "wandb_run_name".split()
)
"""Free texts of which somebody has looked at what musubi-tuner v0.3.4 does with them: neither a file nor an import."""


PATHS = frozenset(
    "base_weights byt5 ckpt_dir clip control_image_mask_path control_image_path control_path dit dit_high_noise "
    "end_image_path i image_dir image_encoder image_last image_path latent_path layout_bboxes log_tracker_config "
    "lora_weight lora_weight_high_noise mask_path model_org model_path model_tuned network_weights network_weights_ema "
    "network_weights_proj override_dit path ref_images resume sample_prompts save_to t5 text_encoder "
    "text_encoder1 text_encoder2 text_encoder_clip text_encoder_qwen turbo_dit unconditional_dit vae video_path".split()
)
"""Options of v0.3.4 that name files or folders."""


def sent(script: str, release: str, **values: Any) -> list[str]:
    known = table(script, release) or {}
    return argv(extra_arguments(tomlkit.dumps(values), script, known, release), known)


def takes_text(spec: OptionSpec) -> bool:
    return not spec.flag and not spec.choices and spec.kind in ("str", "Path", "")


def must_not(name: str) -> bool:
    return name in RUNNER | IMPORTABLE | SECRET | PATHS or name.startswith("huggingface_")


def distinct(release: str) -> list[tuple[str, OptionSpec]]:
    """The different options of all scripts, each with a script that has it."""
    every = [(script, spec) for script in scripts(release) for spec in (table(script, release) or {}).values()]
    return list({repr(spec): (script, spec) for script, spec in every}.values())


def values_of(spec: OptionSpec, text: str) -> Iterator[Any]:
    count = spec.nargs if isinstance(spec.nargs, int) else 2
    yield from ([text] * count, [text], ["a"] * (count - 1) + [text]) if spec.is_list else (text,)


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_not_the_canvas_own_is_refused_in_every_script(release: str) -> None:
    for script in scripts(release):
        for spec in (table(script, release) or {}).values():
            assert not must_not(spec.name) or refusal(spec), f"{script} --{spec.name}"


@pytest.mark.parametrize("release", RELEASES)
def test_it_is_refused_however_it_is_spelled_and_whatever_its_value(release: str) -> None:
    for script, spec in distinct(release):
        for value in (True, 1, "x", ["x"], "") if must_not(spec.name) else ():
            for name in (spec.name, f"--{spec.name}"):
                with fails("option-refused", name.removeprefix("--")) as caught:
                    sent(script, release, **{name: value})
                assert_clear(caught.value)


def on_one_line(value: Any) -> Any:
    """What a script gets: no line break of a text, since it may print it."""
    if isinstance(value, list):
        return [on_one_line(item) for item in value]
    return one_line(value) if isinstance(value, str) else value


def test_a_hostile_text_is_the_options_own_value_or_refused() -> None:
    for script, spec in distinct(RELEASES[-1]):
        if spec.flag or refusal(spec):
            continue
        parser = parser_for({spec.name: OptionSpec(**{**vars(spec), "required": False}), "another": ANOTHER})
        for text in SHORT:
            for value in values_of(spec, text):
                words: list[str] = []
                if not refused(lambda: words.extend(sent(script, RELEASES[-1], **{spec.name: value}))):  # noqa: B023
                    assert vars(parser.parse_args(words)) == {spec.name: on_one_line(value), "another": None}
                    assert spec.name not in NAMES or "/" not in text


def test_every_option_that_names_a_file_is_known_by_its_name() -> None:
    specs = (spec for script, release in ALL for spec in (table(script, release) or {}).values())
    named = {spec.name for spec in specs if names_file(spec) and not is_upload(spec.name)}
    assert named - RUNNER - IMPORTABLE - SECRET == PATHS


def test_every_free_text_was_looked_at() -> None:
    found = {
        spec.name
        for script, release in ALL
        for spec in (table(script, release) or {}).values()
        if takes_text(spec) and not refusal(spec)
    }
    assert found == ONLY_TEXT


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("value", ["../../x", "/etc/x", "C:\\x", "a/b", "..", "-x", "CON"])
def test_a_text_that_becomes_a_folders_name_cannot_lead_out_of_the_run_folder(name: str, value: str) -> None:
    with fails("file-name-invalid", name):
        sent("wan_train_network.py", RELEASES[-1], **{name: value})


WRONG = (
    "seed = [[1]]",
    "network_args = [['a=1']]",
    "network_args = [{a = 1}]",
    "network_dropout = nan",
    "network_dropout = inf",
    "seed = 1979-05-27",
    "log_prefix = 1979-05-27T07:32:00Z",
    "lr_warmup_steps = 'x'",
    "compile_args = ['a']",
    "seed = " + "9" * 5000,
    "a = " + "[" * 15_000,
    "a = 1\n" * 200_000,
)


@pytest.mark.parametrize("line", WRONG, ids=lambda line: line[:30])
def test_values_that_are_no_text_and_no_number_are_refused(line: str) -> None:
    known = table("wan_train_network.py") or {}
    with pytest.raises(MusubiError) as caught:
        list(extra_arguments(line, "wan_train_network.py", known, RELEASES[-1]))
    assert_clear(caught.value)
