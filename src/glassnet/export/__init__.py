"""Trained models in forms that others take: ONNX, a Python file that needs NumPy alone, Kaggle's submission."""

from .numpy_file import numpy_source
from .onnx_file import onnx_graph
from .submission import submission

__all__ = ["numpy_source", "onnx_graph", "submission"]
