"""The benchmarks' own arithmetic. What they measure is no matter for tests."""

import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import prediction
import table
from distance import operations
from speed_lines import against, grid_search_lines, other_throughput_lines, throughput_lines
from workers import Contest, Repeat

CELL = {"threads": 2, "hidden": [128, 64], "batch": 128, "optimizer": "adam", "missing": {"compiled": "no compiler"}}
RATES = {"glassnet": [30.0, 20.0], "eager": [10.0, 10.0], "fused": [15.0, 16.0], "bf16": [90.0, 90.0]}


def sleeping(seconds: float, what: str) -> Repeat:
    """A contender that takes so long for each repetition, and cannot do the task "hard" quickly."""
    if what == "hard" and seconds < 0.01:
        raise RuntimeError("too hard\nand more that nobody needs")

    def repeat(times: int) -> None:
        time.sleep(seconds * times)

    return repeat


def test_contenders_are_timed_and_those_that_fail_are_named() -> None:
    contest = Contest({"slow": partial(sleeping, 0.02), "quick": partial(sleeping, 0.002)})
    easy, hard = contest.run(("easy",), 3, 0.1), contest.run(("hard",), 2, 0.01)
    contest.close()
    assert easy["missing"] == {}
    assert [len(easy["seconds"][name]) for name in ("slow", "quick")] == [3, 3]
    assert min(easy["seconds"]["slow"]) >= 0.02
    assert 0.002 <= min(easy["seconds"]["quick"]) < 0.05  # of one repetition, out of some fifty
    assert list(hard["seconds"]) == ["slow"]
    assert hard["missing"] == {"quick": "RuntimeError: too hard"}


def test_the_quickest_peer_counts() -> None:
    cell = CELL | {"rates": RATES}
    assert against(cell, ["eager", "fused", "compiled"]) == [2.0, 1.25]
    assert against(cell, ["compiled"]) == []


def test_the_throughput_in_words() -> None:
    machine = {"processor": "P", "cores": 2, "numpy": "2", "torch": "2", "scikit-learn": "1"}
    cells = [CELL | {"rates": RATES}, CELL | {"batch": 512, "rates": {name: [10.0, 10.0] for name in RATES}}]
    cells.append(CELL | {"threads": 1, "rates": {name: [10.0, 10.0] for name in RATES}})  # which has a mean of its own
    text = "\n".join(throughput_lines({"machine": machine, "threads": 2, "trials": 2, "cells": cells}))
    assert "| 784-128-64-10 | 2.50 / 1.62 / – | 1.00 / 1.00 / – |" in text
    assert "PyTorch eager: **1.57 ×** as geometric mean of 2 cells (1.41 to 1.73 from trial to trial)" in text
    assert "least 1.00 × (784-128-64-10, batch 512, Adam)" in text
    assert "compiled (no compiler)" in text
    few = {"machine": machine, "threads": 2, "trials": 2, "cells": cells}
    mean, alone = "\n".join(other_throughput_lines(few)).split("With one thread for all")
    assert "PyTorch's fastest: **1.27 ×** as geometric mean of 2 cells" in mean
    assert "PyTorch's fastest: **1.00 ×** as geometric mean of 1 cells" in alone


def test_the_grid_search_in_words() -> None:
    ours, theirs = {"seconds": [1.0, 2.0, 2.0], "accuracy": [0.9, 0.92, 0.94]}, {"seconds": [3.0, 4.0, 8.0]}
    machine = {"processor": "P", "cores": 2, "numpy": "2", "scikit-learn": "1"}
    settings = {"candidates": 6, "folds": 3, "epochs": 20, "trials": 3, "machine": machine}
    runs = {"DigitClassifier": ours, "MLPClassifier": theirs | {"accuracy": [0.9, 0.9, 0.9]}}
    text = "\n".join(grid_search_lines({"dtypes": {"float32": runs}} | settings))
    assert "| float32 | 2.00 | 4.00 | 3.0 × (2.0 to 4.0) | 92.00 ± 2.00 | 90.00 ± 0.00 |" in text
    assert "6 candidates, 3 folds, 20 epochs" in text


def test_operations_of_a_step() -> None:
    # 784-10-10, one image: X W 784·10 and A V 10·10; Xᵀ dZ and Aᵀ dZ as many; dZ Vᵀ 10·10; each an addition too.
    assert operations((10,), 1) == 2 * (2 * 7_840 + 3 * 100)


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_glassnet_and_plain_numpy_predict_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    monkeypatch.setattr(prediction, "images", lambda count: images[:count])
    np.testing.assert_allclose(prediction.with_glassnet(20)(), prediction.with_numpy(20)(), atol=1e-5)


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_a_contender_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    monkeypatch.setattr(prediction, "images", lambda count: images[:count])
    monkeypatch.setitem(prediction.PREDICTION, "wrong", lambda count: lambda: np.zeros((count, 10), np.float32))
    with pytest.raises(RuntimeError, match="others than NumPy's"):
        prediction.prepared("wrong", 20)


def test_what_is_not_measured_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    page = "before\n<!-- measured: make bench -->\nold\n<!-- end of measured -->\nafter\n"
    without = "before\n<!-- measured: make bench -->\n\n<!-- end of measured -->\nafter\n"
    assert table.filled(page, "make bench", table.measured(table.BENCH)) == without


@pytest.mark.parametrize("page", table.PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_was_measured(page: Path) -> None:
    text, (command, blocks) = page.read_text("utf-8"), table.PAGES[page]
    assert len(blocks()) > 0
    assert table.filled(text, command, blocks()) == text
