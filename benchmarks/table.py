"""Write the measured figures into the README, between the two comments that mark their place."""

from pathlib import Path
from statistics import median

from machine import load_result, spread

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- measured: make bench -->", "<!-- end of measured -->"


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


if __name__ == "__main__":
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join([*accuracy_lines(), "", *throughput_lines(), "", *loading_lines()])
    README.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", "utf-8")
