"""The tutorial as notebooks: what Colab opens, run by a real kernel in an environment that lacks glassnet."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import glassnet

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
ADDRESS = "https://github.com/owner/name"

sys.path.insert(0, str(ROOT / "docs"))
from colab import colab_address, notebook, repository  # noqa: E402


def source(text: str, kind: str) -> str:
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == kind)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_a_notebook(page: Path) -> None:
    text = notebook(page, "")
    nbformat.validate(nbformat.reads(text, 4))
    assert text == notebook(page, "")
    words = source(text, "markdown")
    assert ":::" not in words
    assert "```{" not in words
    assert "](" not in words.replace("](https://", "").replace("](#", "")
    code = source(text, "code")
    assert 'WHEEL = ""\n' in code
    assert code.count("\n") > page.read_text().count("{code-cell}")


def test_the_repositorys_address_is_all_that_colab_needs() -> None:
    page = ROOT / "docs/tutorial/02-a-layer.md"
    text = notebook(page, ADDRESS)
    assert f'WHEEL = "git+{ADDRESS}"' in source(text, "code")
    assert f"]({ADDRESS}/blob/main/docs/tutorial/03-softmax-and-cross-entropy.md)" in source(text, "markdown")
    assert f"[`nn/layers.py`]({ADDRESS}/blob/main/src/glassnet/nn/layers.py)" in source(text, "markdown")
    assert "def forward(self, X: Array" in source(text, "markdown")  # what the page includes from the source
    assert colab_address("02-a-layer", ADDRESS) == (
        "https://colab.research.google.com/github/owner/name/blob/gh-pages/docs/notebooks/02-a-layer.ipynb"
    )
    assert colab_address("02-a-layer", "") == colab_address("02-a-layer", "https://example.org/name") == ""
    assert repository() == "" or repository().startswith("https://")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a kernel, in an environment with all that glassnet needs, without glassnet and `google`."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", symlinks=True)
    packages = Path(find_spec("numpy").origin).parents[1]
    needed = folder / "needed"
    needed.mkdir()
    for item in packages.iterdir():
        if "glassnet" not in item.name and item.suffix != ".pth" and item.name not in ("__pycache__", "google"):
            (needed / item.name).symlink_to(item)
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    (site / "needed.pth").write_text(str(needed))
    python = str(folder / "venv/bin/python")
    assert subprocess.run([python, "-c", "import glassnet"], check=False, capture_output=True, env={}).returncode
    spec = folder / "jupyter/kernels/empty"
    spec.mkdir(parents=True)
    start = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    environment = {"PYTHONPATH": "", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    (spec / "kernel.json").write_text(
        json.dumps({"argv": start, "display_name": "empty", "language": "python", "env": environment})
    )
    return folder


def wheel(folder: Path) -> Path:
    """Return the wheel as `make wheel` builds it: the package, its metadata, and no more."""
    name = f"glassnet-{glassnet.__version__}"
    facts = f"{name}.dist-info"
    path = folder / f"{name}-py3-none-any.whl"
    package = ROOT / "src"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((package / "glassnet").rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(package))
        archive.writestr(f"{facts}/METADATA", distribution("glassnet").read_text("METADATA"))
        archive.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{facts}/RECORD", "")
    return path


def run(text: str, kernel: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    monkeypatch.setenv("JUPYTER_PATH", os.pathsep.join([str(kernel / "jupyter")]))
    found = nbformat.reads(text, 4)
    NotebookClient(found, timeout=120, kernel_name="empty", resources={"metadata": {"path": str(folder)}}).execute()
    return found


def test_it_runs_where_glassnet_is_missing(kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs/tutorial/01-one-neuron.md"
    with pytest.raises(CellExecutionError, match=r"AssertionError\S*: no glassnet-….whl in this folder: put it here"):
        run(notebook(page, ""), kernel, tmp_path, monkeypatch)
    wheel(tmp_path)
    where = "import glassnet\nprint(glassnet.__file__)"
    text = json.loads(notebook(page, ""))
    text["cells"].append(nbformat.v4.new_code_cell(where))
    done = run(json.dumps(text), kernel, tmp_path, monkeypatch)
    assert str(kernel / "venv") in done.cells[-1].outputs[0].text
    pictures = [
        output for cell in done.cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 2
