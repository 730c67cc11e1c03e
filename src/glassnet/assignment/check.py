"""`check`: run a submission and say what is repaired. Read this first."""

import os
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from ..errors import ConfigError, FileError, similar
from .cells import read_cells
from .diagnosis import compare_function
from .key import Key
from .origin import other_page, page_of
from .page import Page, Plant, read_page
from .probes import COMPARED
from .properties import PROPERTIES, check_property
from .submission import Program, Submission
from .training import EXPECTED, given_out, train, why_not
from .verdict import UNKNOWN, Finding, Hidden, Verdict

__all__ = ["check"]


def check(file: str | os.PathLike[str], key: Key | None = None) -> Verdict:
    """Check a submission: a page that somebody has repaired.

    It runs in processes of its own, which have taken network, files and more away from themselves, see `confine`. In
    one of them it runs from its first line to its last. In the other its functions are called with random arrays; what
    they return is compared here with what the right page returns, and with what mistakes would make of that. The arrays
    depend on the submission's code, so that code cannot simply store the answers, and the same code gets the same
    verdict each time.

    Args:
        file: a .py or .ipynb file.
        key: of the assignment; without one nothing is known of what was planted.

    Returns:
        The verdict; where the submission cannot be checked at all, its `error` says why.

    Raises:
        ConfigError: this is Windows.
    """
    if os.name != "posix":
        raise ConfigError("submissions can be checked on Linux and macOS alone; on Windows, do it in WSL")
    try:
        cells = read_cells(file)
        rng = np.random.default_rng(_fingerprint(cells))
        files = {"digits.csv": given_out()}
        with Program(cells, files) as program, Submission(cells, files) as submission, np.errstate(all="ignore"):
            page = read_page(key.page if key else page_of(submission))
            names = [name for name in page.functions if name in (*COMPARED, *PROPERTIES)]
            if not submission.functions.intersection(names):
                return Verdict(str(file), page.name, submission.error or _no_functions(page, names))
            if key and (other := other_page(submission, page)):
                words = f"it is made of the page {other}, and the key is of {page.name}; give its own key"
                return Verdict(str(file), page.name, words)
            loading = submission.error
            verdict = _checked(str(file), submission, page, names, key, rng)
            return replace(verdict, loading=loading or program.error_at_end())
    except FileError as error:
        return Verdict(str(file), key.page if key else "", str(error))
    except Exception as error:  # noqa: BLE001  # whatever one submission does, the verdicts on others are not lost
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Verdict(str(file), key.page if key else "", f"cannot be judged ({words})")


def _fingerprint(cells: list[tuple[str, str]]) -> int:
    code = "\0".join(code for _, code in cells).encode("utf-8", "surrogatepass")
    return int.from_bytes(sha256(code).digest())


def _no_functions(page: Page, names: list[str]) -> str:
    return f"it defines none of the functions of the page {page.name}: {', '.join(names)}; names have to be kept"


def _checked(
    file: str, submission: Submission, page: Page, names: list[str], key: Key | None, rng: np.random.Generator
) -> Verdict:
    found: list[Finding] = []
    there: frozenset[Plant] = frozenset()
    for name in names:
        if name not in submission.functions:
            found.append(Finding(UNKNOWN, name, _missing(submission, name, names)))
        elif _unexplained(found, page.called_by(name)):
            continue  # nothing can be said of it
        elif name in PROPERTIES:
            found += check_property(submission, page, name, rng)
        else:
            new, plants = compare_function(submission, page, name, there, rng)
            found += new
            there |= plants
    accuracy, training = train(submission, page)
    if not found and (accuracy is None or accuracy < EXPECTED):
        training = "; ".join(filter(None, [training, why_not(submission, page)]))
    hidden = [
        Hidden(mistake, name, f"nothing known explains what {_listed(reasons)}")
        for name in names
        for mistake in dict.fromkeys(plant.mistake for plant in page.planted_in(name))
        if (reasons := _unexplained(found, {name, *page.called_by(name)}))
    ]
    facts = {"accuracy": accuracy, "expected": EXPECTED, "training": training}
    return _verdict(file, page, found, hidden, key, facts | {"unenforced": tuple(submission.unenforced)})


def _listed(functions: list[str]) -> str:
    return f"{' and '.join(functions)} {'returns' if len(functions) == 1 else 'return'}"


def _missing(submission: Submission, name: str, names: Iterable[str]) -> str:
    others = submission.functions.difference(names)
    reason = f" ({submission.error})" if submission.error else ""
    return f"there is no such function{reason or similar(name, others)}; its name has to be kept"


def _unexplained(found: list[Finding], functions: set[str]) -> list[str]:
    """Return those of the functions that return what nothing explains."""
    return sorted({each.function for each in found if each.name == UNKNOWN and each.function in functions})


def _verdict(
    file: str, page: Page, found: list[Finding], hidden: list[Hidden], key: Key | None, facts: dict[str, Any]
) -> Verdict:
    if key is None:
        return Verdict(file, page.name, remaining=tuple(found), hidden=tuple(hidden), **facts)
    planted = {(plant.mistake, plant.function) for plant in key.mistakes}
    remaining = [each for each in found if (each.name, each.function) in planted]
    covered = [each for each in hidden if (each.name, each.function) in planted]
    left = {each.name for each in remaining} | {each.name for each in covered}
    return Verdict(
        file,
        page.name,
        planted=len(planted),
        gone=tuple(plant.mistake for plant in key.mistakes if plant.mistake not in left),
        remaining=tuple(remaining),
        new=tuple(each for each in found if each not in remaining),
        hidden=tuple(covered),
        **facts,
    )
