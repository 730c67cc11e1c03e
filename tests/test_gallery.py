"""The small curves of the mistakes: measured ones, of every mistake, and the symptom that they show."""

import math

import pytest

from glassnet import load_dataset
from glassnet.clinic import MISTAKES
from glassnet.study import study
from glassnet.study.gallery import SYMPTOMS, gallery, symptom


def test_every_mistake_has_its_curves() -> None:
    assert list(gallery()) == list(MISTAKES)
    for facts in gallery().values():
        assert set(facts["curves"]) == {"planted", "reported", "cured"}
        for points in facts["curves"].values():
            assert len(points) > 3
            assert [step for step, _ in points] == sorted({step for step, _ in points})
            assert all(0 <= share <= 1 for _, share in points)
    assert {facts["group"] for facts in gallery().values()} == set(SYMPTOMS.values())


@pytest.mark.parametrize("name", ["equal-weights", "softmax-without-maximum", "training-accuracy-reported"])
def test_the_curves_are_what_a_study_measures(name: str) -> None:
    found = study(name, load_dataset("digits"), seeds=[0])
    course, facts = found.planted[0], gallery()[name]
    assert facts["broken"] is (course.broken is not None)
    true = {point.step: point.true for point in course.points}
    both = [(share, true[step]) for step, share in facts["curves"]["planted"] if step in true]
    assert len(both) > 3  # another processor rounds otherwise, and a run may break down some steps sooner or later
    assert all(math.isclose(share, again, abs_tol=0.05) for share, again in both[:4])
    assert math.isclose(facts["curves"]["planted"][-1][1], course.points[-1].true, abs_tol=0.05)


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"broken": True, "reported": 0.1, "planted": 0.1, "cured": 0.9}, "breaks"),
        ({"broken": False, "reported": 0.9, "planted": 0.2, "cured": 0.9}, "stuck"),
        ({"broken": False, "reported": 0.9, "planted": 0.8, "cured": 0.9}, "flatters"),
        ({"broken": False, "reported": 0.8, "planted": 0.8, "cured": 0.9}, "worse"),
        ({"broken": False, "reported": 0.9, "planted": 0.89, "cured": 0.9}, "hidden"),
    ],
)
def test_the_symptom_follows_from_the_figures(facts: dict[str, float], shown: str) -> None:
    assert symptom(facts) == shown
