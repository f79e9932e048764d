from __future__ import annotations

import signal
from pathlib import Path

import pytest

from musubi_nodes.runs.explain import Explanation, Failure, LastLines, builtin, explained

ACCELERATE = [
    "Traceback (most recent call last):",
    '  File "/venv/lib/python3.11/site-packages/accelerate/commands/launch.py", line 755, in simple_launcher',
    "    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)",
]
STATUS = "subprocess.CalledProcessError: Command '['/venv/bin/python', 'train.py']' returned non-zero exit status 1."
DIED = "subprocess.CalledProcessError: Command '['/venv/bin/python', 'train.py']' died with <Signals.{}>."
LOG = Path("/runs/x/log.txt")


def failure(*lines: str, code: int = 1) -> Failure:
    return Failure("train.py", "wan", code, list(lines))


@pytest.mark.parametrize("launched", [False, True])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "gpu-out-of-memory"),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB", "gpu-out-of-memory"),
        (
            "RuntimeError: [enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: x",
            "ram-out-of-memory",
        ),
        ("RuntimeError: DataLoader worker (pid 147) is killed by signal: Killed. ", "ram-out-of-memory"),
        ("OSError: [Errno 28] No space left on device", "disk-full"),
        ("safetensors_rust.SafetensorError: Error while serializing: IoError: No space left on device", "disk-full"),
        ("hv_train_network.py: error: unrecognized arguments: --x", "option-not-accepted"),
        (
            "hv_train_network.py: error: ambiguous option: --fp8 could match --fp8_base, --fp8_scaled",
            "option-not-accepted",
        ),
        ("wan_train.py: error: argument --timestep_boundary: invalid int value: '0.9'", "option-not-accepted"),
        (
            "ValueError: No training items found in the dataset. Please ensure that the cache exists.",
            "cache-missing",
        ),
        ("_pickle.PicklingError: Can't pickle <class 'safetensors_rust.SafetensorError'>: import of x", "file-damaged"),
        (
            "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
            "file-damaged",
        ),
        ("safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge", "file-damaged"),
        ("RuntimeError: shape '[1, 2]' is invalid for input of size 5", "model-other-kind"),
        ("RuntimeError: Error(s) in loading state_dict for AutoencoderKLCausal3D:", "model-other-kind"),
        ("NotImplementedError: Cannot copy out of meta tensor; no data!", "vae-other-kind"),
        ("ModuleNotFoundError: No module named 'musubi_tuner'", "package-missing"),
        ("ImportError: No bitsandbytes / bitsandbytesがインストールされていないようです", "bitsandbytes-missing"),
        ("OSError: We couldn't connect to 'https://huggingface.co' to load the files", "tokenizer-missing"),
        ("TypeError: expected str, bytes or os.PathLike object, not NoneType", "tokenizer-missing"),
        ("PIL.UnidentifiedImageError: cannot identify image file '/data/a.png'", "media-unreadable"),
        ("av.error.InvalidDataError: [Errno 1094995529] Invalid data found when processing input", "media-unreadable"),
        ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0x83 in position 0", "file-not-utf8"),
        ("RuntimeError: No CUDA GPUs are available", "gpu-unusable"),
        ("TypeError: 'NoneType' object is not callable", "attention-package-missing"),
        ("KeyError: 'latents_image'", "cache-other-task"),
        (
            "ValueError: either --sdpa, --flash-attn, --flash3, --sage-attn or --xformers must be specified",
            "attention-package-missing",
        ),
    ],
)
def test_a_known_failure_is_explained_with_or_without_accelerate(line: str, code: str, launched: bool) -> None:
    below = [*ACCELERATE, STATUS] if launched else []
    error = explained(failure("Traceback (most recent call last):", "  File x", line, *below), [], LOG)
    assert error.code == code and line in error.what and "train.py" in error.what
    assert error.why and error.fix and error.log == LOG


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "gpu-out-of-memory"),
        ("MemoryError", "ram-out-of-memory"),
        ("RuntimeError: DataLoader worker (pid 147) is killed by signal: Killed. ", "ram-out-of-memory"),
        ("OSError: [Errno 28] No space left on device", "disk-full"),
    ],
)
def test_memory_and_disk_are_found_although_another_error_follows(line: str, code: str) -> None:
    found = builtin(failure(line, "RuntimeError: the writer thread is gone", *ACCELERATE, STATUS))
    assert found and found.code == code


def test_what_only_the_last_error_tells_is_not_found_before_another() -> None:
    assert builtin(failure("KeyError: 'latents_image'", "RuntimeError: the writer thread is gone")) is None


@pytest.mark.parametrize(
    "line",
    [
        "AssertionError",
        "KeyError: 'x'",
        "KeyboardInterrupt",
        "voluptuous.error.MultipleInvalid: extra keys not allowed @ data['datasets'][0]['cache_dir']",
        "toml.decoder.TomlDecodeError: Reserved escape sequence used (line 2 column 1 char 10)",
        "Fatal Python error: Segmentation fault",
        "StopIteration",
        "SystemExit: 3",
    ],
)
def test_the_last_words_are_the_scripts_own(line: str) -> None:
    found = failure("INFO:__main__:start", line, "    note below", *ACCELERATE, STATUS)
    assert found.last_words == line


@pytest.mark.parametrize(
    "line",
    [
        "model.safetensors:  47%|████▋     | 70/148",
        "UserWarning: soon gone",
        "INFO:a.b:Error handling is on",
        "see a.b.c: x",
    ],
)
def test_what_only_looks_like_an_error_is_no_reason(line: str) -> None:
    assert failure(line).reason == ""


def test_without_an_error_line_the_last_line_above_accelerate_counts() -> None:
    found = failure("INFO:__main__:x.toml not found.", *ACCELERATE, STATUS)
    assert found.last_words == "INFO:__main__:x.toml not found."
    assert failure(*ACCELERATE, STATUS).last_words == ""
    error = explained(failure(code=3), [], LOG)
    assert error.code == "script-failed" and "train.py" in error.what and "3" in error.what


def test_an_argparse_error_is_found_after_all_its_usage() -> None:
    usage = [f"                           [--option_{n} OPTION_{n}]" for n in range(400)]
    line = "train.py: error: argument --sample_solver: invalid choice: 'x' (choose from 'unipc', 'dpm++')"
    assert failure("usage: train.py [-h]", *usage, line).reason == line


def test_an_error_of_a_thousand_lines_is_still_found() -> None:
    last = LastLines()
    last.add("RuntimeError: Error(s) in loading state_dict for HYVideoDiffusionTransformer:")
    for number in range(1000):
        last.add(f"\tsize mismatch for blocks.{number}: copying a param with shape x")
    for line in [*ACCELERATE, STATUS]:
        last.add(line)
    found = explained(failure(*last.lines()), [], LOG)
    assert "Error(s) in loading state_dict" in found.what and found.code == "model-other-kind"


def test_last_lines_stay_few() -> None:
    last = LastLines()
    for number in range(10_000):
        last.add(f"ValueError: {number}")
    lines = last.lines()
    assert len(lines) == 320 and lines[-1] == "ValueError: 9999"


def needs(name: str) -> pytest.MarkDecorator:
    """For a signal that ended a script, which only POSIX tells by a negative code."""
    return pytest.mark.skipif(not hasattr(signal, name), reason=f"this system has no {name}")


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        (failure("FooError: old", *ACCELERATE, DIED.format("SIGKILL: 9")), "script-killed", "SIGKILL"),
        pytest.param(failure("some line", code=-9), "script-killed", "SIGKILL", marks=needs("SIGKILL")),
        (failure("some line", code=-15), "script-ended-from-outside", "SIGTERM"),
        (failure(*ACCELERATE, DIED.format("SIGSEGV: 11")), "script-crashed", "SIGSEGV"),
        pytest.param(
            failure("Fatal Python error: Bus error", code=-7),
            "shared-memory-full",
            "SIGBUS: Fatal Python error: Bus error",
            marks=needs("SIGBUS"),
        ),
        (failure(code=-250), "script-ended-by-signal", "250"),
        (failure(code=3221225477), "script-crashed", "0xC0000005"),
        (failure(code=0xC00000AA), "script-crashed", "0xC00000AA"),
    ],
)
def test_a_signal_is_named_and_old_errors_are_not_blamed(found: Failure, code: str, said: str) -> None:
    error = explained(found, [], LOG)
    assert error.code == code and error.what.endswith(said)


def test_memory_is_blamed_although_another_error_followed() -> None:
    found = failure("torch.OutOfMemoryError: CUDA out of memory.", "ValueError: cannot clean up")
    assert explained(found, [], LOG).code == "gpu-out-of-memory"


def test_the_first_explainer_that_knows_wins() -> None:
    asked: list[str] = []

    def explainer(name: str, answer: Explanation | None) -> object:
        def ask(_: Failure) -> Explanation | None:
            asked.append(name)
            return answer

        return ask

    mine, other = Explanation("mine", "my why", "my fix"), Explanation("other", "other why", "other fix")
    asks = [explainer("silent", None), explainer("mine", mine), explainer("other", other)]
    error = explained(failure("KeyError: 'latents_image'"), asks, LOG)  # type: ignore[arg-type]
    assert (error.code, error.why, error.fix) == ("mine", "my why", "my fix") and asked == ["silent", "mine"]


def test_an_unknown_failure_points_to_the_log() -> None:
    found = failure("ZeroDivisionError: division by zero")
    assert builtin(found) is None
    error = explained(found, [], LOG)
    assert error.code == "script-failed" and error.log == LOG and error.fix and not error.why
