"""Write the measured figures into the README and the documentation, between the two comments that mark their place."""

from pathlib import Path
from statistics import median

from machine import load_result, spread

ROOT = Path(__file__).parent.parent
END = "<!-- end of measured -->"


def accuracy_lines() -> list[str]:
    result = load_result("accuracy")
    lines = ["| command | test accuracy, % | training, s | all in all, s |", "| --- | --- | --- | --- |"]
    for recipe, row in result["recipes"].items():
        command = "glassnet train" if recipe == "small" else f"glassnet train {row['data']} --recipe {recipe}"
        figures = (spread(row[name]) for name in ("test_accuracy", "seconds", "wall_seconds"))
        lines.append(f"| `{command}` | " + " | ".join(figures) + " |")
    machine = result["machine"]
    trials = next(iter(result["recipes"].values()))["trials"]
    lines += [
        "",
        f"Mean ± standard deviation over {trials} seeds; {machine['processor']}, {machine['cores']} cores, "
        f"Python {machine['python']}, NumPy {machine['numpy']}. The best epoch is chosen on validation images, the "
        "test images are read once.",
    ]
    return lines


def throughput_lines() -> list[str]:
    result = load_result("throughput")
    seconds, peer, ratios = result["seconds"], result["peer"], result["ratios"]
    threads = peer.partition("-")[2]
    return [
        f"An epoch of 60,000 images through 784-128-64-10 (batch 128, Adam, float32) takes "
        f"{median(seconds['glassnet']):.2f} s here and {median(seconds[peer]):.2f} s in PyTorch "
        f"{result['machine']['torch']} (eager, {threads} thread{'s' if threads != '1' else ''}, its quicker setting): "
        f"**{median(ratios):.2f} × as fast**, median of {result['trials']} pairs of runs that took turns, "
        f"from {min(ratios):.2f} to {max(ratios):.2f}.",
    ]


def loading_lines() -> list[str]:
    result = load_result("loading")
    return [
        f"Kaggle's `train.csv` (42,000 rows) loads in {spread(result['first'])} s the first time and in "
        f"{spread(result['again'])} s from the cache ({result['trials']} trials).",
    ]


def notebook_lines() -> list[str]:
    result = load_result("notebooks")
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


def write(path: Path, command: str, lines: list[str]) -> None:
    """Put lines between the comment that names the command that measures them and the next end."""
    begin = f"<!-- measured: {command} -->"
    before, _, rest = path.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{END}{after}", "utf-8")


if __name__ == "__main__":
    write(ROOT / "README.md", "make bench", [*accuracy_lines(), "", *throughput_lines(), "", *loading_lines()])
    for page in ("README.md", "docs/notebooks.md"):
        write(ROOT / page, "make notebooks", notebook_lines())
