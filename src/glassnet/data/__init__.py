"""Where images come from, and what is done to them before a network sees them."""

from .arrays import as_images, as_pixels, to_bytes
from .augmentation import Augmentation
from .cache import cache_folder
from .catalogue import Card
from .dataset import Dataset, Examples
from .framing import frame_images, frame_picture
from .named import card, qmnist_writers
from .pictures import read_picture
from .preprocess import Preprocessing
from .sources import load_dataset, needs_download
from .tables import read_csv

__all__ = [
    "Augmentation",
    "Card",
    "Dataset",
    "Examples",
    "Preprocessing",
    "as_images",
    "as_pixels",
    "cache_folder",
    "card",
    "frame_images",
    "frame_picture",
    "load_dataset",
    "needs_download",
    "qmnist_writers",
    "read_csv",
    "read_picture",
    "to_bytes",
]
