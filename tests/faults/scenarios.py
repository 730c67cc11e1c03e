"""What is interrupted: commands that write, how each goes on, and what must be there in the end."""

import io
import json
import os
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from glassnet import Model
from glassnet.cli import main
from glassnet.data import sources, strangers
from glassnet.data.dataset import Images
from glassnet.engines import why_not_compiled
from glassnet.errors import FileError, GlassnetError
from glassnet.tensor_files import open_tensors
from glassnet.training.history import read_history
from glassnet.training.snapshots import find_snapshots
from glassnet.web import job
from glassnet.web.drawings import keep_drawing

Contents = dict[str, Any]

SETTINGS = ["--hidden", "8", "--epochs", "2", "--batch-size", "300", "--threads", "1"]
TRAIN = ["train", "digits", "--recipe", "small", "--out", "run", *SETTINGS]
LAYERS = ["--layers", "conv 4 3x3, spatial dropout 0.1, pool 2, dense 8"]
CONVOLUTION = [*TRAIN[:6], *LAYERS, *SETTINGS[2:]]
COMPILED = [*TRAIN, "--engine", "compiled"]
READ = ["read", "run", "picture.png", "--json"]
ENSEMBLE = [*TRAIN, "--members", "2"]
SEARCH = ["search", "digits", "--out", "found", "--trials", "2", "--rotation", "0", *SETTINGS[:-2], "--threads", "1"]
EXPORT = ["export", "run", "--onnx", "run.onnx", "--numpy", "run.py"]
SUBMIT = ["submit", "run", "test.csv", "--out", "submission.csv"]
LOG = ["log", "run", "--csv", "log.csv", "--jsonl", "log.jsonl"]


@dataclass(frozen=True)
class Scenario:
    """A command, how it is done again after a fault, and what it leaves.

    Attributes:
        work: the command; returns its exit status.
        again: what a person does after a fault.
        contents: all that must be the same as without one.
        before: commands whose results it needs.
        leaves_threads: whether the command leaves threads in the process that does it.
    """

    work: Callable[[], int]
    again: Callable[[], int]
    contents: Callable[[Path], Contents]
    before: tuple[Callable[[], int], ...] = field(default=())
    leaves_threads: bool = False


def call(tokens: list[str]) -> Callable[[], int]:
    return lambda: main(tokens)


def resume(tokens: list[str]) -> Callable[[], int]:
    """Go on with a run, or begin it where there is none yet."""
    return lambda: main(["resume", "run"] if Path("run/config.toml").is_file() else tokens)


def half_a_run() -> int:
    """Leave a run that was stopped in its second epoch."""
    from glassnet import load_dataset, train
    from glassnet.training import Callback, RunUnderWay

    class Stop(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if run.state.step == 5:
                run.stop("for a test")

    settings = {"hidden": [8], "epochs": 2, "batch_size": 300, "threads": 1}
    train(load_dataset("digits"), "small", out="run", callbacks=[Stop()], **settings)
    return 0


def of_run(folder: Path) -> Contents:
    """All that a run leaves but for the seconds that it took."""
    found: Contents = {"config": (folder / "config.toml").read_bytes()}
    found["rows"] = [row | {"seconds": 0} for row in read_history(folder / "history.jsonl")]
    found["model"] = (folder / "model.safetensors").read_bytes()
    if (folder / "checkpoint.safetensors").exists():
        with open_tensors(folder / "checkpoint.safetensors", "checkpoint") as file:
            found["state"] = json.loads(file.metadata["state"]) | {"seconds": 0}
            found["tensors"] = {name: file._handle.get_tensor(name).tobytes() for name in sorted(file.shapes)}
    found["members"] = [of_run(member) for member in sorted(folder.glob("member-*"))]
    found["left over"] = sorted(path.name for path in folder.rglob(".*"))
    found["snapshots"] = {path.name: path.read_bytes() for path in find_snapshots(folder).values() if _is_whole(path)}
    return found


def _is_whole(snapshot: Path) -> bool:
    try:
        Model.load(snapshot)
    except FileError:
        return False
    return True


def without_lost_snapshots(expected: Any, found: Any) -> Any:
    """Return what is expected without the snapshots that are not found.

    A run goes on where one cannot be written, and a power cut may leave one whose digest tells that it is not whole.
    """
    if "snapshots" not in expected:
        return expected
    kept = {name: content for name, content in expected["snapshots"].items() if name in found["snapshots"]}
    pairs = zip(expected["members"], found["members"], strict=False)
    members = [without_lost_snapshots(*pair) for pair in pairs] + expected["members"][len(found["members"]) :]
    return expected | {"snapshots": kept, "members": members}


def page_run() -> int:
    """Train as the page has it done, by a process that is told by its standard input."""
    how = {"data": "digits", "recipe": "small", "as_written": False, "mistakes": [], "mistakes_from": None}
    settings = {"hidden": [8], "epochs": 2, "batch_size": 300, "threads": 1}
    return _as_told({"resume": False, **how, "settings": settings})


def page_run_again() -> int:
    """Go on with a run as the page has it done, or begin it anew where it took no step."""
    if Path("run/config.toml").is_file():
        return _as_told({"resume": True})
    shutil.rmtree("run", ignore_errors=True)
    return page_run()


def _as_told(order: dict[str, Any]) -> int:
    reading, writing = os.pipe()  # which stays open, since its end would end the run
    os.dup2(reading, 0)
    os.write(writing, json.dumps(order | {"folder": "run", "paused": False, "pace": None}).encode() + b"\n")
    job.main()
    return 0


def of_search(folder: Path) -> Contents:
    """The best settings of a search and its run; a trial that was killed is tried with another seed of the sampler."""
    trials = sorted(folder.glob("trial-*"))
    return {"best": (folder / "best.toml").is_file(), "runs": len(trials), "model": bool(of_run(trials[0])["model"])}


def of_files(*names: str) -> Callable[[Path], Contents]:
    """Files, none of which may be half there."""
    return lambda folder: {name: (folder / name).read_bytes() for name in names}


def keep_drawings() -> int:
    """Keep three drawings, as the page does."""
    for number in range(3):
        pixels = np.zeros((60, 60), np.uint8)
        pixels[10:50, 20 + 5 * number : 30 + 5 * number] = 255
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        try:
            keep_drawing(content.getvalue(), "1", Path("drawings"))
        except GlassnetError as error:
            print(error)
            return 2
    return 0


def keep_anew() -> int:
    """Of drawings there are as many as were answered; here, whatever they were, those there are must be whole."""
    for path in Path("drawings").rglob("*.png"):
        if not path.name.startswith("."):
            Image.open(path).load()
    shutil.rmtree("drawings", ignore_errors=True)
    return keep_drawings()


def a_number() -> Image.Image:
    """Return a picture of a number of three digits, dark on light."""
    from glassnet import load_dataset

    digits = load_dataset("digits").test.images[:3]
    ink = np.concatenate([np.pad(np.kron(digit, np.ones((4, 4), np.uint8)), 8) for digit in digits], axis=1)
    return Image.fromarray(255 - ink)


def draw_number() -> int:
    """Write a picture of a number."""
    a_number().save("picture.png")
    return 0


def write_test_csv() -> int:
    """Write digits as Kaggle's test.csv."""
    from glassnet import load_dataset

    images = np.resize(load_dataset("digits").test.images, (28_000, 64))  # as many as it has
    lines = [",".join(f"pixel{i}" for i in range(64)), *(",".join(map(str, image)) for image in images.tolist())]
    Path("test.csv").write_text("\n".join(lines) + "\n")
    return 0


def warm_up() -> None:
    """Do it all once, so that each process finds its modules imported, the digits loaded and the strangers drawn."""
    sources.NAMED["digits"] = cache(sources.NAMED["digits"])
    strangers.strangers_of = _kept(strangers.strangers_of)
    here = Path.cwd()
    for scenario in SCENARIOS.values():
        if scenario.leaves_threads:
            continue
        with TemporaryDirectory() as place, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            os.chdir(place)
            try:
                for work in (*scenario.before, scenario.work):
                    work()
            finally:
                os.chdir(here)


def _kept(draw: Callable[..., Images]) -> Callable[..., Images]:
    """Return what draws strangers to the same images once, which takes half of the time of a training here."""
    drawn: dict[object, Images] = {}

    def kept(images: Images, *how: object, **more: object) -> Images:
        key = images.tobytes(), how, tuple(more.items())
        if key not in drawn:
            drawn[key] = draw(images, *how, **more)
        return drawn[key].copy()

    return kept


SCENARIOS = {
    "train": Scenario(call(TRAIN), resume(TRAIN), lambda place: of_run(place / "run")),
    "convolution": Scenario(call(CONVOLUTION), resume(CONVOLUTION), lambda place: of_run(place / "run")),
    "resume": Scenario(
        call(["resume", "run"]), call(["resume", "run"]), lambda place: of_run(place / "run"), (half_a_run,)
    ),
    "ensemble": Scenario(call(ENSEMBLE), resume(ENSEMBLE), lambda place: of_run(place / "run")),
    "search": Scenario(call(SEARCH), call(SEARCH), lambda place: of_search(place / "found")),
    "export": Scenario(call(EXPORT), call(EXPORT), of_files("run.onnx", "run.py"), (call(TRAIN),)),
    "submit": Scenario(call(SUBMIT), call(SUBMIT), of_files("submission.csv"), (call(TRAIN), write_test_csv)),
    "read": Scenario(call(READ), call(READ), of_files("picture.png"), (call(TRAIN), draw_number)),
    "log": Scenario(call(LOG), call(LOG), of_files("log.csv", "log.jsonl"), (call(TRAIN),)),
    "run of the page": Scenario(page_run, page_run_again, lambda place: of_run(place / "run"), leaves_threads=True),
    "drawings": Scenario(keep_drawings, keep_anew, lambda place: {"kept": len(list(place.glob("drawings/1/*.png")))}),
}

if not why_not_compiled():  # with one thread, so that it has no helpers
    SCENARIOS["compiled engine"] = Scenario(call(COMPILED), resume(COMPILED), lambda place: of_run(place / "run"))
