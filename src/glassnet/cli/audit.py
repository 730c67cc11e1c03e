"""``glassnet audit``: wrong labels and duplicates in a data set."""

from pathlib import Path

from ..audit import audit as audit_dataset
from ..audit import write_audit
from ..data import load_dataset
from .output import percent, print_facts, print_json, print_table, say

__all__ = ["audit"]

PRINTED = 10


def audit(
    data: str,
    /,
    *,
    classes: int = 10,
    folds: int = 5,
    seed: int = 0,
    out: Path = Path("audit"),
    json: bool = False,
) -> None:
    """Find labels that are probably wrong, and images that occur more than once.

    Networks are trained on all images but one part, and predict that part; the labels that they contradict are listed,
    the likeliest wrong ones first (confident learning). Nothing in the data is changed.

    Parameters
    ----------
    data
        As for `glassnet train`. Training and test images are audited together.
    classes
        As for `glassnet train`.
    folds
        Number of parts, 2 to 20.
    seed
        Seed of the parts and of the networks.
    out
        Folder for audit.html, a page of images, and labels.csv, the likeliest wrong labels.
    json
        Print the results as JSON.
    """
    found = audit_dataset(load_dataset(data, classes=classes), folds, seed, announce=say)
    page = write_audit(found, out)
    rows = found.rows()
    counts = {
        "images": len(found.examples),
        "probably_wrong": int(found.wrong.sum()),
        "duplicates": len(found.duplicates),
        "duplicates_with_different_labels": len(found.contradictory),
        "duplicates_across": len(found.across),
        "near_duplicates_across": len(found.near),
    }
    if json:
        print_json(counts | {"page": str(page), "labels": rows})
        return
    print_facts({name.replace("_", " "): f"{count:,}" for name, count in counts.items()})
    print()
    print_table(
        ["image", "label", "predicted", "probability"],
        [
            [f"{r['part']} {r['row']}", r["label"], r["predicted"], percent(r["predicted_probability"])]
            for r in rows[:PRINTED]
        ],
    )
    print(f"\n{page}    the images; labels.csv beside it has {len(rows):,} rows")
