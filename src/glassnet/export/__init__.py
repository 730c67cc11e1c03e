"""Trained models in forms that others take: ONNX, PyTorch, a NumPy file, an HTML page, Kaggle's submission."""

from .html_file import html_page
from .html_record import Record, past_of, record_of
from .numpy_file import numpy_source
from .onnx_file import onnx_graph
from .submission import submission
from .torch_file import torch_state_dict

__all__ = [
    "Record",
    "html_page",
    "numpy_source",
    "onnx_graph",
    "past_of",
    "record_of",
    "submission",
    "torch_state_dict",
]
