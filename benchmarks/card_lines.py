"""The lines of the bundled model's card: its figures on test images, by kind of picture, and what it refuses."""

import json
from typing import Any

from glassnet.training import BUNDLED

__all__ = ["CARD", "doubt_lines", "model_lines", "picture_lines"]

Result = dict[str, Any]

CARD = BUNDLED.with_name("CARD.md")


def model_lines() -> list[str]:
    figures = json.loads(BUNDLED.with_name("figures.json").read_text())
    machine = figures["machine"]
    minutes = figures["training_seconds"] / 60
    return [
        f"{100 * figures['test_accuracy']:.2f} % of MNIST's {figures['test_images']:,} test images, loss "
        f"{figures['test_loss']:.4f}, expected calibration error {100 * figures['calibration_error']:.1f} points; "
        f"{figures['bytes']:,} bytes. Trained in {minutes:.0f} minutes "
        f"({machine['processor']}, {machine['cores']} cores).",
    ]


def picture_lines(result: Result) -> list[str]:
    lines = ["| pictures | correct, % |", "| --- | --- |"]
    for sort, groups in result.items():
        if sort not in ("synthetic", "real"):
            continue
        shares = {name: counts["right"] / _count(counts) for name, counts in groups.items()}
        lines += [f"| {sort}: {name} ({_count(groups[name])}) | {100 * share:.1f} |" for name, share in shares.items()]
        right, all_of_them = sum(counts["right"] for counts in groups.values()), sum(map(_count, groups.values()))
        lines += [f"| **{sort}, all {all_of_them:,}** | **{100 * right / all_of_them:.1f}** |"]
        lines += [f"| **{sort}, mean of {len(shares)}** | **{100 * sum(shares.values()) / len(shares):.1f}** |"]
    return lines


def _count(counts: dict[str, int]) -> int:
    return counts["right"] + counts["wrong"] + counts["no digit"]


def doubt_lines(result: Result) -> list[str]:
    """A column for each model, and a row for each kind of image."""
    refused = result["refused"]
    kinds = list(next(iter(refused.values())))
    means = {name: sum(shares[kind] for kind in kinds[2:]) / len(kinds[2:]) for name, shares in refused.items()}
    return [
        "| refused, % | " + " | ".join(refused) + " |",
        "| --- |" + " --- |" * len(refused),
        *(f"| {kind} | " + " | ".join(f"{100 * row[kind]:.1f}" for row in refused.values()) + " |" for kind in kinds),
        "| **mean of all but digits** | " + " | ".join(f"**{100 * share:.1f}**" for share in means.values()) + " |",
    ]
