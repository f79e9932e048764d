"""Each hook, through an installed plugin that implements it: the names of the tests begin with the hook's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from musubi_nodes.config import Config
from musubi_nodes.runs.explain import Explanation, Failure, explained
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Command, run
from musubi_nodes.testing.errors import fails

HEAD = "from musubi_nodes import hookimpl\n"
FAILURE = Failure("wan_train_network.py", "wan", 1, ["ValueError: too blue"])

EXPLAINER = (
    HEAD
    + """
from musubi_nodes.families import Family
from musubi_nodes.runs.explain import Explanation

@hookimpl
def musubi_register_family():
    return Family("{family}", "X", "x", "networks.x")

@hookimpl
def musubi_explain_error(failure):
    {body}
"""
)

EXECUTOR = (
    HEAD
    + """
import subprocess

class Elsewhere:
    name = "elsewhere"
    started = []

    def start(self, spec):
        self.started.append(list(spec.command))
        process = subprocess.Popen(
            spec.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=spec.cwd, env=dict(spec.environment)
        )
        return Running(process)

class Running:
    def __init__(self, process):
        self.process = process
        self.streams = {"stdout": process.stdout, "stderr": process.stderr}

    def returncode(self):
        return self.process.poll()

    def stop(self):
        self.process.terminate()

    def kill(self):
        self.process.kill()
        self.process.wait()

@hookimpl
def musubi_provide_executors():
    return [Elsewhere()]
"""
)

INSTALL = (
    HEAD
    + """
import sys
from pathlib import Path
from musubi_nodes.runs.install import Install

@hookimpl
def musubi_provide_installs():
    return [Install("practice", Path(__file__).parent, Path(sys.executable), cpu=True)]
"""
)


def test_musubi_register_family_takes_one_several_or_none(place):
    family = 'Family("{0}", "{0}", "{0}", "networks.{0}")'
    source = HEAD + "from musubi_nodes.families import Family\n@hookimpl\ndef musubi_register_family():\n    return "
    place.install("one", source + family.format("one"))
    place.install("several", source + f"[{family.format('two')}, {family.format('three')}]")
    place.install("none", source + "None")
    found = place.load()
    assert [family.key for family in found.families] == ["one", "two", "three"]
    assert "none" in found.loaded


def test_musubi_register_nodes_in_the_order_of_the_menu(place, node):
    second = node("Second").split("@hookimpl")[0].replace("Hello", "Other")
    place.install("two-nodes", second + node("First").replace("[Hello]", "(n for n in [Hello, Other])"))
    assert [node.id for node in place.load().loaded["two_nodes"].nodes] == ["First", "Second"]


def explain(place, family: str) -> Explanation | None:
    return next((answer for ask in place.load().explainers(family) if (answer := ask(FAILURE))), None)


def test_musubi_explain_error_asks_the_scripts_own_family_first(place):
    place.install("aaa-other", EXPLAINER.format(family="other", body="return Explanation('other', 'w', 'x')"))
    place.install("bbb-own", EXPLAINER.format(family="wan", body="return Explanation('own', 'w', 'x')"))
    assert explain(place, "wan") == Explanation("own", "w", "x")
    assert explain(place, "other") == Explanation("other", "w", "x")
    assert explain(place, "") == Explanation("other", "w", "x")


def test_musubi_explain_error_goes_on_to_who_knows(place):
    place.install("aaa-own", EXPLAINER.format(family="wan", body="return None"))
    place.install("bbb-other", EXPLAINER.format(family="other", body="return Explanation('blue', failure.reason, 'x')"))
    place.install("ccc-late", EXPLAINER.format(family="late", body="return Explanation('late', 'w', 'x')"))
    assert explain(place, "wan") == Explanation("blue", "ValueError: too blue", "x")


@pytest.mark.parametrize("body", ["raise KeyError('oops')", "return 'it is broken'"])
def test_musubi_explain_error_passes_over_one_that_fails(place, told, body):
    place.install("aaa-own", EXPLAINER.format(family="wan", body=body))
    place.install("bbb-other", EXPLAINER.format(family="other", body="return Explanation('other', 'w', 'y')"))
    error = explained(FAILURE, place.load().explainers("wan"), Path("log.txt"))
    assert (error.code, error.why, error.fix) == ("other", "w", "y")
    (line,) = told()
    assert "aaa_own" in line and ("oops" in line or "it is broken" in line)


def test_musubi_provide_installs_only_when_chosen_by_name(place):
    place.install("practice-tuner", INSTALL)
    with fails("install-not-configured"):
        place.load().install()
    assert "practice" in place.load().installs()
    assert place.load().install("practice").root == place.site
    assert place.load(Config(install="practice")).install().cpu


def run_through(place, config: Config, folder: Path) -> tuple[RunFolder, list[str]]:
    script = "import sys; print('hello from', sys.argv[1])"
    arguments = [sys.executable, "-c", script, "there"]
    made = RunFolder.create(folder, "Test")
    watcher = SimpleNamespace(progress=lambda now: None, raise_if_interrupted=lambda: None)
    run(Command("test.py", arguments, folder, {}), made, place.load(config).executor(), watcher)
    return made, arguments


def test_musubi_provide_executors_runs_where_the_configuration_says(place, tmp_path):
    place.install("cluster-engine", EXECUTOR)
    folder, arguments = run_through(place, Config(executor="elsewhere"), tmp_path / "out")
    assert sys.modules["cluster_engine"].Elsewhere.started == [arguments]
    assert "hello from there" in folder.log.read_text("utf-8")
    assert folder.status()["status"] == "done"


def test_musubi_provide_executors_local_is_the_cores_own(place, tmp_path):
    place.install("cluster-engine", EXECUTOR)
    folder, _ = run_through(place, Config(), tmp_path / "out")
    assert "hello from there" in folder.log.read_text("utf-8")
    assert sys.modules["cluster_engine"].Elsewhere.started == []


def test_an_unknown_executor_is_a_near_miss(place):
    place.install("cluster-engine", EXECUTOR)
    with fails("executor-unknown", "'elsewere'", "'elsewhere'"):
        place.load(Config(executor="elsewere")).executor()


def test_no_widget_chooses_an_executor(place):
    place.install("cluster-engine", EXECUTOR)
    names = {spec.name for node in place.load().nodes for spec in node.fields()}
    assert not {name for name in names if "executor" in name}


def test_the_terminal_says_once_on_stderr_what_was_left_out(place):
    place.install("bad-plugin", "x = 1 / 0")
    code = "from musubi_nodes.plugins.manager import plugins; plugins(); print('fine')"
    path = [str(place.site), *sys.path[1:]]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "fine\n"
    assert done.stderr.count("bad_plugin (bad-plugin)") == 1
