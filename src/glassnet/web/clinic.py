"""The clinic on the page: what each mistake is, the two runs that show what it costs, and their true accuracy."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from ..clinic import MISTAKES
from ..errors import FileError
from ..evaluation import evaluate, examples_for
from ..study.gallery import gallery
from ..study.pairs import BASE, circumstances, pair
from ..study.quiz import quiz_round
from .dependencies import TheStore
from .questions import Question, SettingsByName, typed

__all__ = ["router"]

DATA = "digits"  # so small that both runs are done while a person looks on
WORDS = ("name", "summary", "wrong", "right", "effect", "symptom", "check", "tutorial", "from_the_start")


class Pair(Question):
    """Which mistake, and the settings of both runs."""

    mistake: str
    settings: SettingsByName = Field(default={})
    mistakes_from: int | None = None


# The runs themselves are started and watched as any others.
router = APIRouter()


@router.get("/api/mistakes")
def mistakes() -> list[dict[str, Any]]:
    """Return what each mistake says of itself, the settings in which it shows, and what was measured there."""
    return [
        {word: getattr(MISTAKES[name], word) for word in WORDS}
        | {"settings": settings | {"seed": 0}, "measured": gallery().get(name)}
        for name, settings in circumstances().items()
    ]


@router.get("/api/clinic/round")
def quiz(number: int | None = None) -> dict[str, Any]:
    """Return a round of the quiz: its ``number``, its mistake ``right``, and the ``choices``; without a number any."""
    return quiz_round(number)._asdict()


@router.post("/api/clinic/pair")
def both(asked: Pair) -> dict[str, dict[str, Any]]:
    """Return what to ask of ``POST /api/runs`` for the run with the mistake, and for the cured one."""
    planted, cured = pair(asked.mistake[:80], typed(asked.settings))
    common = {"data": DATA, "recipe": BASE}
    later = asked.mistakes_from
    return {
        # A mistake that is switched on later changes the settings then.
        "planted": common
        | {"settings": cured if later else planted, "mistakes": [asked.mistake], "mistakes_from": later},
        "cured": common | {"settings": cured, "mistakes": []},
    }


@router.get("/api/clinic/truth")
def truth(run: str, store: TheStore) -> dict[str, Any]:
    """Return how many of its data's test images a run recognises at its end, which it neither trained on nor chose by.

    A run that a mistake broke has only the model that it kept before; where there is none, the accuracy is None.
    """
    named = store.run(run)
    try:
        # The last snapshot has the preprocessing of its own time, which a mistake may have changed.
        kept = [] if named.broken else named.snapshots
        model = named.model_at(kept[-1]) if kept else named.model
    except FileError:
        if not named.broken:
            raise
        return {"accuracy": None, "images": len(store.dataset(named).test)}
    judged = examples_for(model, store.dataset(named))
    return {"accuracy": evaluate(model, judged).accuracy, "images": len(judged)}
