"""Spoiled pictures go the way that `predict` goes, and every one is counted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from glassnet import Model, load_dataset, train
from glassnet.cli import main
from glassnet.corruptions import CORRUPTIONS, corrupt
from glassnet.data import Examples
from glassnet.errors import ConfigError, DataError
from glassnet.robustness import Score, evaluate_corruptions


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits):
    return train(digits, out=tmp_path_factory.mktemp("corruptions") / "run", epochs=8)


@pytest.fixture(scope="module")
def robustness(run, digits):
    return evaluate_corruptions(run.model, digits.test, most=30, seed=3)


def test_every_corruption_is_scored_at_every_strength(robustness, run, digits):
    assert list(robustness.scores) == list(CORRUPTIONS)
    assert all(len(scores) == 5 for scores in robustness.scores.values())
    assert robustness.available == len(digits.test)
    assert all(score.count == 30 for scores in robustness.scores.values() for score in scores)
    chosen = digits.test.take(np.arange(30) * len(digits.test) // 30)
    assert robustness.unprepared.right == np.sum(run.model.predict(chosen.images) == chosen.labels)
    assert robustness.clean.accuracy >= robustness.scores["rotation"][4].accuracy + 0.2


def test_spoiled_pictures_go_the_way_that_predict_goes(robustness, run, digits, tmp_path, capsys):
    chosen = digits.test.take(np.arange(30) * len(digits.test) // 30)
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path, picture in zip(paths, corrupt(chosen.images, "inversion", 3, seed=3), strict=True):
        Image.fromarray(picture).save(path)
    assert main(["predict", str(run.path), *map(str, paths), "--json"]) == 0
    said = [int(answer["label"]) for answer in json.loads(capsys.readouterr().out)]
    assert robustness.scores["inversion"][2].right == np.sum(said == chosen.labels)


def test_a_model_of_dark_digits_is_shown_dark_ones(robustness, run, digits):
    light = run.model.preprocessing  # the same inputs from dark pixels: s p + t = −s (255 − p) + (t + 255 s)
    dark = replace(light, scale=-light.scale, shift=light.shift + 255 * light.scale, dark_on_light=True)
    model = Model(run.model.networks, dark, run.model.classes)
    found = evaluate_corruptions(model, Examples(255 - digits.test.images, digits.test.labels), most=30, seed=3)
    assert found == robustness


def test_a_picture_that_predict_refuses_counts_as_wrong(run):
    blank = Examples(np.zeros((4, 8, 8), np.uint8), run.model.predict(np.zeros((4, 8, 8), np.uint8)))
    result = evaluate_corruptions(run.model, blank)
    assert result.unprepared.accuracy == 1
    assert result.clean == Score(right=0, refused=4, count=4)


def test_the_spread_is_a_binomial_standard_error():
    assert Score(right=90, refused=0, count=100).spread == pytest.approx(0.03)  # √(.9 · .1 / 100)
    assert Score(right=5, refused=0, count=5).spread == 0


def test_bad_input_is_refused(run, digits):
    with pytest.raises(ConfigError, match="most = 0"):
        evaluate_corruptions(run.model, digits.test, most=0)
    with pytest.raises(DataError, match="no images"):
        evaluate_corruptions(run.model, digits.test.take(np.arange(0)))
    with pytest.raises(DataError, match="28×28 pixels, but"):
        evaluate_corruptions(run.model, Examples(np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.int64)))
    with pytest.raises(DataError, match="has 10 classes"):
        evaluate_corruptions(run.model, Examples(digits.test.images[:2], np.array([3, 10])))


def test_json_holds_everything(robustness):
    figures = json.loads(json.dumps(robustness.to_json()))
    assert figures["count"] == 30
    blur = figures["corruptions"]["blur"]
    assert blur["unit"] == "% of the side"
    assert [level["strength"] for level in blur["levels"]] == list(CORRUPTIONS["blur"].strengths)
    assert [level["accuracy"] for level in blur["levels"]] == [s.accuracy for s in robustness.scores["blur"]]
    assert set(blur["levels"][0]) == {"strength", "accuracy", "spread", "refused"}
