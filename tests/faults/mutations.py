"""Damaged files: each reader refuses them in one line that names the file, or reads them, within seconds and 1 GiB."""

import gzip
import io
import json
import os
import resource
import shutil
import signal
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import numpy as np
from PIL import Image

from counts import Counts
from glassnet import Model, load_dataset, train
from glassnet.data import read_csv, read_picture
from glassnet.data.idx import read_idx
from glassnet.data.npz import read_npz
from glassnet.errors import GlassnetError
from glassnet.training import Config, Run, RunLoop
from glassnet.training.checkpoint import load_checkpoint
from glassnet.training.history import read_history, read_steps
from glassnet.web.record import Record
from host import Machine
from scenarios import a_number

SECONDS = 10  # that a file may take
MEMORY = 2**30  # bytes that reading it may take
BATCH = 250  # files that are read by one process

Read = Callable[[Path], Any]
TOKENS = (
    b"null",
    b"1e999",
    b"NaN",
    b"-1",
    b"9" * 400,
    b'"\\ud800"',
    b"[" * 5000,
    b"{}",
    b"\0",
    b"\xff\xfe",
    b"a.b" * 60,
)


def fuzz(machine: Machine, counts: Counts, seed: int, files: int) -> None:
    """Have each reader read its share of so many damaged files; the seed and its number make a file."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        os.environ["GLASSNET_CACHE"] = str(root / "cache")
        readers = _readers(root)
        for name, (contents, read) in readers.items():
            for first in range(0, files // len(readers) or 1, BATCH):
                last = min(first + BATCH, files // len(readers) or 1)
                _batch(machine, counts, f"files: {name}", contents, read, root, range(first, last), seed)


def _batch(
    machine: Machine,
    counts: Counts,
    what: str,
    contents: list[bytes],
    read: Read,
    root: Path,
    numbers: range,
    seed: int,
) -> None:
    """Read damaged files in a process of its own, which writes down what went wrong."""
    report = root / "report.jsonl"
    report.write_bytes(b"")
    ended = machine.run(lambda: _read_all(what, contents, read, root, numbers, seed, report), root)
    counts.tried(what, len(numbers))
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    for row in rows:
        if row["kind"] != "begun":
            counts.wrong(what, row["kind"], f"{what}, seed {seed}, file {row['number']}", row["text"])
    if ended.code or ended.hung:
        number = rows[-1]["number"] if rows else numbers[0]
        counts.wrong(what, "hangs" if ended.hung else "tracebacks", f"{what}, seed {seed}, file {number}", ended.text)


def _read_all(what: str, contents: list[bytes], read: Read, root: Path, numbers: range, seed: int, report: Path) -> int:
    signal.signal(signal.SIGALRM, _too_late)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
    sound = read(_put(root, contents[0]))
    with report.open("a") as file:
        for number in numbers:
            random = Random(f"{what}-{seed}-{number}")
            path = _put(root, damaged(random.choice(contents), random))
            file.write(json.dumps({"kind": "begun", "number": number}) + "\n")
            file.flush()
            wrong = _judge(read, path, sound)
            if wrong:
                file.write(json.dumps({"kind": wrong[0], "number": number, "text": wrong[1]}) + "\n")
    return 0


def _judge(read: Read, path: Path, sound: Any) -> tuple[str, str] | None:
    """Return what went wrong with a file, if anything did."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        found = read(path)
    except GlassnetError as error:
        line = str(error)
        if "\n" in line or path.stem not in line:
            return "tracebacks", f"not one line that names the file: {line}"
        return None
    except TimeoutError:
        return "hangs", f"more than {SECONDS} seconds"
    except MemoryError:
        return "too much memory", f"more than {MEMORY:,} bytes"
    except Exception as error:  # noqa: BLE001  # any of these is what is looked for
        return "tracebacks", repr(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if isinstance(sound, bytes) and found != sound:
        return "different", "other weights were read than had been written"
    return None


def _too_late(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def _put(root: Path, content: bytes) -> Path:
    path = root / "damaged.toml"  # so that it is taken for a recipe, too; the other readers look at no name
    path.write_bytes(content)
    return path


def damaged(content: bytes, random: Random) -> bytes:
    """Return content with one to five changes."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        if not changed:
            break
        start = random.randrange(len(changed))
        end = min(start + random.choice((1, 2, 8, 64, 1000)), len(changed))
        match random.randrange(8):
            case 0:
                del changed[start:end]
            case 1:
                del changed[start:]
            case 2:
                changed[start:start] = changed[start:end] * random.choice((1, 3, 50))
            case 3:
                changed[start:end] = bytes(end - start)
            case 4:
                changed[start:start] = random.choice(TOKENS)
            case 5:
                changed[start : start + 4] = random.choice(
                    (b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0")
                )
            case 6:
                changed[start] ^= 1 << random.randrange(8)
            case _:
                changed[start] = random.randrange(256)
    return bytes(changed)


def _readers(root: Path) -> dict[str, tuple[list[bytes], Read]]:
    """Return sound contents of each kind of file, and what reads them."""
    settings = {"hidden": [8], "epochs": 2, "batch_size": 300, "threads": 1}
    dataset = load_dataset("digits")
    run = train(dataset, "small", out=root / "run", **settings)

    def model(path: Path) -> bytes:
        return Model.load(path).network.parameters.tobytes()

    def checkpoint(path: Path) -> bytes:
        loop = RunLoop(run.config, dataset)
        state = load_checkpoint(path, loop.network, loop.optimizer, loop.average, dataset.fingerprint)
        return loop.network.parameters.tobytes() + repr(state).encode()

    def of(name: str) -> list[bytes]:
        return [(run.path / name).read_bytes()]

    return {
        "model": (of("model.safetensors"), model),
        "checkpoint": (of("checkpoint.safetensors"), checkpoint),
        "config": (of("config.toml"), lambda path: Config.load(path) and None),
        "recipe": ([RECIPE, run.config.to_recipe().encode()], lambda path: Config.resolve(path) and None),
        "history": (of("history.jsonl"), lambda path: read_history(path) and None),
        "steps": (of("steps.jsonl"), lambda path: read_steps(path) and None),
        "CSV": ([_csv()], lambda path: read_csv(path) and None),
        "npz": (_npz(), lambda path: read_npz(path) and None),
        "IDX": (_idx(), lambda path: read_idx(path, 3) is None),
        "pictures": (_pictures(Image.fromarray(IMAGES[0]).resize((24, 24))), lambda path: read_picture(path) is None),
        "pictures that are read": (_pictures(a_number()), lambda path: run.model.read(path) is None),
        **_of_folder(run.path),
    }


def _of_folder(folder: Path) -> dict[str, tuple[list[bytes], Read]]:
    """Return each file of a run folder, and what looks at the whole folder with that file in place of the sound one."""

    def looker(name: Path) -> Read:
        def look(path: Path) -> None:
            place = path.with_suffix(".run")  # errors name a file in it
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder, place)
            shutil.copy(path, place / name)
            Record(place).details()
            run = Run(place)
            _ = run.history, read_steps(place / "steps.jsonl"), run.finished, run.model
            for step in run.snapshots:
                run.model_at(step)

        return look

    names = sorted(path.relative_to(folder) for path in folder.iterdir() if path.is_file())
    # Of files beside each other in a folder, such as snapshots, one is like all others.
    names += [
        next(path.relative_to(folder) for path in inner.iterdir()) for inner in folder.iterdir() if inner.is_dir()
    ]
    return {f"run folder, {name}": ([(folder / name).read_bytes()], looker(name)) for name in names}


IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)


RECIPE = b'recipe = "fast"\nhidden = [8]\n[as_written]\nepochs = 2\n'


def _csv() -> bytes:
    rows = [",".join(map(str, [i % 10, *image])) for i, image in enumerate(IMAGES.reshape(12, -1).tolist())]
    return "\n".join(["label," + ",".join(f"pixel{i}" for i in range(64)), *rows, ""]).encode()


def _npz() -> list[bytes]:
    arrays = {"x_train": IMAGES, "y_train": np.arange(12), "x_test": IMAGES, "y_test": np.arange(12)}
    found = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **arrays)
        found.append(file.getvalue())
    return found


def _idx() -> list[bytes]:
    plain = bytes([0, 0, 8, 3]) + struct.pack(">3I", *IMAGES.shape) + IMAGES.tobytes()
    return [plain, gzip.compress(plain, mtime=0)]


def _pictures(gray: Image.Image) -> list[bytes]:
    forms = [(gray, "PNG", {}), (gray.convert("RGBA"), "PNG", {}), (gray.convert("P"), "PNG", {"transparency": 0})]
    forms += [(gray.convert("I;16"), "PNG", {}), (gray, "JPEG", {}), (gray.convert("CMYK"), "JPEG", {})]
    forms += [(gray.convert("RGB"), "JPEG", {"progressive": True})]
    forms += [(gray, kind, {}) for kind in ("BMP", "GIF", "TIFF", "WEBP")]
    found = []
    for image, kind, options in forms:
        file = io.BytesIO()
        image.save(file, kind, **options)
        found.append(file.getvalue())
    return found
