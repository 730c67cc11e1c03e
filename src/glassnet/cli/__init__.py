"""The command line: flags in, calls of the library, text out. Nothing is computed here."""

import io
import os
import sys
import warnings

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError
from cyclopts.exceptions import UnknownOptionError
from cyclopts.exceptions import ValidationError as FlagError

from .. import __version__
from ..errors import GlassnetError, from_elsewhere
from .groups import RUN

__all__ = ["app", "main"]

app = App(
    name="glassnet",
    version=__version__,
    help="A neural network for handwritten digits that you can read, watch and trust.\n\n"
    "Start with: glassnet demo. Then: glassnet train mnist. Each command explains itself with --help.",
    help_format="markdown",
    default_parameter=Parameter(
        negative_bool=(), negative_iterable=(), show_default=lambda default: None if default is False else default
    ),
    suppress_keyboard_interrupt=False,
)
# Named, not imported: a command's module is loaded when it is called, so that --help appears at once.
for _place, _help in {
    "demo:demo": "Train, evaluate and predict on the embedded digits, in a few seconds.",
    "train:train": "Train a network and save it in a run folder.",
    "train:resume": "Resume a run that was interrupted or killed, or train a finished one for longer.",
    "lr_find:lr_find": "Find a good learning rate with a range test.",
    "search:search": "Search for good settings over many runs.",
    "evaluate:evaluate": "Evaluate a model on images that it was not trained on.",
    "use:predict": "Recognise images of digits.",
    "use:read": "Read all digits of pictures: lines of numbers, or a grid.",
    "serve:serve": "Serve the web page (draw, train, watch) and the HTTP API.",
    "explain:explain": "Show one training step on one image, number by number.",
    "compare:compare": "Compare settings and results of runs in a table.",
    "log:log": "Export the logs of runs to TensorBoard, CSV or JSON lines.",
    "export:export": "Export a model to ONNX, PyTorch, a Python file that needs only NumPy, or a web page.",
    "adopt:adopt": "Make a model file of a network from ONNX or Keras.",
    "export:submit": "Write a submission for Kaggle's Digit Recognizer.",
    "use:report": "Write a report of a run: figures and a page that shows them.",
    "show:data": "Show what is in a data set.",
    "audit:audit": "Find labels that are probably wrong, and duplicates.",
    "show:recipes": "List the recipes, or print one.",
    "show:show": "Show all settings of a run, and how far it is.",
    "show:info": "Show versions, processors and folders in use.",
    "clinic:clinic": "Run a common mistake beside its cure and measure what it costs.",
    "quiz:quiz": "Guess a mistake by its curves.",
    "completion:completion": "Print a script for completion in a shell.",
    "check:check_gradients": "Check the gradients of a recipe numerically.",
}.items():
    _trains = _place.partition(":")[0] in ("train", "lr_find", "search")
    app.command(f"glassnet.cli.{_place}", help=_help, group_parameters=RUN if _trains else None)
_lesson = App(name="lesson", help="List, show and check the lessons of the page.")
app.command(_lesson)
for _name, _function, _help in (
    ("list", "list_lessons", "List the lessons that the page has."),
    ("show", "show_lesson", "Print a lesson as text."),
    ("check", "check_lessons", "Check lesson files that you wrote."),
):
    _lesson.command(f"glassnet.cli.lesson:{_function}", name=_name, help=_help)

assignment = App(
    name="assignment", help="Networks with planted mistakes for a class, and a check of the repaired ones."
)
assignment.command("glassnet.cli.assignment:new", help="Write a network with planted mistakes, a task and a key.")
assignment.command("glassnet.cli.assignment:check", help="Say which mistakes of repaired networks are gone.")
app.command(assignment)


def main(tokens: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 2 for a user error, 130 after Ctrl-C.

    A user error is reported in one line on standard error.
    """
    # The threads of NumPy's BLAS spin until the next product comes, which slows down whatever else computes: by a tenth
    # in wide networks with small batches. Now they sleep after 2²⁰ ticks. It is read when NumPy is loaded, later on.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without × or … shows ?
    tokens = [_at_home(token) for token in (sys.argv[1:] if tokens is None else tokens)]
    warnings.showwarning = _say_warning
    try:
        if command := _named(tokens):
            command.help = None  # then its --help is its docstring, and not only the line in the list
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _fail(_flag_message(error))
    except GlassnetError as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        from .output import say

        say(f"\nglassnet: {str(interrupt) or 'stopped'}")
        return 130
    except BrokenPipeError:
        # The reader of our output has closed the pipe (`glassnet … | head`); keep Python silent about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        from ..files import advice

        return _fail(f"{error.filename or 'output'}: {error.strerror or error}; {advice(error)}")
    except RuntimeError as error:
        if not str(error).startswith("Symlink loop"):  # so pathlib says it before Python 3.13
            raise
        return _fail(f"{error}; choose another path")
    except MemoryError:
        return _fail("not enough memory; use fewer units, smaller batches, or less data")
    return 0


def _named(tokens: list[str]) -> App | None:
    """Return the command that words begin with, if it is one that does something itself."""
    found = app
    for token in tokens:
        if token.startswith("-") or token not in found:
            break
        found = found[token]
    return found if found.default_command is not None else None


def _say_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Report a warning in one line, as errors are, without the place in the code."""
    from .output import say

    say(f"glassnet: {message}")


def _at_home(token: str) -> str:
    """Return a word of the command line with ``~`` for the home folder, which no shell expands in ``--out=~/run``."""
    flag, equals, value = token.partition("=") if token.startswith("--") else ("", "", token)
    return f"{flag}{equals}{os.path.expanduser(value)}"  # noqa: PTH111  # changes no word but those that begin with ~


def _fail(message: str) -> int:
    from .output import say

    say(f"glassnet: {' '.join(message.split())}")
    return 2


def _flag_message(error: CycloptsError) -> str:
    """Say in one line which flag is wrong, in the words used for a TOML file."""
    if isinstance(error, FlagError):
        from pydantic import ValidationError

        from ..training import Settings, explain

        if isinstance(error.__cause__, ValidationError):
            flags = Settings.model_fields
            setting, _, complaint = explain(error.__cause__, flags, "", flags).partition(":")
            return f"--{setting.replace('_', '-')}:{complaint}"
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"unexpected argument {error.unused_tokens[0]!r}; see --help for what the command takes"
    if isinstance(error, UnknownOptionError):
        flag = (error.token.keyword or error.token.value).partition("=")[0]
        known = {name for argument in error.argument_collection for name in argument.names}
        meant = f"--{(from_elsewhere(flag) or '').replace('_', '-')}"
        if meant in known:
            return f"no flag called {flag} (did you mean {meant}?)"
    return str(error)
