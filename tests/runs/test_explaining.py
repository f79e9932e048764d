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
    ("line", "why"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "GPU's memory"),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB", "GPU's memory"),
        ("RuntimeError: [enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: x", "(RAM)"),
        ("RuntimeError: DataLoader worker (pid 147) is killed by signal: Killed. ", "main memory (RAM)"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("safetensors_rust.SafetensorError: Error while serializing: IoError: No space left on device", "disk is full"),
        ("hv_train_network.py: error: unrecognized arguments: --x", "does not take the option"),
        ("hv_train_network.py: error: ambiguous option: --fp8 could match --fp8_base, --fp8_scaled", "does not take"),
        ("wan_train.py: error: argument --timestep_boundary: invalid int value: '0.9'", "does not take the option"),
        (
            "ValueError: No training items found in the dataset. Please ensure that the cache exists.",
            "No item has both",
        ),
        ("_pickle.PicklingError: Can't pickle <class 'safetensors_rust.SafetensorError'>: import of x", "damaged"),
        ("safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer", "damaged"),
        ("safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge", "damaged"),
        ("RuntimeError: shape '[1, 2]' is invalid for input of size 5", "do not belong"),
        ("RuntimeError: Error(s) in loading state_dict for AutoencoderKLCausal3D:", "do not belong"),
        ("NotImplementedError: Cannot copy out of meta tensor; no data!", "not the VAE"),
        ("ModuleNotFoundError: No module named 'musubi_tuner'", "package is missing"),
        ("ImportError: No bitsandbytes / bitsandbytesがインストールされていないようです", "bitsandbytes"),
        ("OSError: We couldn't connect to 'https://huggingface.co' to load the files", "tokenizer"),
        ("TypeError: expected str, bytes or os.PathLike object, not NoneType", "tokenizer"),
        ("PIL.UnidentifiedImageError: cannot identify image file '/data/a.png'", "cannot be read"),
        ("av.error.InvalidDataError: [Errno 1094995529] Invalid data found when processing input", "cannot be read"),
        ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0x83 in position 0", "not UTF-8"),
        ("RuntimeError: No CUDA GPUs are available", "cannot use this GPU"),
        ("TypeError: 'NoneType' object is not callable", "attention"),
        ("KeyError: 'latents_image'", "another task"),
        ("ValueError: either --sdpa, --flash-attn, --flash3, --sage-attn or --xformers must be specified", "attention"),
    ],
)
def test_a_known_failure_is_explained_with_or_without_accelerate(line: str, why: str, launched: bool) -> None:
    below = [*ACCELERATE, STATUS] if launched else []
    error = explained(failure("Traceback (most recent call last):", "  File x", line, *below), [], LOG)
    assert error.what == f"train.py failed with code 1: {line}"
    assert why in error.why and error.fix
    assert error.log == LOG


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "GPU's memory"),
        ("MemoryError", "(RAM)"),
        ("RuntimeError: DataLoader worker (pid 147) is killed by signal: Killed. ", "(RAM)"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
    ],
)
def test_memory_and_disk_are_found_although_another_error_follows(line: str, why: str) -> None:
    found = builtin(failure(line, "RuntimeError: the writer thread is gone", *ACCELERATE, STATUS))
    assert found and why in found.why


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
    assert explained(failure(), [], LOG).what == "train.py failed with code 1"


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
    assert "Error(s) in loading state_dict" in found.what and "do not belong" in found.why


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
    ("found", "what", "why"),
    [
        (failure("FooError: old", *ACCELERATE, DIED.format("SIGKILL: 9")), "was ended by SIGKILL", "memory (RAM)"),
        pytest.param(failure("some line", code=-9), "was ended by SIGKILL", "memory (RAM)", marks=needs("SIGKILL")),
        (failure("some line", code=-15), "was ended by SIGTERM", "from outside"),
        (failure(*ACCELERATE, DIED.format("SIGSEGV: 11")), "was ended by SIGSEGV", "compiled library"),
        pytest.param(
            failure("Fatal Python error: Bus error", code=-7),
            "SIGBUS: Fatal Python error: Bus error",
            "/dev/shm",
            marks=needs("SIGBUS"),
        ),
        (failure(code=-250), "was ended by signal 250", ""),
        (failure(code=3221225477), "crashed with code 0xC0000005", ""),
    ],
)
def test_a_signal_is_named_and_old_errors_are_not_blamed(found: Failure, what: str, why: str) -> None:
    error = explained(found, [], LOG)
    assert error.what.endswith(what)
    assert why in error.why


def test_memory_is_blamed_although_another_error_followed() -> None:
    found = failure("torch.OutOfMemoryError: CUDA out of memory.", "ValueError: cannot clean up")
    assert "GPU's memory" in explained(found, [], LOG).why


def test_the_first_explainer_that_knows_wins() -> None:
    asked: list[str] = []

    def explainer(name: str, answer: Explanation | None) -> object:
        def ask(_: Failure) -> Explanation | None:
            asked.append(name)
            return answer

        return ask

    mine, other = Explanation("mine", "my fix"), Explanation("other", "other fix")
    asks = [explainer("silent", None), explainer("mine", mine), explainer("other", other)]
    error = explained(failure("KeyError: 'latents_image'"), asks, LOG)  # type: ignore[arg-type]
    assert (error.why, error.fix, asked) == ("mine", "my fix", ["silent", "mine"])


def test_an_unknown_failure_points_to_the_log() -> None:
    found = failure("ZeroDivisionError: division by zero")
    assert builtin(found) is None
    assert "log" in explained(found, [], LOG).fix
