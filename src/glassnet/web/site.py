"""What a server serves."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LARGEST_BODY", "Site"]

LARGEST_BODY = 16 * 2**20


@dataclass(frozen=True)
class Site:
    """Where the page's runs, model and drawings are. Clients cannot change them.

    Attributes:
        runs: the folder of run folders that are shown, and into which new ones go.
        model: the run folder or model file that recognises drawings where no run is chosen; None: the bundled model.
        drawings: the folder of kept drawings, a folder for each class in it.
        lessons: a folder of lessons of one's own, beside those that come with glassnet.
        largest_body: bytes that a request may have; a phone's photograph has some 10 million.
    """

    runs: Path
    model: Path | None
    drawings: Path
    lessons: Path | None = None
    largest_body: int = LARGEST_BODY
