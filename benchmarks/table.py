"""Write the measured figures into the documentation and the README, between the two comments that mark their place."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

from card_lines import CARD, doubt_lines, model_lines, picture_lines
from glassnet.training import Config
from machine import RESULTS, load_result, spread
from speed_lines import (
    DOCS,
    PEERS,
    Result,
    against,
    augmentation_lines,
    distance_lines,
    geometric_means,
    grid_search_lines,
    growth_lines,
    ladder_lines,
    ladder_table,
    other_throughput_lines,
    parallel_lines,
    place,
    prediction_lines,
    serving_lines,
    startup_lines,
    throughput_lines,
    with_all_threads,
)

END = "<!-- end of measured -->"

Lines = Callable[[Result], list[str]]


def trained_by(recipe: str, row: Result) -> str:
    """Return the command whose runs a row tells of."""
    given = row.get("settings", {}).items()
    settings = "".join(f" --{name.replace('_', '-')}" + f" {value}" * (value is not True) for name, value in given)
    return "glassnet train" if recipe == "small" else f"glassnet train {row['data']} --recipe {recipe}{settings}"


def accuracy_lines(result: Result) -> list[str]:
    lines = [
        "| command | test accuracy, % | training, s | all in all, s | its runs as an ensemble, % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for recipe, row in result["recipes"].items():
        figures = [spread(row[name]) for name in ("test_accuracy", "seconds", "wall_seconds")]
        figures.append(f"{row['ensemble_accuracy']:.2f} (of {row['trials']})")
        lines.append(f"| `{trained_by(recipe, row)}` | " + " | ".join(figures) + " |")
    machines = dict.fromkeys(place(row) for row in result["recipes"].values())
    trials = " or ".join(sorted({str(row["trials"]) for row in result["recipes"].values()}, reverse=True))
    lines += [
        "",
        f"Mean ± standard deviation over {trials} seeds; {'; '.join(machines)}. The best epoch is chosen on "
        "validation images, the test images are read once. With `--all-data` there are no validation images, and the "
        "model is that of the last epoch.",
    ]
    return lines


def dense_or_convolution_lines(result: Result) -> list[str]:
    """The default beside a convolutional network that is trained for as long."""
    lines = [
        "| engine | network | test accuracy, % | corrupted, % | training, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for engine, rivals in result["engines"].items():
        for name, row in rivals.items():
            network = result["layers"][name] or "`default`"
            figures = (spread(row[what]) for what in ("test_accuracy", "corrupted_accuracy", "seconds"))
            lines.append(f"| {engine} | {network} | " + " | ".join(figures) + " |")
    lines += [
        "",
        f"MNIST's 10,000 test images as they are, and at strength {result['strength']} of each corruption but "
        "inversion, as a mean, without framing; mean ± standard deviation over "
        f"{result['seeds']} seeds, in turns; {place(result)}.",
    ]
    return lines


def loading_lines(result: Result) -> list[str]:
    return [
        f"Kaggle's `train.csv` (42,000 rows) loads in {spread(result['first'])} s the first time and in "
        f"{spread(result['again'])} s from the cache ({result['trials']} trials).",
    ]


def notebook_lines(result: Result) -> list[str]:
    accuracy, speed = result["accuracy"]["notebooks"], result["speed"]["notebooks"]
    lines = [
        "| notebook | as written: test accuracy, % | cured: test accuracy, % | cured: training, s "
        "| a step as it stands there, ms | a step here, ms | faster |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for notebook, ways in accuracy.items():
        written, cured, rates = ways["as written"], ways["cured"], speed[notebook]
        figures = [spread(written["test_accuracy"]), spread(cured["test_accuracy"]), spread(cured["seconds"])]
        steps = [f"{1e3 * median(rates['seconds'][way]):.3g}" for way in ("literal", "glassnet")]
        ratios = rates["ratios"]
        figures += [*steps, f"{median(ratios):.1f} × ({min(ratios):.1f} to {max(ratios):.1f})"]
        lines.append(f"| {notebook.removeprefix('notebook-')} | " + " | ".join(figures) + " |")
    trials = len(next(iter(speed.values()))["ratios"])
    seeds = len(next(iter(accuracy.values()))["cured"]["seconds"])
    lines += [
        "",
        f"Accuracy on MNIST's 10,000 test images, mean ± standard deviation over {seeds} seeds; 000, 001 and 003 learn "
        "from as many images as Kaggle's table has. Steps: all images at once in 000 to 003, one image in 004, as "
        f"written, beside a literal transcription of the notebook's equations in float64; median of {trials} pairs of "
        f"runs that took turns, and their range. Steps were timed on {place(result['speed'])}; trainings on "
        f"{place(result['accuracy'])}. As written, 003 overflows at its first step and answers 0 to everything.",
    ]
    return lines


def notebook_convolution_lines(result: Result) -> list[str]:
    """What a small convolution adds to each notebook."""
    lines = [
        "A small convolution and a pool before the last hidden layer, in 002 and 004 in place of the first; as "
        "many steps, and the same learning rate:",
        "",
        "| notebook | layers | parameters | test accuracy, % | moved by two pixels, % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for notebook, row in result["notebooks"].items():
        recipe = Config.resolve(notebook)
        for way, layers in (("dense", "-".join(map(str, (784, *recipe.hidden, 10)))), ("convolution", row["layers"])):
            figures = row[way]
            cells = [notebook.removeprefix("notebook-"), layers, f"{figures['parameters'][0]:,}"]
            cells += [spread(figures[name]) for name in ("test_accuracy", "moved_accuracy")]
            lines.append(f"| {' | '.join(cells)} |")
    seeds = ", ".join(map(str, result["seeds"]))
    lines += [
        "",
        f"Cured recipes that learn from MNIST's first {result['images']:,} images, all at each of 500 steps, and in "
        f"004 from {result['single']:,}, one at a time. The 10,000 test images as they are and moved by "
        f"{result['moved']} pixels up or down and left or right; mean ± standard deviation over seeds {seeds}.",
    ]
    return lines


def best_recipes(result: Result) -> str:
    """A line for each of the best recipes that was measured."""
    found = {
        name: result["recipes"][name] for name in ("record", "conv", "best", "adversarial") if name in result["recipes"]
    }
    return " |\n| ".join(
        f"`{trained_by(name, one)}` | {spread(one['test_accuracy'])} % in {mean(one['seconds']):.0f} s"
        for name, one in found.items()
    )


def throughput(result: Result) -> str:
    cells = with_all_threads(result)
    ratios = {peer: [against(cell, names) for cell in cells] for peer, names in PEERS.items()}
    means = [f"{median(geometric_means(found)):.2f} × {peer}" for peer, found in ratios.items() if all(found)]
    what = f"images a second in training, geometric mean of {len(cells)} networks, batches and optimizers"
    what += f", on {result['machine']['processor'].replace('(R)', '').partition(' Processor')[0]}"
    return f"{what} | {', '.join(means)}"


def one_prediction(result: Result) -> str:
    seconds = result["counts"]["1"]["seconds"]
    compiled, ours, theirs = (1e6 * median(seconds[name]) for name in ("compiled", "glassnet", "onnxruntime"))
    return f"one prediction, 784-128-64-10 | {compiled:.3g} µs compiled, else {ours:.3g}; onnxruntime {theirs:.3g}"


def grid_search(result: Result) -> str:
    ours, theirs = (result["dtypes"]["float32"][name]["seconds"] for name in ("DigitClassifier", "MLPClassifier"))
    ratio = median(b / a for a, b in zip(ours, theirs, strict=True))
    return f"the same `GridSearchCV` in float32 | {ratio:.1f} × as fast as scikit-learn's `MLPClassifier`"


def memory(result: Result) -> str:
    most = max(result["images"], key=lambda point: point["at"])
    return f"memory to train on {most['at']:,} images | {median(most['peak']) / 2**20:.0f} MiB"


def titled(title: str, lines: Lines) -> Lines:
    return lambda result: [f"## {title}", "", *lines(result)]


BENCH: dict[str, Lines] = {
    "accuracy": titled("The recipes", accuracy_lines),
    "dense_or_convolution": titled("The default, dense or convolutional", dense_or_convolution_lines),
    "ladder": titled("Seconds to accuracy", ladder_lines),
    "throughput": titled("Training speed", throughput_lines),
    "throughput-intel": titled("Training speed on Intel", other_throughput_lines),
    "augmentation": titled("Distorting images", augmentation_lines),
    "distance": titled("How near to the machine's own speed", distance_lines),
    "prediction": titled("Predictions", prediction_lines),
    "growth": titled("Growth", growth_lines),
    "serving": titled("The server", serving_lines),
    "grid_search": titled("The estimator", grid_search_lines),
    "parallel": titled("Many machines", parallel_lines),
    "startup": titled("Starting up", startup_lines),
    "loading": titled("Loading", loading_lines),
}

# One row each of the README's table.
ROWS: dict[str, Callable[[Result], str]] = {
    "accuracy": best_recipes,
    "throughput": throughput,
    "throughput-intel": throughput,
    "prediction": one_prediction,
    "grid_search": grid_search,
    "growth": memory,
}


def measured(parts: Mapping[str, Callable[[Result], Any]]) -> list[Any]:
    """Return what the parts say of their results; a part that has not been measured yet is left out."""
    return [lines(load_result(name)) for name, lines in parts.items() if (RESULTS / f"{name}.json").exists()]


def readme_blocks() -> list[list[str]]:
    """Return what the README shows: the ladder, and a row each of a few other results."""
    rows = ["| measured | |", "| --- | --- |", *(f"| {row} |" for row in measured(ROWS))]
    return [*measured({"ladder": ladder_table}), rows]


def filled(text: str, command: str, blocks: list[list[str]]) -> str:
    """Return a page with blocks of lines between the comment that names what measures them and the next end."""
    begin = f"<!-- measured: {command} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(END)
    lines = "\n\n".join(map("\n".join, blocks))
    return f"{before}{begin}\n{lines}\n{END}{after}"


NOTEBOOKS: dict[str, Lines] = {"notebooks": notebook_lines, "notebook_convolutions": notebook_convolution_lines}

# What is measured by which command, and where it is shown.
PAGES: dict[Path, tuple[str, Callable[[], list[list[str]]]]] = {
    DOCS.parent / "README.md": ("make bench", readme_blocks),
    DOCS / "benchmarks.md": ("make bench", partial(measured, BENCH)),
    CARD: ("make model", lambda: [model_lines(), *measured({"pictures": picture_lines, "doubt": doubt_lines})]),
    DOCS / "notebooks.md": ("make notebooks", partial(measured, NOTEBOOKS)),
}


if __name__ == "__main__":
    for page, (command, blocks) in PAGES.items():
        page.write_text(filled(page.read_text("utf-8"), command, blocks()), "utf-8")
