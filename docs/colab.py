"""The tutorial's pages as notebooks, which Jupyter, Colab and Kaggle open.

Sphinx writes them to ``notebooks`` beside the pages, and each page has links to its own. Their first cell installs
glassnet: from the repository, where `pyproject.toml` says what its address is (``Repository`` in ``[project.urls]``, on
GitHub), and else from a wheel.
"""

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from sphinx.config import Config
from sphinx.directives.code import LiteralIncludeReader

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["colab_address", "connect", "notebook", "repository"]

DOCS = Path(__file__).parent
STYLE = "figures.mplstyle"
INSTALL = """\
# Installs glassnet where it is missing. WHEEL: a path or an address of glassnet-….whl; "" takes the one in this folder
# and, in Colab, asks for one to upload. In glassnet's folder, `make wheel` builds it.
WHEEL = "{wheel}"

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("glassnet") is None:
    if not WHEEL:
        wheels = sorted(map(str, Path().glob("glassnet-*.whl")))
        if not wheels and "google.colab" in sys.modules:
            from google.colab import files

            wheels = [*files.upload()]
        assert wheels, "no glassnet-….whl in this folder: put it here, or set WHEEL to its path or address"
        WHEEL = wheels[-1]
    %pip install --quiet "{{WHEEL}}"
    importlib.invalidate_caches()
"""
INCLUDE = re.compile(r"^```\{literalinclude\} (\S+)\n((?::.*\n)*)```$", re.MULTILINE)
ADMONITION = re.compile(r"^:::\{admonition\} (.+)\n(?::.*\n)*\n((?:.*\n)*?):::$", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")


def repository() -> str:
    """Return the repository's address by `pyproject.toml`, or ""."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    address: str = project.get("urls", {}).get("Repository", "")
    return address.removesuffix("/").removesuffix(".git")


def colab_address(page: str, address: str) -> str:
    """Return where Colab opens the notebook of a page, which `make site` puts into the branch ``gh-pages``, or ""."""
    where = urlsplit(address)
    if where.netloc != "github.com":
        return ""
    return f"https://colab.research.google.com/github{where.path}/blob/gh-pages/docs/notebooks/{page}.ipynb"


def notebook(page: Path, address: str) -> str:
    """Return a page as a notebook, with a first cell that installs glassnet.

    Args:
        page: written in MyST, with cells.
        address: of the repository, or "".
    """
    text = INCLUDE.sub(lambda found: _included(page, *found.groups()), page.read_text("utf-8"))
    text = ADMONITION.sub(lambda found: _quoted(*found.groups()), text)
    found = read_myst_markdown_notebook(text)
    for cell in found.cells:
        if "hide-cell" in cell.metadata.pop("tags", []):  # folded in Colab, and in Jupyter
            cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
            cell.source = f"# @title The answer\n{cell.source}"
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(lambda link: _linked(page, address, *link.groups()), cell.source)
    install = INSTALL.format(wheel=f"git+{address}" if address else "")
    if STYLE in text:
        style = (page.parent / STYLE).read_text("utf-8")
        install += f'\nPath("{STYLE}").write_text("""\\\n{style}""")\n'
    found.cells.insert(0, nbformat.v4.new_code_cell(install.rstrip()))
    for number, cell in enumerate(found.cells):
        cell["id"] = f"cell-{number}"  # else drawn at random, so that no two builds are alike
    found.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.writes(nbformat.validator.normalize(found)[1])


def _included(page: Path, name: str, given: str) -> str:
    """Return the part of a source file that a page shows."""
    options = dict(re.findall(r"^:(\S+): (.*)$", given, re.MULTILINE))
    text, _ = LiteralIncludeReader(str(page.parent / name), options, Config()).read()
    return f"```python\n{text.rstrip()}\n```"


def _quoted(title: str, text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in [f"**{title}**", "", *text.strip().splitlines()])


def _linked(page: Path, address: str, words: str, target: str) -> str:
    """Return a link to another file of the repository, or where that has no address its words."""
    file, hash_, part = target.partition("#")
    place = (page.parent / file).resolve().relative_to(DOCS.parent)
    return f"[{words}]({address}/blob/main/{place}{hash_}{part})" if address else words


def _add_links(app: "Sphinx", name: str, text: list[str]) -> None:
    """Put links to its notebook below the title of a page of the tutorial."""
    folder, _, page = name.rpartition("/")
    if folder != "tutorial":
        return
    colab = colab_address(page, repository()) or "../use/colab.html"
    links = (
        f'<p class="notebook"><a href="../notebooks/{page}.ipynb" download>Download as a notebook</a> '
        f'<a href="{colab}">Open in Colab</a></p>'
    )
    text[0] = re.sub(r"^(# .+)$", rf"\1\n\n{links}", text[0], count=1, flags=re.MULTILINE)


def _write(app: "Sphinx", failed: Exception | None) -> None:
    if failed:
        return
    folder = Path(app.outdir, "notebooks")
    folder.mkdir(exist_ok=True)
    for page in sorted((DOCS / "tutorial").glob("*.md")):
        (folder / f"{page.stem}.ipynb").write_text(notebook(page, repository()), "utf-8")


def connect(app: "Sphinx") -> None:
    """Write the notebooks whenever the pages are built."""
    app.connect("source-read", _add_links)
    app.connect("build-finished", _write)
