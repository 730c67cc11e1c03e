"""From data and a configuration to a run that never gets lost."""

from .assembly import build_loss, build_network
from .callbacks import Callback, EarlyStopping, RunUnderWay
from .config import Config, Settings
from .interruption import TrainingInterrupted
from .launch import make_run_folder, resume, train
from .live import LIVE, STEPS, Live
from .mpi import launched_ranks, open_ranks
from .ranks import Ranks
from .rate_finder import LearningRateSearch, find_learning_rate
from .recipe import notebook_names, recipe_names, recipe_summary, recipe_text
from .run import BOX, Run, find_runs, open_model
from .threads import available_threads, choose_threads
from .trainer import Trainer
from .wording import explain
from .workers import Workers

__all__ = [
    "BOX",
    "LIVE",
    "STEPS",
    "Callback",
    "Config",
    "EarlyStopping",
    "LearningRateSearch",
    "Live",
    "Ranks",
    "Run",
    "RunUnderWay",
    "Settings",
    "Trainer",
    "TrainingInterrupted",
    "Workers",
    "available_threads",
    "build_loss",
    "build_network",
    "choose_threads",
    "explain",
    "find_learning_rate",
    "find_runs",
    "launched_ranks",
    "make_run_folder",
    "notebook_names",
    "open_model",
    "open_ranks",
    "recipe_names",
    "recipe_summary",
    "recipe_text",
    "resume",
    "train",
]
