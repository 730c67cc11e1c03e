"""From data and a configuration to a run that never gets lost."""

from ..engines import available_threads, choose_threads
from .assembly import build_loss, build_network, prepare
from .callbacks import AnyCallback, Callback, EarlyStopping, LoopUnderWay, RunCallback, RunUnderWay
from .config import Config, Settings
from .folder import LIVE, STEPS
from .history import is_better
from .interruption import TrainingInterrupted
from .launch import make_run_folder, resume, train
from .live import Live
from .loop import Loop
from .mpi import launched_ranks, open_ranks
from .ranks import Ranks
from .rate_finder import LearningRateSearch, find_learning_rate
from .recipe import notebook_names, recipe_names, recipe_summary, recipe_text
from .run import BUNDLED, Run, find_runs, name_of, open_model
from .run_loop import RunLoop
from .thread_choice import measured_threads
from .wording import explain
from .workers import Workers

__all__ = [
    "BUNDLED",
    "LIVE",
    "STEPS",
    "AnyCallback",
    "Callback",
    "Config",
    "EarlyStopping",
    "LearningRateSearch",
    "Live",
    "Loop",
    "LoopUnderWay",
    "Ranks",
    "Run",
    "RunCallback",
    "RunLoop",
    "RunUnderWay",
    "Settings",
    "TrainingInterrupted",
    "Workers",
    "available_threads",
    "build_loss",
    "build_network",
    "choose_threads",
    "explain",
    "find_learning_rate",
    "find_runs",
    "is_better",
    "launched_ranks",
    "make_run_folder",
    "measured_threads",
    "name_of",
    "notebook_names",
    "open_model",
    "open_ranks",
    "prepare",
    "recipe_names",
    "recipe_summary",
    "recipe_text",
    "resume",
    "train",
]
