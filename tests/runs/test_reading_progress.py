from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hostile.bad_inputs import OUTPUT, always_the_same, broken

from musubi_nodes.errors import CONTROLS
from musubi_nodes.runs.record.output import LineSplitter
from musubi_nodes.runs.record.progress import Progress, ProgressReader, clock, is_bar

TRAINING = """\
accelerator device: cpu
import network module: networks.lora
override steps. steps for 3 epochs is / 指定エポックまでのステップ数: 12
running training / 学習開始
  num train items / 学習画像、動画数: 4
  num batches per epoch / 1epochのバッチ数: 4
  num epochs / epoch数: 3
  batch size per device / バッチサイズ: 1, 1
  gradient accumulation steps / 勾配を合計するステップ数 = 1
  total optimization steps / 学習ステップ数: 12
steps:   0%|          | 0/12 [00:00<?, ?it/s]
epoch 1/3
INFO:musubi_tuner.dataset.image_video_dataset:epoch is incremented. current_epoch: 0, epoch: 1
steps:   8%|▊         | 1/12 [00:00<00:00, 1653.91it/s, avr_loss=1.3]
steps:  33%|███▎      | 4/12 [00:00<00:00,  9.98it/s, avr_loss=1.19]
saving checkpoint: /out/toy-000001.safetensors
epoch 2/3
steps:  42%|████▏     | 5/12 [00:10<00:14,  2.05s/it, avr_loss=1.28]
steps: 100%|██████████| 12/12 [00:24<00:00,  2.05s/it, avr_loss=1.25]
saving checkpoint: /out/toy.safetensors
INFO:musubi_tuner.hv_train_network:model saved.
steps: 100%|██████████| 12/12 [00:24<00:00,  2.05s/it, avr_loss=1.25]""".splitlines()


def read(lines: list[str], reader: ProgressReader | None = None) -> list[Progress]:
    reader = reader or ProgressReader()
    for line in lines:
        reader.read(line)
    return [reader.now]


def last(*lines: str, **options: object) -> Progress:
    return read(list(lines), ProgressReader(**options))[0]  # type: ignore[arg-type]


def test_a_whole_training_is_followed() -> None:
    now = last(*TRAINING)
    assert (now.stage, now.current, now.total, now.fraction) == ("training", 12, 12, 1.0)
    assert (now.epoch, now.epochs, now.loss, now.checkpoint) == (2, 3, 1.25, "/out/toy.safetensors")


@pytest.mark.parametrize(
    ("line", "stage", "current", "total"),
    [
        ("steps:  33%|███▎      | 4/12 [00:00<00:00,  9.98it/s, avr_loss=1.19]", "training", 4, 12),
        ("steps:  42% 5/12 [00:00<00:00,  9.98it/s, avr_loss=1.28]", "training", 5, 12),
        ("steps:  33%|███▎      | 4/12 [00:00<00:00, Average key norm=0.00946, avr_loss=1.25]", "training", 4, 12),
        ("Loading wan.safetensors:  47%|████▋     | 70/148 [00:00<00:00, 696.30it/s]", "loading", 70, 148),
        ("Loading wan.safetensors:  47%|████▋     | 70/148 [00:00<00:00, 696.30key/s]", "loading", 70, 148),
        ("Sampling timesteps for prompt 1:  50%|█████     | 1/2 [00:00<00:00,  3.1it/s]", "sampling", 1, 2),
        (" 33%|███▎      | 1/3 [00:01<00:02,  1.05s/it]", "denoising", 1, 3),
        ("100%|██████████| 3/3 [00:03<00:00,  1.05s/it]", "denoising", 3, 3),
        ("0it [00:00, ?it/s]", "encoding", 0, None),
        ("3it [00:00,  8.37it/s]", "encoding", 3, None),
    ],
)
def test_each_bar_of_musubi_tuner_is_understood(line: str, stage: str, current: int, total: int | None) -> None:
    now = last(line, bar_stage="denoising")
    assert (now.stage, now.current, now.total) == (stage, current, total)


@pytest.mark.parametrize(
    ("inside", "rate", "left"),
    [
        ("00:00<00:00,  9.98it/s, avr_loss=1.19", 9.98, 0),
        ("00:10<00:14,  2.05s/it, avr_loss=1.28", 1 / 2.05, 14),
        ("1:02:03<27:00:01, 2.00s/it", 0.5, 27 * 3600 + 1),
        ("00:00<?, ?it/s", None, None),
    ],
)
def test_rate_and_time_left_are_taken_from_the_bar(inside: str, rate: float | None, left: float | None) -> None:
    now = last(f"steps:  33%|███▎      | 4/12 [{inside}]")
    assert now.rate == (rate and pytest.approx(rate))
    assert now.seconds_left == left


def test_the_first_rate_of_a_training_is_not_believed() -> None:
    now = last("steps:   8%|▊         | 1/12 [00:00<00:00, 1653.91it/s, avr_loss=1.3]")
    assert (now.rate, now.seconds_left, now.loss) == (None, None, 1.3)


def test_the_loss_is_found_behind_other_measures() -> None:
    inside = "00:00<00:00,  9.98it/s, Average key norm=0.00946, Keys Scaled=0, avr_loss=1.25"
    assert last(f"steps:  33%|███▎      | 4/12 [{inside}]").loss == 1.25


def test_a_loss_that_is_not_a_number_is_told_as_such() -> None:
    loss = last("steps:  33%|███▎      | 4/12 [00:00<00:00,  9.98it/s, avr_loss=nan]").loss
    assert loss is not None and math.isnan(loss)


def test_bars_without_total_are_summed_over_the_datasets() -> None:
    reader = ProgressReader(totals=[3, 2])
    seen = []
    for line in (
        "INFO:musubi_tuner.cache_latents:Encoding dataset [0]",
        "0it [00:00, ?it/s]",
        "3it [00:00,  8.37it/s]",
        "INFO:musubi_tuner.cache_latents:Encoding dataset [1]",
        "0it [00:00, ?it/s]",
        "2it [00:00,  8.37it/s]",
    ):
        reader.read(line)
        seen.append((reader.now.current, reader.now.total))
    assert seen == [(0, None), (0, 5), (3, 5), (3, 5), (3, 5), (5, 5)]


def test_the_two_passes_of_hunyuan_video_make_one_bar() -> None:
    lines = []
    for encoder in (1, 2):
        lines.append(f"INFO:musubi_tuner.cache_text_encoder_outputs:Encoding with Text Encoder {encoder}")
        for dataset in (0, 1):
            lines += [f"INFO:__main__:Encoding dataset [{dataset}]", "2it [00:00,  8.37it/s]"]
    now = last(*lines, totals=[2, 2], passes=2)
    assert (now.current, now.total) == (8, 8)
    assert (last(*lines[:6], totals=[2, 2], passes=2).fraction) == 0.5


def test_one_unknown_dataset_makes_the_total_unknown() -> None:
    assert last("INFO:__main__:Encoding dataset [0]", "2it [00:00,  8.37it/s]", totals=[2, None]).total is None


def test_sampling_while_training_does_not_lose_epoch_and_checkpoint() -> None:
    now = last(*TRAINING[:16], "Sampling timesteps for prompt 1:  50%|█████     | 1/2 [00:00<00:00,  3.1it/s]")
    assert (now.stage, now.epoch, now.checkpoint) == ("sampling", 1, "/out/toy-000001.safetensors")
    assert now.loss is None


def test_lines_that_say_nothing_change_nothing() -> None:
    reader = ProgressReader()
    for line in ("INFO:__main__:bucket: (64, 64), count: 3", "total batches: 3", "50% of the items", "3/4 [ready]"):
        assert reader.read(line) is None


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("training", 120, 800, 1.9, 358, 0.0831, 3, 16), "training 120/800 · epoch 3/16 · loss 0.0831"),
        (Progress("training", 120, 800, 0.5), "training 120/800 · 2.0 s/it"),
        (Progress("encoding", 7), "encoding 7"),
        (Progress("loading"), "loading"),
    ],
)
def test_progress_is_one_calm_line(progress: Progress, text: str) -> None:
    assert progress.text().startswith(text)


def test_clock() -> None:
    assert (clock(358), clock(3723), clock(0)) == ("5:58", "1:02:03", "0:00")


_bits = st.sampled_from(
    [
        "steps:",
        "%",
        "|",
        "[",
        "]",
        "<",
        ":",
        "00:00",
        "9" * 5000,
        "²",
        "٣",
        "it [",
        "it/s",
        "s/it",
        "avr_loss=",
        "1_0",
        "0.0",
        "1/0",
        "epoch ",
        "saving checkpoint: ",
        "Encoding dataset [0]",
        "INFO:",
        " ",
        "\t" * 50,
        "e-999",
        "?",
    ]
)


@given(st.lists(st.text(max_size=20) | st.lists(_bits, max_size=12).map("".join), max_size=5))
def test_no_text_at_all_makes_it_fail(pieces: list[str]) -> None:
    reader = ProgressReader(totals=[1, None, 3], passes=2)
    for piece in pieces:
        reader.read(piece)
        assert reader.now.text()
        assert reader.now.fraction is None or 0 <= reader.now.fraction <= 1


def followed(data: bytes) -> list[Progress]:
    """Bytes of a child as a run follows them: split into pieces, and each of them read."""
    splitter, reader, found = LineSplitter(), ProgressReader(totals=[4], bar_stage="encoding"), []
    for piece in (*splitter.feed(data), *splitter.finish()):
        is_bar(piece)
        reader.read(piece)
        found.append(reader.now)
    return found


@always_the_same
@given(broken(OUTPUT).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=300))
def test_no_bytes_at_all_make_it_fail_or_reach_the_page_as_more_than_a_short_line(data: bytes) -> None:
    for now in followed(data):
        assert len(now.text()) < 300 and not CONTROLS.search(now.text()) and "<" not in now.text()
        assert now.fraction is None or 0 <= now.fraction <= 1


_inside = st.text(alphabet="0123456789.:<?,/its avr_loss=nanef+-", max_size=40)


@given(st.integers(0, 10**15), st.integers(0, 10**15), _inside)
def test_no_bar_makes_it_fail(n: int, total: int, inside: str) -> None:
    now = last(f"steps: 12%|█ | {n}/{total} [{inside}]", f"{n}it [{inside}]")
    assert now.text()


@pytest.mark.parametrize("line", ["x" + " " * 16_000 + "x", "1" * 16_000 + "%", "|" * 16_000, "a." * 8_000])
def test_long_lines_cost_no_more_than_their_length(line: str) -> None:
    reader = ProgressReader()
    for _ in range(200):
        reader.read(line)
