"""``glassnet audit``: wrong labels and duplicates in a data set."""

from pathlib import Path

from ..audit import audit as audit_dataset
from ..audit import write_audit
from ..data import load_dataset
from .flags import Source
from .output import percent, print_facts, print_json, print_table, say

__all__ = ["audit"]

PRINTED = 10


def audit(
    data: Source,
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
    the likeliest wrong ones first (confident learning). In a folder of pictures, images are named by their files.
    Nothing in the data is changed.

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
        Folder for audit.html, a page of images, labels.csv, the likeliest wrong labels, and duplicates.csv, the images
        that occur more than once.
    json
        Print the results as JSON.
    """
    found = audit_dataset(load_dataset(data, classes=classes), folds, seed, announce=say)
    page = write_audit(found, out)
    rows, duplicates = found.rows(), found.duplicate_rows()
    counts = {
        "images": len(found.examples),
        "probably_wrong": int(found.wrong.sum()),
        "duplicates": len(found.duplicates),
        "duplicates_with_different_labels": len(found.contradictory),
        "duplicates_across": len(found.across),
        "near_duplicates_across": len(found.near),
    }
    if json:
        print_json(counts | {"page": str(page), "labels": rows, "duplicate_images": duplicates})
        return
    print_facts({name.replace("_", " "): f"{count:,}" for name, count in counts.items()})
    print()
    print_table(
        ["image", "label", "predicted", "probability"],
        [
            [found.place(int(index)), row["label"], row["predicted"], percent(row["predicted_probability"])]
            for index, row in zip(found.listed[:PRINTED], rows, strict=False)
        ],
    )
    print(f"\n{page}    the images; labels.csv has {len(rows):,} rows, duplicates.csv {len(duplicates):,}")
