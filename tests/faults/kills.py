"""Kills, errors and power cuts at the operations on files of a command, after each of which it is done again."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from counts import Counts
from host import Ended, Machine
from scenarios import SCENARIOS, Scenario, without_lost_snapshots

ERRORS = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES)
UNWELL = "cannot go on without a fault"


def interrupt(machine: Machine, counts: Counts, random: Random, *, kills: int, errors: int, cuts: int) -> None:
    """Interrupt the commands, so many times in all; a quarter of the kills hit a command that was killed before."""
    twice = kills // 4
    with tempfile.TemporaryDirectory() as place:
        all_of_them = [
            Interrupted(machine, counts, name, scenario, Path(place) / str(number))
            for number, (name, scenario) in enumerate(SCENARIOS.items())
        ]
        operations = [one.operations for one in all_of_them]
        once, again = shares_of(kills - twice, operations), shares_of(twice, operations)
        failing = shares_of(errors, [len(ERRORS) * each for each in operations])
        for one, *times in zip(all_of_them, once, again, failing, strict=True):
            one.kill(random, times[0])
            one.kill_twice(random, times[1])
            one.fail(random, times[2])
            if one.name in ("train", "ensemble"):
                one.cut(cuts // 2)


def shares_of(total: int, most: Sequence[int]) -> list[int]:
    """Share out so many evenly, but to each at most what it can take."""
    shares = [0] * len(most)
    for number, index in enumerate(sorted(range(len(most)), key=most.__getitem__)):
        shares[index] = min(most[index], round(total / (len(most) - number)))
        total -= shares[index]
    return shares


def _copy(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(folder, to, symlinks=True))


class Interrupted:
    """A command that is interrupted, after each of which it is done again, and what is there is compared.

    Args:
        machine: on which it runs.
        counts: of what is tried, and of what is wrong.
        name: of the scenario.
        scenario: the command.
        place: a folder to be made, for what it needs and leaves.

    Attributes:
        name: of the scenario.
        operations: on files, which it takes undisturbed.
    """

    def __init__(self, machine: Machine, counts: Counts, name: str, scenario: Scenario, place: Path) -> None:
        self.name, self._machine, self._counts, self._scenario, self._place = name, machine, counts, scenario, place
        self._start = place / "start"
        self._start.mkdir(parents=True)
        for before in scenario.before:
            assert machine.run(before, self._start).code == 0, UNWELL
        whole = _copy(self._start, place / "whole")
        ended = machine.run(scenario.work, whole)
        assert ended.code == 0, ended.text
        self._expected, self.operations = scenario.contents(whole), ended.operations

    def kill(self, random: Random, times: int) -> None:
        """Kill it at operations drawn from all, each at most once."""
        what = f"kills: {self.name}"
        for at in sorted(random.sample(range(1, self.operations + 1), times)):
            place, where = _copy(self._start, self._place / "interrupted"), f"{what}, operation {at}"
            self._counts.tried(what)
            self._judge(what, where, self._machine.run(self._scenario.work, place, at))
            self._finish(what, where, place)

    def kill_twice(self, random: Random, times: int) -> None:
        """Kill it, and then what goes on with it, if that comes so far."""
        what = f"kills, twice: {self.name}"
        for _ in range(times):
            first, second = (random.randint(1, self.operations) for _ in range(2))
            place, where = _copy(self._start, self._place / "interrupted"), f"{what}, operations {first} and {second}"
            self._counts.tried(what)
            self._judge(what, where, self._machine.run(self._scenario.work, place, first))
            self._judge(what, where, self._machine.run(self._scenario.again, place, second))
            self._finish(what, where, place)

    def fail(self, random: Random, times: int) -> None:
        """Have operations fail, drawn from all with all errors, each at most once."""
        what = f"errors: {self.name}"
        for drawn in sorted(random.sample(range(len(ERRORS) * self.operations), times)):
            at, error = 1 + drawn // len(ERRORS), ERRORS[drawn % len(ERRORS)]
            place = _copy(self._start, self._place / "interrupted")
            where = f"{what}, operation {at}, {errno.errorcode[error]}"
            self._counts.tried(what)
            ended = self._machine.run(self._scenario.work, place, at, error)
            self._judge(what, where, ended, (0, 2))
            self._finish(what, where, place, may_lack_snapshots=True)

    def _judge(self, what: str, where: str, ended: Ended, codes: Sequence[int] = ()) -> None:
        """Count what hangs or ends in a traceback, or with a status that is none of the codes, if there are any."""
        if ended.hung:
            self._counts.wrong(what, "hangs", where, ended.text)
        elif ended.is_traceback or (codes and ended.code not in codes):
            self._counts.wrong(what, "tracebacks", where, ended.text)

    def _finish(self, what: str, where: str, place: Path, *, may_lack_snapshots: bool = False) -> None:
        """Do it again, and compare what is there with what should be."""
        ended = self._machine.run(self._scenario.again, place)
        if ended.hung or ended.is_traceback:
            self._judge(what, f"{where}, again", ended)
        elif ended.code:
            self._counts.wrong(what, "lost", where, ended.text)
        else:
            try:
                found = self._scenario.contents(place)
            except Exception as error:  # noqa: BLE001  # something that should be there is not
                self._counts.wrong(what, "lost", where, str(error))
                return
            if found != (without_lost_snapshots(self._expected, found) if may_lack_snapshots else self._expected):
                self._counts.wrong(what, "different", where, ended.text)

    def cut(self, count: int) -> None:
        """Cut the power after synced files and folders, and go on with what a disk may then hold."""
        what, disks = f"power cuts: {self.name}", self._place / "disks"
        disks.mkdir()

        def work() -> int:
            _record_disks(Path(), disks)
            return self._scenario.work()

        assert self._machine.run(work, _copy(self._start, self._place / "cut")).code == 0, UNWELL
        found = sorted(disks.iterdir())
        for disk in found[:: max(len(found) // max(count, 1), 1)] if count else ():
            self._counts.tried(what)
            self._finish(what, disk.name, _copy(disk, self._place / "interrupted"), may_lack_snapshots=True)


def _record_disks(root: Path, disks: Path) -> None:
    """Write, after each fsync from now on, what a disk may hold if the power is cut now.

    ``…-synced`` has the names that were synced, each with the content that was; ``…-named`` has all names, and where a
    content was not synced, zeros.
    """
    real, root = os.fsync, root.resolve()
    contents: dict[int, bytes] = {}  # that were synced, by inode
    names: dict[str, dict[str, int]] = {}  # that were synced, by folder
    number = 0

    def fsync(descriptor: int) -> None:
        nonlocal number
        real(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.is_relative_to(root):
            return
        if path.is_dir():
            names[str(path)] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            contents[path.stat().st_ino] = path.read_bytes()
        number += 1
        disk = disks / f"{number:04}-synced"
        for name, inode in _reached(root, names):
            _put(disk / name, contents.get(inode, b""))
        disk = disks / f"{number:04}-named"
        for file in root.rglob("*"):
            if file.is_file():
                status = file.stat()
                _put(disk / file.relative_to(root), contents.get(status.st_ino, b"").ljust(status.st_size, b"\0"))
        for each in ("synced", "named"):
            (disks / f"{number:04}-{each}").mkdir(exist_ok=True)

    os.fsync = fsync


def _reached(root: Path, names: dict[str, dict[str, int]], at: Path = Path()) -> Iterator[tuple[Path, int]]:
    """Yield the files whose names, and those of the folders that they lie in, were synced."""
    for name, inode in names.get(str(root / at), {}).items():
        if str(root / at / name) in names or (root / at / name).is_dir():
            yield from _reached(root, names, at / name)
        else:
            yield at / name, inode


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
