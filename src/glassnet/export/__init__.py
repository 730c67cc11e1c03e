"""Trained models in forms that others take: ONNX, PyTorch, a Python file that needs only NumPy, Kaggle's submission."""

from .numpy_file import numpy_source
from .onnx_file import onnx_graph
from .submission import submission
from .torch_file import torch_state_dict

__all__ = ["numpy_source", "onnx_graph", "submission", "torch_state_dict"]
