"""Write the measured figures into the README and the documentation, between the two comments that mark their place."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

from machine import RESULTS, load_result, spread
from speed_lines import (
    ROOT,
    Result,
    distance_lines,
    grid_search_lines,
    growth_lines,
    ladder_lines,
    parallel_lines,
    prediction_lines,
    serving_lines,
    startup_lines,
    throughput_lines,
)

END = "<!-- end of measured -->"


def accuracy_lines(result: Result) -> list[str]:
    lines = ["| command | test accuracy, % | training, s | all in all, s |", "| --- | --- | --- | --- |"]
    for recipe, row in result["recipes"].items():
        command = "glassnet train" if recipe == "small" else f"glassnet train {row['data']} --recipe {recipe}"
        figures = (spread(row[name]) for name in ("test_accuracy", "seconds", "wall_seconds"))
        lines.append(f"| `{command}` | " + " | ".join(figures) + " |")
    machine = result["machine"]
    trials = " or ".join(sorted({str(row["trials"]) for row in result["recipes"].values()}, reverse=True))
    lines += [
        "",
        f"Mean ± standard deviation over {trials} seeds; {machine['processor']}, {machine['cores']} cores, "
        f"Python {machine['python']}, NumPy {machine['numpy']}. The best epoch is chosen on validation images, the "
        "test images are read once.",
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
        "| a step as it stands there, ms | a step here, ms | quicker |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for notebook, ways in accuracy.items():
        written, cured, rates = ways["as written"], ways["cured"], speed[notebook]
        figures = [spread(written["test_accuracy"]), spread(cured["test_accuracy"]), spread(cured["seconds"])]
        steps = [f"{1e3 * median(rates['seconds'][way]):.3g}" for way in ("literal", "glassnet")]
        ratios = rates["ratios"]
        figures += [*steps, f"{median(ratios):.1f} × ({min(ratios):.1f} to {max(ratios):.1f})"]
        lines.append(f"| {notebook.removeprefix('notebook-')} | " + " | ".join(figures) + " |")
    machine, trials = result["speed"]["machine"], len(next(iter(speed.values()))["ratios"])
    seeds = len(next(iter(accuracy.values()))["cured"]["seconds"])
    lines += [
        "",
        f"Accuracy on MNIST's 10,000 test images, mean ± standard deviation over {seeds} seeds; 000, 001 and 003 learn "
        "from as many images as Kaggle's table has. Steps: all images at once in 000 to 003, one image in 004, as "
        f"written, beside a literal transcription of the notebook's equations in float64; median of {trials} pairs of "
        f"runs that took turns, and their range; {machine['processor']}, {machine['cores']} cores, NumPy "
        f"{machine['numpy']}. As written, 003 overflows at its first step and answers 0 to everything.",
    ]
    return lines


BENCH: dict[str, Callable[[Result], list[str]]] = {
    "accuracy": accuracy_lines,
    "ladder": ladder_lines,
    "throughput": throughput_lines,
    "distance": distance_lines,
    "prediction": prediction_lines,
    "growth": growth_lines,
    "serving": serving_lines,
    "grid_search": grid_search_lines,
    "parallel": parallel_lines,
    "startup": startup_lines,
    "loading": loading_lines,
}


def write(path: Path, command: str, parts: dict[str, Callable[[Result], list[str]]]) -> None:
    """Put what is measured between the comment that names the command that measures it and the next end.

    A part that has not been measured yet is left out.
    """
    measured = [lines(load_result(name)) for name, lines in parts.items() if (RESULTS / f"{name}.json").exists()]
    begin = f"<!-- measured: {command} -->"
    before, _, rest = path.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(END)
    text = "\n\n".join("\n".join(lines) for lines in measured)
    path.write_text(f"{before}{begin}\n{text}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    write(ROOT / "README.md", "make bench", BENCH)
    for page in ("README.md", "docs/notebooks.md"):
        write(ROOT / page, "make notebooks", {"notebooks": notebook_lines})
