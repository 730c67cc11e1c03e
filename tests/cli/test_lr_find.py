import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from glassnet import load_dataset
from glassnet.cli import main
from glassnet.training import find_learning_rate


def test_it_draws_the_curve_and_says_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lr-find", "--batch-size", "32", "--plot", "figures/curve.png"]) == 0
    out, err = capsys.readouterr()
    search = find_learning_rate(load_dataset("digits"), batch_size=32)
    assert err == ""
    assert f"suggested  --learning-rate {search.suggestion:.2g}, where 85 % of the fall is done" in out
    assert f"largest    {search.largest:.2g}, half of where the loss rises again" in out
    assert max(map(len, out.splitlines())) <= 80
    (axis,) = (line for line in out.splitlines() if "└" in line)
    assert 0 < axis.index("S") < axis.index("L")
    columns, place = len(axis) - axis.index("└") - 1, axis.index("S") - axis.index("└") - 1
    assert search.suggestion is not None
    span = np.log(search.rates[[0, -1]])
    assert place == pytest.approx((columns - 1) * (np.log(search.suggestion) - span[0]) / (span[1] - span[0]), abs=1)
    assert matplotlib.image.imread(tmp_path / "figures" / "curve.png").shape[1] > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_json_is_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lr-find", "digits", "--optimizer", "sgd", "--hidden", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    search = find_learning_rate(load_dataset("digits"), optimizer="sgd", hidden=[20])
    assert found == {
        "suggestion": search.suggestion,
        "largest": search.largest,
        "diverged": search.diverged,
        "rates": search.rates.tolist(),
        "losses": search.losses.tolist(),
        "smoothed": search.smoothed.tolist(),
    }


def test_a_network_that_does_not_learn_gets_no_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    # So short a gradient moves nothing with any rate.
    assert main(["lr-find", "--optimizer", "sgd", "--clip-norm", "1e-9"]) == 0
    out = capsys.readouterr().out
    assert "suggested  none: the loss did not fall at any rate" in out
    assert "largest    unknown: the loss did not rise at any rate up to 10" in out
    assert "S suggested" not in out
