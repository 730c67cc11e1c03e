"""The command line: what a person types, turned into calls of the rooms below. Nothing is computed here."""

import io
import os
import sys

from cyclopts import App, CycloptsError
from cyclopts.exceptions import ValidationError as FlagError

from .. import __version__
from ..errors import GlassnetError

__all__ = ["app", "main"]

app = App(
    name="glassnet",
    version=__version__,
    help="A neural network for handwritten digits that you can read, watch and trust.\n\n"
    "Begin with: glassnet demo. Then: glassnet train mnist. Each command explains itself with --help.",
    help_format="markdown",
    suppress_keyboard_interrupt=False,
)
# Named, not imported: a command's module is loaded when it is called, so that --help appears at once.
for _place, _help in {
    "demo:demo": "The main job from end to end, in some seconds.",
    "train:train": "Train a network and keep it in a run folder.",
    "train:resume": "Go on with a run that was interrupted or killed.",
    "lr_find:lr_find": "Find out how large the learning rate may be.",
    "search:search": "Search for good settings, in many runs.",
    "evaluate:evaluate": "Say how good a model is on images that it has not learned from.",
    "use:predict": "Recognise pictures of digits.",
    "serve:serve": "Open the page: watch, train, draw; and the service for programs.",
    "explain:explain": "Take one image through one training step, every number shown.",
    "compare:compare": "Tabulate settings and results of some runs.",
    "log:log": "Write what runs reported for TensorBoard, spreadsheets and programs.",
    "export:export": "Write a model as an ONNX graph, or as a Python file that needs NumPy alone.",
    "export:submit": "Write what Kaggle's Digit Recognizer takes, by a model that has not seen its test images.",
    "use:report": "Write figures of a run and a page that holds them.",
    "show:data": "Show what is in a data set.",
    "show:recipes": "List the recipes, or print one.",
    "show:info": "Say which versions, processors and folders are used.",
    "clinic:clinic": "Run a mistake beside its cure, and show what it costs.",
    "check:check_gradients": "Compare a recipe's gradients with differences of its loss.",
}.items():
    app.command(f"glassnet.cli.{_place}", help=_help)


def main(tokens: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 2 for a person's mistake, 130 after Ctrl-C.

    A mistake is told in one line on standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no × or … shows ? and goes on
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _fail(_flag_message(error))
    except GlassnetError as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        print(f"\nglassnet: {str(interrupt) or 'stopped'}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`glassnet … | head`); keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except MemoryError:
        return _fail("not enough memory; use fewer units, smaller batches, or less data")
    return 0


def _fail(message: str) -> int:
    print(f"glassnet: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _flag_message(error: CycloptsError) -> str:
    """Say in one line which flag is wrong, in the words that a wrong TOML file gets."""
    if isinstance(error, FlagError):
        from pydantic import ValidationError

        from ..training import Settings, explain

        if isinstance(error.__cause__, ValidationError):
            flags = Settings.model_fields
            setting, _, complaint = explain(error.__cause__, flags, "", flags).partition(":")
            return f"--{setting.replace('_', '-')}:{complaint}"
    return str(error)
