"""The notebook of the example, its cells run on files in Kaggle's form."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from exported_models import noise
from kaggle_files import write_csv
from threadpoolctl import threadpool_limits

NOTEBOOK = Path(__file__).parents[2] / "examples" / "kaggle-digit-recognizer.ipynb"


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    install, *cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    find, _, command = install.rpartition("\n")
    assert command == "%pip install --quiet {GLASSNET}"
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_csv(Path("train.csv"), noise(400), np.arange(400) % 10)
    write_csv(Path("test.csv"), noise(28_000, seed=1) // 26)
    names: dict[str, object] = {"__name__": "__main__"}
    exec(find, names)
    assert (NOTEBOOK.parent / str(names["GLASSNET"]) / "pyproject.toml").is_file()
    with threadpool_limits(1, "blas"):
        plt.switch_backend("agg")
        for number, cell in enumerate(cells, 2):
            assert number > 2 or "\nEPOCHS = 12 " in cell
            exec(compile(cell.replace("\nEPOCHS = 12 ", "\nEPOCHS = 1 "), f"code cell {number}", "exec"), names)
        plt.close("all")
    header, *rows = Path("submission.csv").read_text().splitlines()
    assert header == "ImageId,Label"
    assert [row.split(",")[0] for row in rows] == [str(number) for number in range(1, 28_001)]
    assert {row.split(",")[1] for row in rows} <= set("0123456789")
