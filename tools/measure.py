"""Prints size and prose of the core's code as a table: ``python -m tools.measure [FOLDER]``."""

from __future__ import annotations

import ast
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core" / "src" / "musubi_nodes"
SMALL = 40
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Source:
    """A Python file: its lines and all nodes of its syntax tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text("utf-8").splitlines()
        self.nodes = list(ast.walk(ast.parse(path.read_bytes())))

    def comments(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            yield from (token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT)

    def docstrings(self) -> Iterator[str]:
        """Docstrings, and the strings below constants and fields."""
        values = (node.value for node in self.nodes if isinstance(node, ast.Expr))
        yield from (v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str))

    def imports(self) -> Iterator[str]:
        """Full names of imported modules, and of what may be a module or a name in one."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lone_modules(sources: list[Source]) -> list[str]:
    """The core's modules of less than ``SMALL`` lines that one file of the core or of a plugin imports."""
    files = {*CORE.rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")}
    importers = Counter(name for file in files for name in set(Source(file).imports()))
    short = [s.path for s in sources if 0 < len(s.lines) < SMALL and s.path.is_relative_to(CORE)]
    names = (".".join(path.relative_to(CORE.parent).with_suffix("").parts) for path in short)
    return [name for name in names if importers[name] == 1]


def table(folder: Path) -> Iterator[tuple[str, str]]:
    """Label and value of each row."""
    sources = [Source(path) for path in sorted(folder.rglob("*.py"))]
    nodes = [node for source in sources for node in source.nodes]
    lines = [line for source in sources for line in source.lines]
    widths = [len(line) for line in lines if line.strip()]
    files = [(len(source.lines), source.path.relative_to(folder).as_posix()) for source in sources if source.lines]
    functions = [((n.end_lineno or 0) - n.lineno + 1, n.name) for n in nodes if isinstance(n, FUNCTIONS)]

    def per_1000(count: int) -> str:
        return f"{count * 1000 / len(lines):.1f}"

    yield "lines, files", f"{len(lines):,}, {len(sources)}"
    yield "docstring words per 1,000 lines", per_1000(sum(len(d.split()) for s in sources for d in s.docstrings()))
    yield "comment words per 1,000 lines", per_1000(sum(len(c.split()) - 1 for s in sources for c in s.comments()))
    yield f"modules under {SMALL} lines with one importer", str(len(lone_modules(sources)))
    for kind, sizes in (("file", files), ("function", functions)):
        yield f"lines of a {kind}: median, longest", "{:.0f}, {} ({})".format(median(n for n, _ in sizes), *max(sizes))
    yield "Any per 1,000 lines", per_1000(sum(isinstance(n, ast.Name) and n.id == "Any" for n in nodes))
    yield "type: ignore", str(sum("type: ignore" in comment for source in sources for comment in source.comments()))
    yield "comprehensions per 1,000 lines", per_1000(sum(isinstance(n, COMPREHENSIONS) for n in nodes))
    yield "characters of a line: median, p90", f"{median(widths):.0f}, {quantiles(widths, n=10)[-1]:.0f}"


if __name__ == "__main__":
    for label, value in table(Path(sys.argv[1]).resolve() if sys.argv[1:] else CORE):
        print(f"{label:<44}{value}")
