"""Where a figure was measured: it means little without."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from glassnet.engines.blas import find_blas

WIDEST = {"amx_tile": "AMX", "avx512f": "AVX-512", "avx2": "AVX2"}  # by the flag that the system shows
RESULTS = Path(__file__).parent / "results"


def describe_machine(*packages: str) -> dict[str, Any]:
    """Return processor, its widest vectors or matrices, number of cores, BLAS and versions."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = dict(line.partition(": ")[::2] for line in cpuinfo.read_text().splitlines()) if cpuinfo.exists() else {}
    facts = {name.strip(): value for name, value in lines.items()}
    flags = facts.get("flags", "").split()
    return {
        "processor": facts.get("model name", platform.processor()),
        "vectors": next((name for flag, name in WIDEST.items() if flag in flags), "unknown vectors"),
        "BLAS": find_blas().name,
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
