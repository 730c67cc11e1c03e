"""Hostile and damaged submissions: each is checked in time and memory, in one line a complaint, and hurts nothing."""

import ast
import json
import os
import resource
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random

from counts import Counts
from glassnet.assignment import draw, new_assignment
from glassnet.assignment.formats import formatted
from host import Ended, Machine
from mutations import damaged
from scenarios import call

SECONDS = 180  # that a check may take, of which the submission has 120
MEMORY = 2**30  # bytes that a check may take
SECRET = "precious-41"

# Each is put at the end of a page, and is run when the page is loaded.
HOSTILE = {
    "an endless loop": "while True: pass",
    "a loop that no signal ends": "import signal\nwhile True:\n    try: signal.pause()\n    except BaseException: pass",
    "a fork bomb": "import os\nwhile True: os.fork()",
    "forks by the C library": "import ctypes\nwhile True: ctypes.CDLL(None).fork()",
    "threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(999,)).start()",
    "10 GiB": "x = np.ones(10 << 27)",
    "memory without end": "x = [0]\nwhile True: x += x",
    "output without end": "while True: print('x' * 1_000_000)",
    "removed files": "import os\nos.remove(VICTIM)",
    "removed folders": "import os, shutil\nshutil.rmtree(os.path.dirname(VICTIM))",
    "an overwritten file": "open(VICTIM, 'w').write('x')",
    "a truncated file": "import ctypes\nraise OSError(ctypes.CDLL(None).truncate(VICTIM.encode(), 0))",
    "a renamed file": "import os\nos.rename(VICTIM, VICTIM + '2')",
    "a link": "import os\nos.symlink(VICTIM, 'link')\nopen('link', 'w')",
    "a read file": "raise ValueError(open(VICTIM).read())",
    "a file read by the C library": (
        "import ctypes, os\nb = ctypes.create_string_buffer(99)\n"
        "ctypes.CDLL(None).read(ctypes.CDLL(None).open(VICTIM.encode(), 0), b, 99)\nraise ValueError(b.value)"
    ),
    "many files": "while True: open(str(id(object())), 'w')",
    "closed descriptors": "import os\nos.closerange(0, 1000)",
    "closed descriptors, and a wait": "import os, time\nos.closerange(0, 1000)\ntime.sleep(999)",
    "an answer forged": "import os\nfor n in range(99):\n    try: os.write(n, b'y' * 9999)\n    except OSError: pass",
    "a request read": "import os\nfor n in range(3, 1000):\n    try: os.read(n, 1 << 20)\n    except OSError: pass",
    "a signal to glassnet": "import os\nos.kill(os.getppid(), 9)",
    "a signal to all": "import ctypes\nctypes.CDLL(None).kill(-1, 9)",
    "a signal to the group": "import os\nos.killpg(0, 9)",
    "a connection": "import socket\nsocket.create_connection(('127.0.0.1', 9))",
    "a server": "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\ns.accept()",
    "a program": "import subprocess\nsubprocess.run(['touch', VICTIM])",
    "another session": "import os\nos.setsid()\nwhile True: pass",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "a deep recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
    "an early exit": "import os\nos._exit(0)",
    "no modules": "import sys\nsys.modules.clear()",
    "other built-ins": "import builtins\nfor n in dir(builtins): setattr(builtins, n, None)",
    "another NumPy": "for n in dir(np): setattr(np, n, lambda *a, **k: a[0])",
    "generators without end": "import itertools\nsoftmax = relu = init_params = lambda *a, **k: itertools.count()",
    "exits in functions": "import os\nsoftmax = relu = lambda *a, **k: os._exit(0)",
    "objects": "class A: __array__ = __len__ = __iter__ = 3\nsoftmax = init_params = train = lambda *a: A()",
    "arrays of objects": "softmax = init_params = train = prepare = lambda *a: np.array([None, object()])",
    "deep lists": "x = []\nfor _ in range(10**5): x = [x]\nsoftmax = init_params = train = lambda *a: x",
    "a list in itself": "x = []\nx.append(x)\nsoftmax = init_params = train = lambda *a: x",
    "numbers that are not finite": "softmax = relu = prepare = lambda *a: np.full(a[0].shape, np.nan)",
    "arrays without elements": "softmax = prepare = init_params = train = lambda *a: [np.zeros((0, 2**60))] * 4",
    "a name with an escape": "raise type('\\x1b[2J\\n' * 99, (Exception,), {})('\\x1b]0;x\\x07')",
}
# What an expression of a page is replaced by.
VALUES = [
    "None",
    "0",
    "-1",
    "1e308",
    "10**400",
    "'x'",
    "[]",
    "()",
    "{}",
    "np.nan",
    "object()",
    "True",
    "2j",
    "...",
    "np",
]
VALUES += [
    "np.zeros((0, 3))",
    "np.array(['a'])",
    "np.array([None])",
    "np.int8(3)",
    "[[1], [2, 3]]",
    "lambda *a: a",
    "iter([1])",
]


def hand_in(machine: Machine, counts: Counts, seed: int, submissions: int) -> None:
    """Check so many submissions; up to half of them are hostile ones, and the others damaged or changed at random."""
    random = Random(seed)
    hostile = random.sample(sorted(HOSTILE), min(submissions // 2, len(HOSTILE)))
    with tempfile.TemporaryDirectory() as place:
        victim = Path(place) / "precious" / "victim"
        victim.parent.mkdir()
        victim.write_text(SECRET)
        checked = _Checked(machine, counts, Path(place), victim)
        for name in hostile:
            checked.check("submissions: hostile", name, f"{checked.page}\nVICTIM = {str(victim)!r}\n{HOSTILE[name]}\n")
        for number in range(submissions - len(hostile)):
            random = Random(f"submission-{seed}-{number}")
            name = f"seed {seed}, number {number}"
            if random.random() < 0.5:
                checked.check("submissions: changed", name, _changed(checked.page, random))
            else:
                form = random.choice(("py", "ipynb"))
                content = damaged(formatted(checked.page, form), random)
                checked.check("submissions: damaged", name, content, form)


def _changed(page: str, random: Random) -> str:
    """Return a page some of whose expressions are others: mostly Python still, but hardly what it was."""
    for _ in range(random.choice((1, 2, 4))):
        try:
            found = [node for node in ast.walk(ast.parse(page)) if isinstance(node, ast.expr)]
        except SyntaxError:  # since something in a format was changed
            break
        lines = page.encode().splitlines(keepends=True)
        node = random.choice([node for node in found if node.lineno == node.end_lineno and not _is_assigned(node)])
        line, value = lines[node.lineno - 1], random.choice(VALUES).encode()
        lines[node.lineno - 1] = line[: node.col_offset] + b"(" + value + b")" + line[node.end_col_offset :]
        page = b"".join(lines).decode()
    return page


def _is_assigned(node: ast.expr) -> bool:
    return not isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


class _Checked:
    """A folder in which submissions to one assignment are checked, as a teacher does it."""

    def __init__(self, machine: Machine, counts: Counts, place: Path, victim: Path) -> None:
        self._machine, self._counts, self._place, self._victim = machine, counts, place, victim
        assignment = draw(2, 1, 3, "dense-columns")
        new_assignment(place / "assignment", assignment, "py")
        self.page = assignment.text

    def check(self, what: str, name: str, content: str | bytes, form: str = "py") -> None:
        """Check a submission, and count what is wrong with how that went."""
        self._counts.tried(what)
        file = self._place / f"handed-in.{form}"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        where, start = f"{what}, {name}", time.monotonic()
        ended = self._machine.run(lambda: self._check(file), self._place, seconds=SECONDS)
        if ended.hung:
            self._counts.wrong(what, "hangs", where, f"{time.monotonic() - start:.0f} seconds")
        elif complaint := _complaint(ended):
            kind, text = complaint
            self._counts.wrong(what, kind, where, text)
        running = [path.parent.name for path in Path("/proc").glob("[0-9]*/cwd") if self._is_ours(path)]
        if running or not self._victim.is_file() or self._victim.read_text() != SECRET:
            self._counts.wrong(what, "lost", where, f"still running: {running}" if running else "a file was changed")
            self._victim.parent.mkdir(exist_ok=True)
            self._victim.write_text(SECRET)

    def _check(self, file: Path) -> int:
        code = call(["assignment", "check", str(file), "--key", str(self._place / "assignment"), "--json"])()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return code

    def _is_ours(self, working: Path) -> bool:
        with suppress(OSError):
            return working.readlink().is_relative_to(tempfile.gettempdir()) and working.parent.name != str(os.getpid())
        return False


def _complaint(ended: Ended) -> tuple[str, str] | None:
    """Return what kind of wrong a check was, and why; None where all is right."""
    try:
        verdicts, memory = ended.text.splitlines()
        verdict = json.loads(verdicts)[0]
    except (ValueError, IndexError):
        return "tracebacks", f"status {ended.code}: {ended.text}"
    if ended.code or any("\n" in str(value) for value in verdict.values()) or "cannot be judged" in verdict["error"]:
        return "tracebacks", verdicts
    if SECRET in ended.text or verdict["repaired"]:
        return "different", verdicts
    if int(memory) > MEMORY:
        return "too much memory", f"{int(memory):,} bytes"
    return None
