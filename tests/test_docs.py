"""The tutorial is true: every cell runs, and what it names exists. `make docs` typesets it; no test needs that."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import glassnet
from glassnet.cli import main
from glassnet.clinic import MISTAKES
from glassnet.lessons import lesson_files
from glassnet.training import Config, notebook_names

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "tutorial").glob("*.md"))
NOTEBOOKS = DOCS / "notebooks.md"
USE = sorted(set((DOCS / "use").glob("*.md")) - {DOCS / "use/index.md"})
REFERENCE = sorted((DOCS / "reference").glob("*.md"))
OTHERS = [DOCS / "index.md", NOTEBOOKS, DOCS / "benchmarks.md", DOCS / "reliability.md", DOCS / "use/index.md"]
TEXTS = {page: page.read_text("utf-8") for page in (*PAGES, *USE, *REFERENCE, *OTHERS)}
WITH_CELLS = [page for page in (*PAGES, *USE) if "file_format: mystnb\n" in TEXTS[page]]
INTERNAL = {
    "__init__",
    "__main__",
    "answers",
    "cli",
    "files",
    "locks",
    "model_file",
    "notebook",
    "page",
    "tensor_files",
}
MODULES = {
    path.stem for path in (ROOT / "src/glassnet").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
}
MODULES -= INTERNAL

CELL = re.compile(r"^```\{code-cell\} python\n((?::.*\n)*)\n?((?:(?!```).*\n)*)```$", re.MULTILINE)
INCLUDE = re.compile(r"^```\{literalinclude\} (\S+)\n((?::.*\n)*)```$", re.MULTILINE)


def cells(page: Path) -> Iterator[tuple[int, str]]:
    """Yield each cell of a page with the number of its first line."""
    for match in CELL.finditer(TEXTS[page]):
        yield TEXTS[page].count("\n", 0, match.start(2)) + 1, match[2]


@pytest.mark.parametrize("page", WITH_CELLS, ids=lambda page: page.stem)
def test_every_cell_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(page.parent)
    names: dict[str, object] = {"__name__": "__main__"}
    found = list(cells(page))
    assert len(found) == TEXTS[page].count("{code-cell}") >= (3 if page in PAGES else 1)
    # One thread, as in docs/conf.py: on a busy machine a second one makes these small products ten times slower.
    with mpl.rc_context(), np.printoptions(), threadpool_limits(1, "blas"):
        plt.switch_backend("agg")
        try:
            for line, code in found:
                exec(compile("\n" * (line - 1) + code, page.name, "exec"), names)
        finally:
            plt.close("all")


def test_the_pages_are_in_the_table_of_contents() -> None:
    index = TEXTS[DOCS / "index.md"]
    listed = re.findall(r"^tutorial/(\S+)$", index, re.MULTILINE)
    assert listed == [page.stem for page in PAGES]
    assert re.findall(r"\]\(tutorial/(\S+)\.md\)", index) == listed
    used = TEXTS[DOCS / "use/index.md"]
    stems = sorted(page.stem for page in USE)
    assert sorted(re.findall(r"^- \[.+\]\((\S+)\.md\)", used, re.MULTILINE)) == stems
    assert sorted(re.findall(r"^([a-z-]+)$", used, re.MULTILINE)) == stems  # in the toctree


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_its_view_and_every_address_is_one(page: Path) -> None:
    seen = re.search(r"^See it live: (.+?)\n\n", TEXTS[page] + "\n", re.MULTILINE | re.DOTALL)
    assert seen
    views = {folder.name for folder in (ROOT / "src/glassnet/web/static/views").iterdir()}
    addresses = re.findall(r"`#(\w+)(?:\?mistake=([\w-]+))?", seen[1])
    assert addresses
    for view, mistake in addresses:
        assert view in views
        assert not mistake or mistake in MISTAKES


def test_every_mistake_names_a_page_of_the_tutorial() -> None:
    assert {mistake.tutorial for mistake in MISTAKES.values()} <= {page.stem for page in PAGES}


def test_the_page_of_the_notebooks_names_each_and_every_mistake_of_it() -> None:
    assert re.search(r"^notebooks$", TEXTS[DOCS / "index.md"], re.MULTILINE)
    _, *sections = re.split(r"^## Notebook ", TEXTS[NOTEBOOKS], flags=re.MULTILINE)
    assert [f"notebook-{section[:3]}" for section in sections] == notebook_names()
    for section in sections:
        for name in Config.resolve(f"notebook-{section[:3]}", as_written=True).mistakes:
            assert f"`{name}`" in section


def test_every_command_that_a_page_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    named = {name for text in TEXTS.values() for name in re.findall(r"^glassnet ([a-z-]+)", text, re.MULTILINE)}
    assert len(named) > 15
    for command in named:
        assert main([command, "--help"]) == 0


def test_nothing_is_installed_from_an_index_that_has_no_glassnet() -> None:
    examples = [path.read_text("utf-8") for path in (ROOT / "README.md", *(ROOT / "examples").iterdir())]
    installed = [what for text in (*TEXTS.values(), *examples) for what in re.findall(r"pip install(.*)", text)]
    assert len(installed) > 5
    assert [what for what in installed if re.match(r"( --\S+)* [\"']?glassnet\b", what)] == []


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_what_a_page_links_exists(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#\s]+)\)", TEXTS[page]) if "://" not in link]
    links += re.findall(r"\{download\}`[^<`]*<([^>]+)>`", TEXTS[page])
    assert links or page in (*USE, *REFERENCE)
    assert [link for link in links if not (page.parent / link).is_file()] == []


def defined(source: str) -> set[str]:
    """Return the classes and functions of a module, and the methods as ``Class.method``."""
    names = set()
    for item in ast.parse(source).body:
        if isinstance(item, ast.ClassDef | ast.FunctionDef):
            names |= {
                item.name,
                *(f"{item.name}.{part.name}" for part in item.body if isinstance(part, ast.FunctionDef)),
            }
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_of_the_source_exists(page: Path) -> None:
    includes = INCLUDE.findall(TEXTS[page])
    assert len(includes) == TEXTS[page].count("{literalinclude}")
    for target, options in includes:
        source = (page.parent / target).read_text("utf-8")
        for option, value in re.findall(r"^:([\w-]+): (.*)$", options, re.MULTILINE):
            if option == "pyobject":
                assert value in defined(source)
            else:
                assert value in source


def test_every_file_of_the_mathematics_is_named() -> None:
    told = "".join(TEXTS.values())
    files = {path.name for path in (ROOT / "src/glassnet/nn").glob("*.py")} - {"__init__.py", "types.py"}
    assert {name for name in files if f"nn/{name}`" not in told} == set()
    assert "`textbook.py`" in told


def test_the_reference_has_every_public_name() -> None:
    index, told = TEXTS[DOCS / "reference/index.md"], "".join(TEXTS[page] for page in REFERENCE)
    assert sorted(re.findall(r"automodule:: glassnet\.(\w+)$", told, re.MULTILINE)) == sorted(MODULES)
    assert [
        page.stem for page in REFERENCE if page.stem != "index" and not re.search(rf"^{page.stem}$", index, re.M)
    ] == []
    assert set(re.findall(r"^`(\w+)", index, re.MULTILINE)) == set(glassnet.__all__)
    for module in map(import_module, (f"glassnet.{name}" for name in MODULES)):
        for name in module.__all__:
            item = getattr(module, name)
            if inspect.isclass(item) or inspect.isfunction(inspect.unwrap(item)):
                assert item.__doc__, name  # without one autodoc leaves it out
            else:
                assert f".. autodata:: {module.__name__}.{name}\n" in told


def test_each_page_has_an_exercise_with_a_folded_answer() -> None:
    for page in PAGES:
        exercise = TEXTS[page].partition("\n## Exercise\n")[2]
        assert ":tags: [hide-cell]\n" in exercise, page.name


def test_every_lesson_is_there_as_text() -> None:
    shown = re.findall(r'main\(\["lesson", "show", "(.*)"\]\)', TEXTS[DOCS / "use/lessons-as-text.md"])
    assert shown == list(lesson_files())


def test_each_page_of_the_tutorial_has_a_picture_and_names_its_lesson_and_explain() -> None:
    for page in PAGES:
        code = "".join(code for _, code in cells(page))
        assert "plt.subplots" in code or "plots." in code, page.name
        assert f"`/?lesson={page.stem}`" in TEXTS[page], page.name
        assert re.search("`glassnet explain [^`]+`", TEXTS[page]), page.name
