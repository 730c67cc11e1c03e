"""Kills, errors and power cuts at the operations on files of a command, after each of which it is done again."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from counts import Counts
from host import Machine
from scenarios import SCENARIOS, Scenario

ERRORS = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES)
UNWELL = "cannot go on without a fault"


def interrupt(machine: Machine, counts: Counts, random: Random, *, kills: int, errors: int, cuts: int) -> None:
    """Interrupt each command, so many times in all."""
    for name, scenario in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as place:
            start = Path(place) / "start"
            start.mkdir()
            for before in scenario.before:
                assert machine.run(before, start).code == 0, UNWELL
            whole = _copy(start, Path(place) / "whole")
            ended = machine.run(scenario.work, whole)
            assert ended.code == 0, ended.text
            expected, last = scenario.contents(whole), ended.operations
            fair = len(SCENARIOS)
            for at in _spread(kills // fair, last, random):
                _one(machine, counts, f"kills: {name}", scenario, start, expected, at, 0)
            for i, at in enumerate(_spread(errors // fair, last, random)):
                _one(machine, counts, f"errors: {name}", scenario, start, expected, at, ERRORS[i % len(ERRORS)])
            if name in ("train", "ensemble"):
                _cut(machine, counts, f"power cuts: {name}", scenario, start, expected, cuts // 2)


def _copy(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(folder, to, symlinks=True))


def _spread(count: int, last: int, random: Random) -> list[int]:
    """Return at most so many operations of all, evenly spread."""
    count = min(max(count, 1), last)
    first = random.random()
    return sorted({1 + int((i + first) * last / count) for i in range(count)} - {last + 1})


def _one(
    machine: Machine, counts: Counts, what: str, scenario: Scenario, start: Path, expected: object, at: int, error: int
) -> None:
    """Interrupt a command at an operation, do it again, and compare what is there with what there should be."""
    place = _copy(start, start.parent / "interrupted")
    ended = machine.run(scenario.work, place, at, error)
    counts.tried(what)
    where = f"{what}, operation {at}, {errno.errorcode.get(error, 'kill')}"
    if ended.hung:
        counts.wrong(what, "hangs", where, ended.text)
    if ended.is_traceback or (error and ended.code not in (0, 2)):
        counts.wrong(what, "tracebacks", where, ended.text)
    _finish(machine, counts, what, scenario, place, expected, where)


def _finish(
    machine: Machine, counts: Counts, what: str, scenario: Scenario, place: Path, expected: object, where: str
) -> None:
    ended = machine.run(scenario.again, place)
    if ended.hung:
        counts.wrong(what, "hangs", f"{where}, again", ended.text)
    elif ended.is_traceback:
        counts.wrong(what, "tracebacks", f"{where}, again", ended.text)
    elif ended.code:
        counts.wrong(what, "lost", where, ended.text)
    else:
        try:
            found = scenario.contents(place)
        except Exception as error:  # noqa: BLE001  # something that should be there is not
            counts.wrong(what, "lost", where, str(error))
            return
        if found != expected:
            counts.wrong(what, "different", where, ended.text)


def _cut(
    machine: Machine, counts: Counts, what: str, scenario: Scenario, start: Path, expected: object, count: int
) -> None:
    """Cut the power after synced files and folders, and go on with what a disk may then hold."""
    place, disks = _copy(start, start.parent / "cut"), start.parent / "disks"
    shutil.rmtree(disks, ignore_errors=True)
    disks.mkdir()

    def work() -> int:
        _record_disks(Path(), disks)
        return scenario.work()

    assert machine.run(work, place).code == 0, UNWELL
    found = sorted(disks.iterdir())
    step = max(len(found) // max(count, 1), 1)
    for disk in found[::step]:
        counts.tried(what)
        _finish(machine, counts, what, scenario, _copy(disk, start.parent / "interrupted"), expected, disk.name)


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
