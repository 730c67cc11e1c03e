"""Networks of other frameworks as models: PyTorch, scikit-learn, Keras and ONNX."""

from .adopt import TOLERANCE, adopt

__all__ = ["TOLERANCE", "adopt"]
