"""The table of what was tried and what went wrong."""

import sys
from collections import Counter

WRONG = ("lost", "different", "tracebacks", "hangs", "too much memory")


class Counts:
    """How often each thing was tried, and what came of it."""

    def __init__(self) -> None:
        self._tried: Counter[str] = Counter()
        self._wrong: Counter[tuple[str, str]] = Counter()

    def tried(self, what: str, times: int = 1) -> None:
        self._tried[what] += times

    def wrong(self, what: str, kind: str, where: str, text: str) -> None:
        """Count something wrong, and say at once where it was and what was printed last."""
        self._wrong[what, kind] += 1
        last = " | ".join(text.strip().splitlines()[-3:])
        print(f"{kind}: {where}: {last[:400]}", file=sys.stderr, flush=True)

    @property
    def is_right(self) -> bool:
        return not self._wrong

    def table(self) -> str:
        """Return the table in Markdown."""
        lines = [f"| what | tried | {' | '.join(WRONG)} |", f"| --- | ---: |{' ---: |' * len(WRONG)}"]
        for what, times in self._tried.items():
            cells = [f"{self._wrong[what, kind]:,}" for kind in WRONG]
            lines.append(f"| {what} | {times:,} | {' | '.join(cells)} |")
        return "\n".join(lines)
