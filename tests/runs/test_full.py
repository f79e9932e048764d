"""Each word for "full" is known, from whom it comes, and only where the program itself says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.runs.full_words import SAID
from tests.runs.test_explaining import ACCELERATE, DIED, STATUS, failure

from musubi_nodes.errors import Crashed, EndedFromOutside, MusubiError, OutOfGpuMemory, OutOfMainMemory
from musubi_nodes.runs import full
from musubi_nodes.runs.explain import explained
from musubi_nodes.runs.full import EXCEPTION, is_full

KINDS: dict[str, type[MusubiError]] = {
    "GPU": OutOfGpuMemory,
    "RAM": OutOfMainMemory,
    "SHARED": Crashed,
    "DISK": Crashed,
    "FILE": Crashed,
}
CODES = {
    "GPU": "gpu-out-of-memory",
    "RAM": "ram-out-of-memory",
    "SHARED": "shared-memory-full",
    "DISK": "disk-full",
    "FILE": "file-too-large",
}
EACH = [(kind, line) for kind, lines in SAID.items() for line in lines]
UNKNOWN = "ZeroDivisionError: division by zero"


def traceback(*lines: str) -> tuple[str, ...]:
    return ("Traceback (most recent call last):", '  File "x.py", line 1, in <module>', "    f()", *lines)


@pytest.mark.parametrize("kind", SAID)
def test_each_word_is_really_said_and_has_a_source(kind: str) -> None:
    for word in getattr(full, kind):
        assert any(is_full((word,), line) for line in SAID[kind]), word
        assert word.source


@pytest.mark.parametrize("launched", [False, True])
@pytest.mark.parametrize(("kind", "line"), EACH)
def test_it_is_known_at_the_end_of_a_script(kind: str, line: str, launched: bool) -> None:
    below = [*ACCELERATE, STATUS] if launched else []
    error = explained(failure("INFO:__main__:start", *traceback(line, "and more of it"), *below), [], Path("log"))
    assert type(error) is KINDS[kind]
    assert error.code == CODES[kind] and error.why and error.fix


@pytest.mark.parametrize(("kind", "line"), EACH)
def test_it_is_known_where_another_error_follows_from_it(kind: str, line: str) -> None:
    chained = "During handling of the above exception, another exception occurred:"
    found = failure(*traceback(line), chained, *traceback("RuntimeError: cannot clean up"))
    assert type(explained(found, [], Path("log"))) is KINDS[kind]
    ranks = [f"[rank0]: {each}" for each in traceback(line)]
    found = failure(*ranks, *(f"[rank1]: {each}" for each in traceback("RuntimeError: a peer is gone")))
    assert type(explained(found, [], Path("log"))) is KINDS[kind]


@pytest.mark.parametrize(
    "imitation",
    [
        ("INFO:__main__:prompt: {line}",),
        ("INFO:__main__:prompt: a cat, {line}",),
        ("... {line}",),
        ("steps:  33%|███▎      | 4/12 [00:00<00:00,  9.98it/s, {line}",),
        ("{line}", "INFO:__main__:on it goes"),
        ("Traceback (most recent call last):", "{line}", "INFO:__main__:on it goes"),
    ],
)
@pytest.mark.parametrize(("kind", "line"), EACH)
def test_it_is_not_believed_elsewhere(kind: str, line: str, imitation: tuple[str, ...]) -> None:
    spoken = [part.replace("{line}", line) for part in imitation]
    inside = traceback(f"    {line}", f"KeyError: '{line}'", UNKNOWN)
    for lines in ((*spoken, *traceback(UNKNOWN)), (*spoken, *traceback(UNKNOWN), *ACCELERATE, STATUS), inside):
        error = explained(failure(*lines), [], Path("log"))
        assert type(error) is Crashed and error.code == "script-failed", lines
        assert error.what.endswith(UNKNOWN)


@pytest.mark.parametrize("kind", SAID)
def test_a_path_or_text_within_a_message_says_nothing(kind: str) -> None:
    for line in SAID[kind]:
        text = re.sub(f"^(?:{EXCEPTION})*", "", line)
        found = failure(*traceback(f"ValueError: file not found / ファイルが見つかりません: /x/{text}"))
        assert type(explained(found, [], Path("log"))) is Crashed


def test_a_killed_script_did_not_say_it() -> None:
    found = failure(*traceback(SAID["GPU"][0]), *ACCELERATE, DIED.format("SIGKILL: 9"))
    assert type(explained(found, [], Path("log"))) is Crashed


def test_the_end_of_a_long_command_tells_the_signal_and_nothing_in_it() -> None:
    spoken = "' died with <Signals.SIGTERM: 15>.', '"
    begins = f"subprocess.CalledProcessError: Command '['python', '{spoken}x"
    ends = f"... {spoken}']' died with <Signals.SIGKILL: 9>."
    for lines in ((begins, ends), (begins, f"... {spoken}", ends)):
        error = explained(failure(*ACCELERATE, *lines), [], Path("log"))
        assert error.code == "script-killed" and not isinstance(error, EndedFromOutside)
    prompt = failure("INFO:__main__:prompt: x", f"... {spoken} died with <Signals.SIGTERM: 15>.")
    assert not isinstance(explained(prompt, [], Path("log")), EndedFromOutside)


@pytest.mark.parametrize(
    ("code", "said", "named", "kind"),
    [
        (0xFFFFFFFF, "-1", "script-failed", Crashed),
        (0xFFFFFFFE, "-2", "script-failed", Crashed),
        (70_000, "70000", "script-failed", Crashed),
        (0xC0000005, "0xC0000005", "script-crashed", Crashed),
        (0xC0000017, "0xC0000017", "ram-out-of-memory", OutOfMainMemory),
        (0xC000012D, "0xC000012D", "ram-out-of-memory", OutOfMainMemory),
        (0xC0000409, "0xC0000409", "script-crashed", Crashed),
        (0xC0000135, "0xC0000135", "dll-missing", Crashed),
        (0xE06D7363, "0xE06D7363", "script-crashed", Crashed),
    ],
)
@pytest.mark.parametrize("launched", [False, True])
def test_a_code_of_windows_is_told_as_what_it_is(
    code: int, said: str, named: str, kind: type[MusubiError], launched: bool
) -> None:
    told = STATUS.replace("exit status 1.", f"exit status {code}.")
    found = failure(*ACCELERATE, told) if launched else failure(code=code)
    error = explained(found, [], Path("log"))
    assert error.what.endswith(f" {said}") and error.code == named and type(error) is kind
