"""The service under load, and what three people who watch a training cost it.

Predictions a second and how long one takes (p50, p99) with 1, 16 and 128 clients, which keep their connections and ask
about one image at a time, of a dense network and of the bundled model; server and clients are processes of their own.
Then images a second of a training with its page, with and without three watchers of its event stream, in turns.

    python benchmarks/serving.py [SECONDS TRIALS]     two minutes
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from glassnet import Run
from machine import describe_machine, save_result
from prediction import images, with_glassnet

CLIENTS = (1, 16, 128)
MODELS = {"784-128-64-10": ["model.safetensors"], "the bundled model": []}  # and how `glassnet serve` is told of it
PROCESSES = 2  # that the clients are spread over
WATCHERS = 3
FLAGS = ["--recipe", "fast", "--hidden", "128", "64", "--batch-size", "128"]

Answers = tuple[list[float], int]  # the seconds that each answer took, and how many requests failed


@contextmanager
def glassnet(*arguments: str, folder: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command that opens a page; give the process and the page's host and port."""
    command = [sys.executable, "-m", "glassnet", *arguments, "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if "http://" in line)
        yield process, line.partition("http://")[2].partition("/")[0]
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.stdout.close()


async def connect(place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = place.split(":")
    return await asyncio.open_connection(host, int(port))


def request(place: str) -> bytes:
    """A question about one image of the test set, as it goes over the wire."""
    body = json.dumps({"pixels": images(1)[0].tolist()}).encode()
    head = f"POST /api/predict HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def client(place: str, question: bytes, end: float) -> Answers:
    """Ask again and again on one connection; one that breaks counts as a failure and is opened anew."""
    took: list[float] = []
    failed = 0
    while time.monotonic() < end:
        try:
            reader, writer = await connect(place)
            while (start := time.monotonic()) < end:
                writer.write(question)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
                if head.startswith(b"http/1.1 200"):
                    took.append(time.monotonic() - start)
                else:
                    failed += 1
            writer.close()
        except (OSError, EOFError, ValueError, LookupError):
            failed += 1
    return took, failed


def clients(place: str, question: bytes, count: int, seconds: float) -> Answers:
    """Be so many clients for some seconds."""

    async def all_of_them() -> list[Answers]:
        end = time.monotonic() + seconds
        return await asyncio.gather(*(client(place, question, end) for _ in range(count)))

    answers = asyncio.run(all_of_them())
    return [second for took, _ in answers for second in took], sum(failed for _, failed in answers)


def load(place: str, count: int, seconds: float) -> dict[str, Any]:
    """Measure the server with so many clients."""
    question = request(place)
    shares = [len(part) for part in np.array_split(range(count), min(PROCESSES, count))]
    with get_context("spawn").Pool(len(shares)) as pool:
        pool.starmap(clients, [(place, question, share, 0.2) for share in shares], 1)  # its workers are there from here
        answers = pool.starmap(clients, [(place, question, share, seconds) for share in shares], 1)
    took = [second for part, _ in answers for second in part]
    p50, p99 = np.quantile(took, [0.5, 0.99])
    failed = sum(part for _, part in answers)
    return {"clients": count, "rate": len(took) / seconds, "p50": float(p50), "p99": float(p99), "failed": failed}


async def watch(place: str, run: str, events: list[bytes]) -> None:
    """Read a run's event stream until it ends, and keep its lines that name an event."""
    reader, writer = await connect(place)
    writer.write(f"GET /api/runs/{run}/events HTTP/1.1\r\nHost: {place}\r\nAccept: text/event-stream\r\n\r\n".encode())
    with suppress(OSError):
        while line := await reader.readline():
            if line.startswith(b"event:"):
                events.append(line)


def training(watchers: int, epochs: int) -> tuple[float, int]:
    """Return images a second of a training beside its page, and how many events its watchers got.

    The seconds go from the run's folder to the command's last line: all that a run keeps and tells is in them.
    """
    events: list[bytes] = []

    async def watch_until_its_end(process: subprocess.Popen[str], place: str) -> None:
        watching = [asyncio.create_task(watch(place, "run", events)) for _ in range(watchers)]
        assert process.stdout is not None
        line = "begun"
        while line and "until Ctrl-C" not in line:
            line = await asyncio.to_thread(process.stdout.readline)
        for task in watching:
            task.cancel()

    with tempfile.TemporaryDirectory() as folder:
        flags = [*FLAGS, "--epochs", str(epochs), "--watch", "--out", "run"]
        with glassnet("train", "mnist", *flags, folder=folder) as (process, place):
            while not (Path(folder) / "run" / "config.toml").exists():
                time.sleep(0.01)
            begun = time.perf_counter()
            asyncio.run(watch_until_its_end(process, place))
            seconds = time.perf_counter() - begun
        run = Run(Path(folder) / "run")
        return run.history[-1]["step"] * run.config.batch_size / seconds, len(events)


def main(seconds: float = 10, trials: int = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with_glassnet(1).func.__self__.save(Path(folder) / "model.safetensors")
        loads = []
        for model, given in MODELS.items():
            with glassnet("serve", *given, folder=folder) as (_, place):
                loads += [{"model": model} | load(place, count, seconds) for count in CLIENTS]
    for row in loads:
        words = f"{row['rate']:.0f} a second, p50 {1e3 * row['p50']:.1f} ms, p99 {1e3 * row['p99']:.1f} ms"
        print(f"{row['model']}, {row['clients']} clients: {words}, {row['failed']} failed", flush=True)
    rates: dict[int, list[float]] = {0: [], WATCHERS: []}
    events = 0
    for _ in range(trials):
        for watchers, kept in rates.items():
            rate, seen = training(watchers, max(round(seconds), 1))
            kept.append(rate)
            events += seen
    alone, watched = (median(kept) for kept in rates.values())
    print(f"training: {alone:.0f} images a second, with {WATCHERS} watchers {watched:.0f} ({events} events seen)")
    machine = describe_machine("numpy", "fastapi", "uvicorn", "glassnet")
    measured = {"watchers": WATCHERS, "alone": rates[0], "watched": rates[WATCHERS], "events": events}
    save_result("serving", {"machine": machine, "seconds": seconds, "loads": loads, "training": measured})


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*map(float, arguments[:1]), *map(int, arguments[1:]))
