"""Where a figure was measured: it means little without."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

RESULTS = Path(__file__).parent / "results"


def describe_machine(*packages: str) -> dict[str, Any]:
    """Return processor, number of cores and versions."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    return {
        "processor": names[0].partition(": ")[2] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
    } | {package: version(package) for package in packages}


def spread(values: list[float]) -> str:
    """Return mean ± standard deviation of at least two values."""
    return f"{mean(values):.2f} ± {stdev(values):.2f}"


def save_result(name: str, result: dict[str, Any]) -> None:
    """Keep a result as JSON, where `table.py` finds it."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def load_result(name: str) -> dict[str, Any]:
    """Return what `save_result` kept."""
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return result
