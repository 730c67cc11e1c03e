"""``glassnet log``: the logs of runs for other tools."""

from pathlib import Path

from ..errors import GlassnetError
from ..files import write_together
from ..logs import check_log_folder, log_rows, refuse_run_folder, rows_as_csv, rows_as_jsonl, write_events
from ..training import Run, find_runs
from .output import print_facts, printable, require_ending, say

__all__ = ["log"]


def log(
    runs: list[Path],
    /,
    *,
    tensorboard: Path | None = None,
    csv: Path | None = None,
    jsonl: Path | None = None,
) -> None:
    """Export the logs of runs, per epoch and per step, to TensorBoard, CSV or JSON lines.

    Without a flag, JSON lines are printed. Existing files are replaced. Rows with "of": "epoch" are the history; rows
    with "of": "steps" summarize the steps since the previous row, up to four rows a second.

    Parameters
    ----------
    runs
        Run folders, or folders of runs such as runs. For an ensemble, the rows of its members.
    tensorboard
        Log folder, in which each run gets a folder with an event file. View it with: tensorboard --logdir FOLDER
    csv
        CSV file for all rows.
    jsonl
        JSON Lines file for all rows.
    """
    require_ending("--csv", csv, ".csv")
    require_ending("--jsonl", jsonl, ".jsonl")
    found = _undamaged([run for place in runs for run in find_runs(place)])
    files = {path: form for path, form in ((csv, rows_as_csv), (jsonl, rows_as_jsonl)) if path is not None}
    for path in files:
        refuse_run_folder(path)
    if tensorboard is not None:
        check_log_folder(tensorboard, found)
    if tensorboard is None and not files:
        for row in log_rows(found):
            print(printable(rows_as_jsonl([row])), end="")
        return
    rows = list(log_rows(found))
    write_together({path: form(rows).encode() for path, form in files.items()})
    written = dict.fromkeys(map(str, files), f"rows: {len(rows):,}")
    if tensorboard is not None:
        events = write_events(found, tensorboard)
        written[str(tensorboard)] = f"event files: {len(events):,}"
    print_facts(written)


def _undamaged(runs: list[Run]) -> list[Run]:
    """Leave out the runs that cannot be read, and say so on standard error; if all cannot, raise the first error."""
    readable: list[Run] = []
    damaged: list[GlassnetError] = []
    for run in runs:
        try:
            for _ in log_rows([run]):
                pass
        except GlassnetError as error:
            damaged.append(error)
        else:
            readable.append(run)
    if not readable:
        raise damaged[0]
    for complaint in damaged:
        say(f"Left out: {complaint}")
    return readable
