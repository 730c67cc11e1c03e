"""What a check says of a submission."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..clinic import MISTAKES

__all__ = ["UNKNOWN", "Finding", "Hidden", "Verdict"]

UNKNOWN = "unknown-mistake"  # a result that is wrong, and that no mistake of the catalogue explains


@dataclass(frozen=True)
class Finding:
    """A mistake that is in a submission.

    Attributes:
        name: in `glassnet.clinic.MISTAKES`, or ``unknown-mistake``.
        function: the function that has it.
        evidence: the numbers that show it.
    """

    name: str
    function: str
    evidence: str

    @property
    def hint(self) -> str:
        """What would be right."""
        if self.name == UNKNOWN:
            return "compare with what the function's description and the task say"
        parts = (part.strip() for part in MISTAKES[self.name].right.split("    "))
        return f"right: {'; '.join(part for part in parts if part)}"


@dataclass(frozen=True)
class Hidden:
    """A mistake that may or may not be in a submission.

    Attributes:
        name: in `glassnet.clinic.MISTAKES`.
        function: the function that may have it.
        reason: why that cannot be told.
    """

    name: str
    function: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What a check found in one submission.

    Attributes:
        file: the submission.
        page: which page it is made of, or "".
        error: why nothing could be checked, or "".
        planted: how many mistakes were planted; None where no key was given.
        gone: names of planted mistakes that are gone.
        remaining: planted mistakes that are still there; without a key, all that were found.
        new: mistakes that were not planted.
        hidden: planted mistakes of which nothing can be said; without a key, any.
        accuracy: on images that the submission has never seen, after its own training; None where that failed.
        expected: the accuracy that a repaired page reaches.
        training: why training failed or, where the functions are right, did not reach ``expected``; or "".
        loading: the error at which the file stops when it is run, or "".
        unenforced: what this machine cannot keep a submission from.
    """

    file: str
    page: str = ""
    error: str = ""
    planted: int | None = None
    gone: tuple[str, ...] = ()
    remaining: tuple[Finding, ...] = ()
    new: tuple[Finding, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    accuracy: float | None = None
    expected: float = 0.0
    training: str = ""
    loading: str = ""
    unenforced: tuple[str, ...] = field(default=(), compare=False)

    @property
    def repaired(self) -> bool:
        """Whether everything is right: it runs, no mistake is found or hidden, the expected accuracy is reached."""
        wrong = self.error or self.loading or self.remaining or self.new or self.hidden or self.accuracy is None
        return not wrong and (self.accuracy or 0) >= self.expected

    @property
    def reason(self) -> str:
        """Why it cannot be checked; or where it stops when it is run, and why it does not learn; or ""."""
        stops = "" if self.loading in self.training else f"stops when it is run: {self.loading}"
        return self.error or "; ".join(filter(None, [stops, self.training]))

    def to_json(self, hint: bool = False) -> dict[str, Any]:
        """Return the verdict as plain values; with ``hint`` each mistake has what would be right."""
        return {
            "file": self.file,
            "page": self.page,
            "error": self.error,
            "repaired": self.repaired,
            "planted": self.planted,
            "gone": list(self.gone),
            "remaining": [_finding(each, hint) for each in self.remaining],
            "new": [_finding(each, hint) for each in self.new],
            "hidden": [vars(each) for each in self.hidden],
            "accuracy": self.accuracy,
            "expected_accuracy": self.expected,
            "training": self.training,
            "loading": self.loading,
            "not_enforced": list(self.unenforced),
        }

    def to_row(self) -> dict[str, Any]:
        """Return the verdict as a row of a table."""
        return {
            "file": self.file,
            "repaired": int(self.repaired),
            "planted": "" if self.planted is None else self.planted,
            "gone": "" if self.planted is None else len(self.gone),
            "remaining": _names(self.remaining),
            "new": _names(self.new),
            "hidden": _names(self.hidden),
            "accuracy": "" if self.accuracy is None else f"{self.accuracy:.4f}",
            "error": self.reason,
        }


def _finding(finding: Finding, hint: bool) -> dict[str, str]:
    return vars(finding) | ({"hint": finding.hint} if hint else {})


def _names(found: Sequence[Finding | Hidden]) -> str:
    return " ".join(dict.fromkeys(each.name for each in found))
