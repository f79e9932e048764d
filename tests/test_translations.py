"""Every sentence of every bundled node has one Japanese sentence, and no translation is left of one that is gone."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.sentences import glued, sentences, stages

from musubi_nodes.hosts.help import help_page
from musubi_nodes.hosts.locales import locale_files
from musubi_nodes.hosts.texts import CORE, ENGLISH, LANGUAGES, Texts, package_of, translations
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.known_failures import CRASHES, FULL, KNOWN, OUTSIDE, WINDOWS

NODES = plugins().nodes
TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]
PACKAGES = sorted({CORE, *map(package_of, NODES)})
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
START = """
import sys
from musubi_nodes.hosts.comfyui import mappings
mappings()
print("musubi_nodes.hosts.texts" in sys.modules)
"""
FAILURES: dict[str, Any] = {
    CORE: [*KNOWN, *FULL, *(("", *texts) for table in (OUTSIDE, CRASHES, WINDOWS) for texts in table.values())],
    **{each: importlib.import_module(f"{each}.explain").FAILURES for each in PACKAGES if find_spec(f"{each}.explain")},
}
"""Every failure of a script that is explained, by the package that explains it."""
KEPT = re.compile(r"\{\w*[^}]*\}|\b[a-z0-9]+_\w+|`[^`]+`|\d+(?:\.\d+)?")
"""What a translation takes over as it is: placeholders, names of options, code, numbers."""


@pytest.fixture(scope="module", params=TRANSLATED)
def told(request: pytest.FixtureRequest) -> Texts:
    """All that the generated files say."""
    texts = Texts(request.param, NODES)
    for node in NODES:
        help_page(node, texts)
    locale_files(NODES, texts)
    for package, failures in FAILURES.items():
        translate = texts.of(next((node for node in NODES if package_of(node) == package), None), "messages")
        for *_, why, fix in failures:
            translate(why), translate(fix)
    for package in PACKAGES:
        translate = texts.of(next((node for node in NODES if package_of(node) == package), None), "messages")
        for sentence in sentences(package) | (stages() if package == CORE else set()):
            translate(sentence)
    for word in ("Why", "Fix", "Log"):
        texts.of(table="messages")(word)
    return texts


def strings(value: Any) -> Iterator[str]:
    """All texts of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)


def test_every_sentence_is_translated(told: Texts) -> None:
    assert not sorted(told.missing)


@pytest.mark.parametrize("package", PACKAGES)
def test_causes_and_remedies_are_sentences_that_can_be_translated(package: str) -> None:
    found = "\n".join(glued(package))
    assert not found, f'translate("... {{value}} ...", value=value) makes these translatable:\n{found}'


@pytest.mark.parametrize("package", PACKAGES)
def test_no_translation_is_left_over(told: Texts, package: str) -> None:
    tables = translations(package, told.language).items()
    known = {(package, key) for name, table in tables if name != "page" for key in table}  # test_page_texts.py: page
    assert not sorted(known - told.used)


@pytest.mark.parametrize("package", [package for package in PACKAGES if package != CORE])
@pytest.mark.parametrize("language", TRANSLATED)
def test_a_plugin_does_not_translate_again_what_the_core_translates(package: str, language: str) -> None:
    core = translations(CORE, language)
    assert not [key for table, texts in translations(package, language).items() for key in texts if key in core[table]]


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("language", TRANSLATED)
def test_names_and_numbers_survive_translation(package: str, language: str) -> None:
    told = translations(package, language)
    sentences = {**told["sentences"], **told.get("messages", {})}
    lost = {
        (english, kept) for english, text in sentences.items() for kept in KEPT.findall(english) if kept not in text
    }
    assert not lost


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_has_a_character_that_the_page_would_read_as_syntax(language: str) -> None:
    """vue-i18n compiles each text: braces are placeholders, ``@`` links, ``|`` parts plurals."""
    files = locale_files(NODES, Texts(language, NODES))
    assert not [text for text in strings(files) if re.search(r"[{}@|]", text)]


def test_nothing_of_it_is_read_when_comfyui_starts(tmp_path: Path) -> None:
    first = {**ENVIRONMENT, "MUSUBI_NODES_CACHE": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, env=first, check=True)
    assert said.stdout.split() == ["False"]


def test_a_sentence_without_translation_stays_english_and_is_reported() -> None:
    texts = Texts(TRANSLATED[0], NODES)
    assert texts.of(NODES[0])("Nobody translated this.") == "Nobody translated this."
    assert texts.missing == {(CORE, "Nobody translated this.")}
