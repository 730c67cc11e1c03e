"""``glassnet evaluate``: accuracy, calibration and robustness of a model."""

import textwrap
from pathlib import Path

from ..corruptions import CORRUPTIONS
from ..data import Dataset, load_dataset
from ..errors import ConfigError, DataError
from ..evaluation import Evaluation, examples_for
from ..evaluation import evaluate as evaluate_model
from ..model import Model
from ..robustness import Robustness, Score, evaluate_corruptions
from ..training import Run, open_model
from ..training.folder import CONFIG
from .chart import draw_reliability
from .flags import Source
from .output import percent, print_facts, print_json, print_table, printable, require_png, say, shortened, write_figure

__all__ = ["evaluate"]


def evaluate(
    model: Path | None = None,
    data: Source | None = None,
    /,
    *,
    shifts: int = 0,
    first: int | None = None,
    corruptions: bool = False,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Evaluate a model on images that it was not trained on.

    Parameters
    ----------
    model
        Run folder or model file. Default: the bundled model.
    data
        Test data, as for `glassnet train`. Default: the test images of the data that the model was trained on.
    shifts
        Test-time augmentation: average over each image shifted by up to this many pixels in every direction, 0 to 3.
    first
        Print the first N predictions next to the true labels instead.
    corruptions
        Measure robustness instead: accuracy on images that are shifted, rotated, scaled, thinned, thickened, blurred,
        noisy, inverted or partly hidden. Takes a minute or two.
    plot
        Write the reliability diagram to this PNG file.
    json
        Print the metrics as JSON: accuracy, loss, per_class, confusion, calibration_error, reliability.
    """
    if corruptions + (first is not None) + (plot is not None) > 1:
        raise ConfigError("--first, --corruptions and --plot: give only one of them")
    if corruptions and shifts:
        raise ConfigError("--corruptions and --shifts: give only one of them")
    require_png(plot)
    note = ""
    if model is not None and data is None and not _is_model(model):
        model, data, note = None, str(model), "; it is not a run folder or a model file either"
    trained = open_model(model)
    examples = examples_for(trained, _load(trained, data, note))
    if corruptions:
        _print_corruptions(evaluate_corruptions(trained, examples, announce=_announce), json)
        return
    evaluation = evaluate_model(trained, examples, shifts)
    if first is not None:
        _print_first(evaluation, first, json)
        return
    if plot is not None:
        from ..plots import calibration

        write_figure(calibration(evaluation), plot)
    if json:
        print_json(evaluation.to_json())
        return
    if model is None:
        print_facts({"model": "bundled with glassnet"})
    elif model.is_dir() and (planted := Run(model).config.mistakes):
        print_facts({"planted mistakes": ", ".join(planted)})
    _print_figures(evaluation)
    if plot is not None:
        print(f"\n{plot}    the reliability diagram")


def _is_model(path: Path) -> bool:
    """Whether a single argument is a model; otherwise it is data for the bundled model."""
    return path.suffix == ".safetensors" or (path / CONFIG).exists()


def _load(model: Model, data: str | None, note: str) -> Dataset:
    source = data or model.trained_on
    if not source:
        raise DataError("this model was trained on arrays in memory; name the data to evaluate it on")
    try:
        return load_dataset(source, classes=model.classes)
    except DataError as error:
        raise DataError(f"{error}{note}") from error


def _announce(name: str) -> None:
    say(f"{1 + list(CORRUPTIONS).index(name)} of {len(CORRUPTIONS)}: {name}")


def _print_figures(evaluation: Evaluation) -> None:
    print_facts(
        {
            "images": f"{len(evaluation.labels):,}",
            "accuracy": percent(evaluation.accuracy),
            "loss": f"{evaluation.loss:.4f} nats",
            "calibration error": percent(evaluation.calibration_error),
        }
    )
    print()
    print_table(
        ["class", "images", "precision", "recall", "F1"],
        [
            [shortened(name), c.count, percent(c.precision), percent(c.recall), percent(c.f1)]
            for name, c in evaluation.per_class.items()
        ],
    )
    confused = evaluation.most_confused(3)
    if confused:
        pairs = ", ".join(f"{shortened(true)} as {shortened(said)} ({n})" for true, said, n in confused)
        print("\n" + textwrap.fill(printable(f"most often confused: {pairs}"), 80))
    print(f"\n{draw_reliability(evaluation.reliability())}")
    print("bar: accuracy; |: mean confidence, where the bar of a calibrated model ends")


def _print_first(evaluation: Evaluation, count: int, json: bool) -> None:
    """Print predictions above the true labels, as many as fit on a line of 80, the wrong ones marked."""
    if count < 1:
        raise DataError(f"--first {count}: must be at least 1")
    pairs = [
        (evaluation.classes[said], evaluation.classes[true])
        for said, true in zip(evaluation.predictions[:count].tolist(), evaluation.labels[:count].tolist(), strict=True)
    ]
    if json:
        print_json([{"predicted": said, "true": true} for said, true in pairs])
        return
    width = max(len(shortened(name)) for pair in pairs for name in pair) + 1
    across = max((80 - 9) // width, 1)
    for start in range(0, len(pairs), across):
        part = pairs[start : start + across]
        marks = [(shortened(said), shortened(true), "" if said == true else "^") for said, true in part]
        for name, words in zip(("predicted", "true", "wrong"), zip(*marks, strict=True), strict=True):
            print(printable(f"{name:<9}" + "".join(f"{word:>{width}}" for word in words)).rstrip())
        print()
    print(f"{sum(said != true for said, true in pairs)} of {len(pairs):,} wrong")


def _print_corruptions(robustness: Robustness, json: bool) -> None:
    if json:
        print_json(robustness.to_json())
        return
    clean, all_scores = robustness.clean, [score for scores in robustness.scores.values() for score in scores]
    chosen = "" if clean.count == robustness.available else f", evenly sampled from {robustness.available:,}"
    print_facts(
        {
            "images": f"{clean.count:,}{chosen}",
            "accuracy": _with_spread(robustness.unprepared),
            "preprocessed as by predict": _with_spread(clean),
        }
    )
    print("\naccuracy (%) by severity, from mild (1) to severe (5), preprocessed likewise:\n")
    print_table(
        ["corruption", *"12345", "strengths"],
        [
            [name, *(f"{100 * score.accuracy:.1f}" for score in scores), _strengths(name)]
            for name, scores in robustness.scores.items()
        ],
    )
    print(f"\nStandard errors are at most {100 * max(score.spread for score in all_scores):.1f}.")
    if refused := sum(score.refused for score in all_scores):
        print(f"In {refused:,} of {clean.count * len(all_scores):,} images no digit was found; they count as wrong.")


def _with_spread(score: Score) -> str:
    return f"{percent(score.accuracy)} ± {100 * score.spread:.2f}"


def _strengths(name: str) -> str:
    return " ".join(f"{strength:g}" for strength in CORRUPTIONS[name].strengths) + f" {CORRUPTIONS[name].unit}"
