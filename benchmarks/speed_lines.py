"""The lines of docs/benchmarks.md that say how quick glassnet is and how it grows, from what was measured."""

from collections.abc import Collection, Sequence
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

from contenders import BFLOAT16, FLOAT32, MIXED, NUMPY
from machine import spread

DOCS = Path(__file__).parent.parent / "docs"
FIGURE, LADDER = "throughput.png", "ladder.png"  # in DOCS, beside the page that shows them
PEERS = {"PyTorch eager": ("eager",), "PyTorch's fastest": FLOAT32, "scikit-learn": ("scikit-learn",)}
ALL = PEERS | {"its own NumPy engine": (NUMPY,)}
RULES = {"adam": "Adam", "momentum": "SGD with momentum"}

Result = dict[str, Any]


def with_all_threads(result: Result) -> list[Result]:
    """Return the cells of the throughput where all contenders had all threads."""
    return [cell for cell in result["cells"] if cell["threads"] == result["threads"]]


def throughput_lines(result: Result) -> list[str]:
    machine, cells = result["machine"], with_all_threads(result)
    alone = [cell for cell in result["cells"] if cell not in cells]
    lines = [
        f"Training in float32: images a second as a multiple of {' / '.join(PEERS)}, over batch sizes.",
        *([f"\n![Images a second, every contender]({FIGURE})"] if (DOCS / FIGURE).exists() else []),
    ]
    for rule, name in RULES.items():
        grid = {(net_name(cell), cell["batch"]): cell for cell in cells if cell["optimizer"] == rule}
        lines += ["", *table(name, grid, lambda cell: " / ".join(_ratio(cell, names) for names in PEERS.values()))]
    lines += ["", *(_mean_line(peer, names, cells) for peer, names in ALL.items())]
    lines += [*_bfloat16_lines([cell for cell in cells if cell["batch"] >= 128]), *_one_thread_lines(alone)]
    reasons = {f"{peer} ({why})" for cell in cells for peer, why in cell["missing"].items()}
    lines += [f"- Not everywhere to be had here: {', '.join(sorted(reasons))}."] * bool(reasons)
    return [
        *lines,
        "",
        f"{place(result)}, {result['threads']} threads for all; glassnet's compiled engine; PyTorch "
        f"{machine['torch']}, scikit-learn {machine['scikit-learn']}; in each cell all took turns, {result['trials']} "
        "trials each, medians. PyTorch's fastest is the best of eager, its fused optimizer (with all threads, and "
        f"with one) and `torch.compile`; {_of_bf16(cells)}.",
    ]


def other_throughput_lines(result: Result) -> list[str]:
    """The same on another processor, as means alone."""
    cells = with_all_threads(result)
    alone = [cell for cell in result["cells"] if cell not in cells]
    peers = {peer: names for peer, names in ALL.items() if peer != "scikit-learn"}
    return [
        "In float32 on an Intel processor, where glassnet multiplies by MKL as PyTorch does, as a multiple of",
        "",
        *(_mean_line(peer, names, cells) for peer, names in peers.items()),
        *_one_thread_lines(alone, peers),
        "",
        f"{place(result)}, {result['threads']} threads for all; PyTorch {result['machine']['torch']}; "
        f"{result['trials']} trials each, in turns, medians. `make bench` leaves this section as it is.",
    ]


def augmentation_lines(result: Result) -> list[str]:
    """What it costs to distort an image."""
    seconds, amounts = result["seconds"], result["augmentation"]
    names = {
        "glassnet": "glassnet",
        NUMPY: NUMPY,
        "opencv": "OpenCV",
        "opencv, remap alone": "OpenCV, its `remap` alone",
        "scipy": "SciPy",
        "training step": "to compare: a training step of 784-1024-1024-10 in NumPy",
    }
    lines = ["| | µs an image | × glassnet |", "| --- | --- | --- |"]
    for key, name in names.items():
        ratio = median(a / b for a, b in zip(seconds[key], seconds["glassnet"], strict=True))
        lines.append(f"| {name} | {_times(seconds[key], 1e6)} | {ratio:.1f} |")
    given = ", ".join(f"{name} {amount:g}" for name, amount in amounts.items() if amount and name != "smoothness")
    return [
        *lines,
        "",
        f"Images of 28×28 pixels, {result['batch']} at a time, with one thread: {given}. Median and range of "
        f"{result['trials']} trials that took turns; {place(result)}, SciPy {result['machine']['scipy']}, OpenCV "
        f"{result['machine']['opencv-python-headless']}.",
    ]


def _of_bf16(cells: list[Result]) -> str:
    """Say what becomes of PyTorch's modes in other arithmetic."""
    if all(BFLOAT16 in cell["rates"] for cell in cells):
        return "of any arithmetic, bf16 autocast counts as well, eager and compiled"
    return "bf16 autocast, in the figure, is other arithmetic and not counted"


def _bfloat16_lines(cells: list[Result]) -> list[str]:
    """What bfloat16 brings, where it was measured."""
    if not all(BFLOAT16 in cell["rates"] for cell in cells):
        return []
    peers = {"PyTorch's fastest of any arithmetic": FLOAT32 + MIXED, "glassnet in float32": ("glassnet",)}
    lines = [_mean_line(peer, names, cells, BFLOAT16) for peer, names in peers.items()]
    return ["", "In bfloat16, batches from 128, as a multiple of", "", *lines]


def _one_thread_lines(cells: list[Result], peers: dict[str, tuple[str, ...]] = ALL) -> list[str]:
    """The same where all have one thread, where that was measured."""
    lines = [_mean_line(peer, names, cells) for peer, names in peers.items()] if cells else []
    return ["", "With one thread for all, as a multiple of", "", *lines] if lines else []


def ladder_lines(result: Result) -> list[str]:
    return [
        "The same recipe in glassnet and in PyTorch.",
        *([f"\n![Test accuracy against seconds of training]({LADDER})"] if (DOCS / LADDER).exists() else []),
        "",
        *ladder_table(result),
    ]


def ladder_table(result: Result) -> list[str]:
    machine = result["machine"]
    lines = [
        "| recipe | glassnet: test accuracy, % | s | PyTorch: test accuracy, % | s | PyTorch / glassnet, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for rung in result["rungs"].values():
        cells = [recipe_name(rung["settings"])]
        for rows in rung["runs"].values():
            cells += [spread([100 * row["accuracy"] for row in rows]), f"{median(row['seconds'] for row in rows):.2f}"]
        ours, theirs = rung["runs"].values()
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True)]
        lines.append(f"| {' | '.join(cells)} | {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")
    return [
        *lines,
        "",
        f"Mean ± standard deviation of accuracy on the 10,000 test images, median of seconds; {result['seeds']} seeds, "
        f"runs that took turns; {place(result)}, {result['threads']} threads, PyTorch {machine['torch']}, eager with "
        "its fused Adam.",
    ]


def recipe_name(settings: Result) -> str:
    """Net, epochs and what is special, in a few words."""
    words = [net_name(settings), f"{settings['epochs']} epochs"]
    if settings["batch_norm"]:
        words.append("batch normalisation")
    if settings.get("label_smoothing"):
        words.append("label smoothing")
    if settings.get("rotation"):
        words.append("distortions")
    return ", ".join(words)


def distance_lines(result: Result) -> list[str]:
    cells = result["cells"]
    shares = {(net_name(cell), cell["batch"]): cell for cell in cells}
    batch = max(cell["batch"] for cell in cells if cell["batch"] <= 512)
    spent = {(net_name(cell), stage): share for cell in cells if cell["batch"] == batch
             for stage, share in cell["profile"].items()}  # fmt: skip
    return [
        "The share of the machine's own sgemm rate, on the same shapes and threads, that training reaches (%):",
        "",
        *table("Adam", shares, lambda cell: f"{100 * median(cell['shares']):.0f}"),
        "",
        f"Where the time of a step goes at batch {batch} (%):",
        "",
        *table("Adam", spent, lambda share: f"{100 * share:.0f}"),
        "",
        f"{place(result)}; {result['trials']} trials, medians. Over 100: faster than `np.matmul` is on these shapes.",
    ]


def prediction_lines(result: Result) -> list[str]:
    machine, counts = result["machine"], result["counts"]
    names = {
        "compiled": "glassnet, `Model.compile`",
        "glassnet": "glassnet",
        "onnxruntime": "onnxruntime",
        "torch": "PyTorch",
        "numpy": "plain NumPy",
    }
    lines = ["| predictions, 784-128-64-10 | one image, µs | 10,000 images, ms |", "| --- | --- | --- |"]
    for key, name in names.items():
        figures = [_times(counts[count]["seconds"].get(key), unit) for count, unit in (("1", 1e6), ("10000", 1e3))]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return [
        *lines,
        "",
        f"Median, and the range of {result['trials']} trials that took turns; {place(result)}, {result['threads']} "
        f"threads; onnxruntime {machine['onnxruntime']}, PyTorch {machine['torch']}.",
    ]


def growth_lines(result: Result) -> list[str]:
    words = {
        "images": "images",
        "width": "units of one hidden layer",
        "depth": "hidden layers of 128",
        "batch": "batch",
    }
    lines = ["What training costs as things grow; by itself 60,000 images, 784-128-64-10, batch 128, Adam:"]
    for key, name in words.items():
        grid = {}
        for point in result[key]:
            at = f"{point['at']:,}"
            grid["µs an image", at] = f"{1e6 * median(point['seconds_an_image']):.3g}"
            if key == "images":  # before the first step they are split, and summed so that a change is noticed
                grid["seconds before the first step", at] = f"{median(point['seconds_before']):.2g}"
            grid["memory at its peak, MiB", at] = f"{median(point['peak']) / 2**20:,.0f}"
        lines += ["", *table(name, grid, str)]
    left_out = ", ".join(f"{count:,}" for count in result["left_out"])
    return [
        *lines,
        "",
        f"{place(result)}; {_trials(result)}; the images are a file mapped into memory"
        + (f"; the disk had no space for {left_out} images." if left_out else "."),
        *convolution_lines(result["convolution"]),
    ]


def convolution_lines(result: Result) -> list[str]:
    peaks = {point["at"]: median(point["peak"]) / 2**20 for point in result["points"]}
    grid = {("memory at its peak, MiB", f"{at:,}"): f"{peak:,.0f}" for at, peak in peaks.items()}
    return [
        "",
        "The same with the layers of `conv-fast`. What lies under a window is made for a few images at a time, so what "
        "grows with the batch are the feature maps:",
        "",
        *table("batch", grid, str),
        "",
        f"{place(result)}; {_trials(result)}.",
    ]


def serving_lines(result: Result) -> list[str]:
    lines = ["| `glassnet serve` with | clients | predictions a second | p50, ms | p99, ms | failed |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for load in result["loads"]:
        figures = (f"{1e3 * load[part]:.1f}" for part in ("p50", "p99"))
        cells = [load["model"], str(load["clients"]), f"{load['rate']:,.0f}", *figures, str(load["failed"])]
        lines.append(f"| {' | '.join(cells)} |")
    training = result["training"]
    ratios = [watched / alone for alone, watched in zip(training["alone"], training["watched"], strict=True)]
    return [
        *lines,
        "",
        f"An image at a time as JSON, {result['seconds']:.0f} s each, clients on the same machine. "
        f"Training that {training['watchers']} people watch goes {median(ratios):.2f} times as fast as unwatched "
        f"({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} pairs of runs that took turns); {place(result)}.",
    ]


def grid_search_lines(result: Result) -> list[str]:
    lines = [
        "| the same `GridSearchCV`, features in | DigitClassifier, s | MLPClassifier, s | faster "
        "| DigitClassifier: test accuracy, % | MLPClassifier: test accuracy, % |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for dtype, runs in result["dtypes"].items():
        ours, theirs = runs["DigitClassifier"], runs["MLPClassifier"]
        ratios = [b / a for a, b in zip(ours["seconds"], theirs["seconds"], strict=True)]
        cells = [f"{median(run['seconds']):.2f}" for run in (ours, theirs)]
        cells.append(f"{median(ratios):.1f} × ({min(ratios):.1f} to {max(ratios):.1f})")
        cells += [spread([100 * accuracy for accuracy in run["accuracy"]]) for run in (ours, theirs)]
        lines.append(f"| {dtype} | {' | '.join(cells)} |")
    return [
        *lines,
        "",
        f"{result['candidates']} candidates, {result['folds']} folds, {result['epochs']} epochs each of the same net, "
        f"batch, Adam and learning rate, on the 1,797 digits that come with scikit-learn "
        f"{result['machine']['scikit-learn']}; {result['trials']} trials that took turns, seeds and splits of their "
        f"own, medians; {place(result)}.",
    ]


def parallel_lines(result: Result) -> list[str]:
    one, two = (1e3 * median(result["seconds_of_a_step"][ranks]) for ranks in ("1", "2"))
    ratios = result["ratios"]
    grid = {
        (f"{network}, {kind}", machines): times[i]
        for network, kinds in result["projected"].items()
        for kind, times in kinds.items()
        for i, machines in enumerate(result["machines"])
    }
    return [
        f"Two MPI ranks with one thread each take a step of {result['net']} at batch {result['batch']} "
        f"**{median(ratios):.2f} ×** as fast as one ({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} pairs; "
        f"{one:.0f} and {two:.0f} ms). Projected from that, times as fast as one machine:",
        "",
        *table("machines", grid, lambda value: f"{value:.1f}"),
        "",
        f"Assumed: {'; '.join(result['assumptions'])}. {place(result)}.",
    ]


def startup_lines(result: Result) -> list[str]:
    seconds = {name: median(values) for name, values in result["seconds"].items()}
    pairs = zip(result["seconds"]["import"], result["seconds"]["numpy"], strict=True)
    beyond = 1e3 * median(ours - numpy for ours, numpy in pairs)
    much = f"{beyond:.0f} ms" if beyond >= 1 else "nothing that can be measured"
    return [
        f"`glassnet --help` takes {seconds['help']:.2f} s; `import glassnet` {much} beyond NumPy's own "
        f"{1e3 * seconds['numpy']:.0f} ms, and {seconds['everything']:.2f} s with all that it exports "
        f"({result['trials']} trials, medians).",
        *_engine_start_lines(seconds),
    ]


def _engine_start_lines(seconds: dict[str, float]) -> list[str]:
    if "train, compiled" not in seconds:
        return []
    return [
        f"One epoch on the embedded digits takes {seconds['train, NumPy']:.1f} s from the shell with NumPy, "
        f"{seconds['train, compiled']:.1f} s with the compiled engine, and "
        f"{seconds['train, compiled, no cache']:.0f} s the first time, when it is compiled."
    ]


def net_name(cell: Result) -> str:
    return "-".join(map(str, (784, *cell["hidden"], 10)))


def against(cell: Result, names: Sequence[str], ours: str = "glassnet") -> list[float]:
    """How many times as many images a second as the fastest of ``names``, trial by trial; empty without any."""
    rates = cell["rates"]
    peer = max((name for name in names if name in rates), key=lambda name: median(rates[name]), default=None)
    return [a / b for a, b in zip(rates[ours], rates[peer], strict=True)] if peer else []


def table(corner: str, grid: dict[tuple[str, Any], Any], show: Any) -> list[str]:
    """Return a table of what is at (row, column)."""
    rows, columns = (list(dict.fromkeys(key[i] for key in grid)) for i in (0, 1))
    lines = [[corner, *(f"{column:,}" if isinstance(column, int) else column for column in columns)]]
    lines.append(["---"] * len(lines[0]))
    lines += [[row, *(show(grid[row, column]) if (row, column) in grid else "–" for column in columns)] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _ratio(cell: Result, names: Sequence[str]) -> str:
    ratios = against(cell, names)
    return f"{median(ratios):.2f}" if ratios else "–"


def geometric_means(ratios: Collection[list[float]]) -> list[float]:
    """Return the geometric mean over all cells of each trial."""
    return [prod(trial) ** (1 / len(ratios)) for trial in zip(*ratios, strict=True)]


def _mean_line(peer: str, names: Sequence[str], cells: list[Result], ours: str = "glassnet") -> str:
    """The geometric mean over all cells, its range over the trials, and the cell that is worst off."""
    ratios = {(net_name(cell), cell["batch"], RULES[cell["optimizer"]]): against(cell, names, ours) for cell in cells}
    known = {key: values for key, values in ratios.items() if values}
    if not known:
        return f"- {peer}: not measured"
    means = geometric_means(known.values())
    (net, batch, rule), lowest = min(known.items(), key=lambda item: median(item[1]))
    return (
        f"- {peer}: **{median(means):.2f} ×** as geometric mean of {len(known)} cells ({min(means):.2f} to "
        f"{max(means):.2f} from trial to trial); least {median(lowest):.2f} × ({net}, batch {batch:,}, {rule})"
    )


def _times(seconds: list[float] | None, unit: float) -> str:
    if not seconds:
        return "–"
    return f"{unit * median(seconds):.3g} ({unit * min(seconds):.3g} to {unit * max(seconds):.3g})"


def _trials(result: Result) -> str:
    return f"{result['trials']} trials, medians" if result["trials"] > 1 else "one trial"


def place(result: Result) -> str:
    machine = result["machine"]
    vectors = f" ({machine['vectors']}, {machine['BLAS']})" if "vectors" in machine else ""  # not in older results
    return f"{machine['processor']}{vectors}, {machine['cores']} cores, NumPy {machine['numpy']}"
