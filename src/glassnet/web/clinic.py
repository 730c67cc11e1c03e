"""The clinic on the page: what each mistake is, the two runs that show what it costs, and their true accuracy."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from ..clinic import MISTAKES
from ..errors import FileError
from ..evaluation import evaluate, examples_for
from ..study.compare import BASE, pair
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
    """Return what each mistake says of itself, and the settings in which it shows."""
    return [
        {word: getattr(mistake, word) for word in WORDS} | {"settings": pair(name, {"seed": 0})[1]}
        for name, mistake in MISTAKES.items()
    ]


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
def truth(run: str, store: TheStore, last: bool = False) -> dict[str, Any]:
    """Return how many of its data's test images a run recognises, which neither trained nor selected its model.

    The accuracy is None where a mistake broke the run before there was a model to keep. With ``last`` it is that of the
    last snapshot, if there is one, and not of the best epoch: a mistake that came later has done its work by then.
    """
    named = store.run(run)
    steps = named.snapshots if last else []
    try:
        model = named.model_at(steps[-1]) if steps else named.model
    except FileError:
        if not named.broken:
            raise
        return {"accuracy": None, "images": len(store.dataset(named).test)}
    judged = examples_for(model, store.dataset(named))
    return {"accuracy": evaluate(model, judged).accuracy, "images": len(judged), "last": bool(steps)}
