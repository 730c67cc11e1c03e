"""The network as a scikit-learn estimator, for any table of numbers and any classes."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from math import prod
from typing import Any, ParamSpec, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .data.dataset import hold_out
from .errors import ConfigError, DataError
from .nn import Network, softmax
from .nn.types import Array
from .training import Config
from .training.batches import Table
from .training.history import Row
from .training.sklearn_callbacks import CallbackSupport, with_callbacks
from .training.sklearn_weights import weighted_table
from .training.table_loop import Learned, TableLoop
from .training.validation import outputs

__all__ = ["DigitClassifier"]

_DTYPES = (np.float64, np.float32)  # those that stay as they are; all else becomes the first
_DTYPES_OF = {"float64": np.float64, "float32": np.float32, "bfloat16": np.float32}  # by precision, if it is given
HIDDEN = (128, 64)
SMALL = 512  # examples: with fewer, the usual epochs have so few steps that iris is learned to 90 %, not 93
EPOCHS, SMALL_EPOCHS = 100, 300
_OWN = ("class_weight", "image_shape", "validation_fraction", "verbose", "warm_start", "random_state")
"""Settings that are not handed on to `Config` as they are."""


P = ParamSpec("P")
T = TypeVar("T")


def _unchanged_by_errors(method: Callable[P, T]) -> Callable[P, T]:
    """Return a method that leaves its object as it was where it raises: fitted as before, or not at all."""

    @wraps(method)
    def careful(*args: P.args, **settings: P.kwargs) -> T:
        estimator: Any = args[0]
        attributes: dict[str, Any] = vars(estimator)
        before = attributes.copy()
        try:
            return method(*args, **settings)
        except BaseException:
            attributes.clear()
            attributes.update(before)
            raise

    return careful


class DigitClassifier(CallbackSupport, ClassifierMixin, BaseEstimator):
    """A neural network as a scikit-learn classifier, for any table of numbers, not only digits.

    Parameters that are also settings of `glassnet.train` have the same name and meaning here. The others
    (``class_weight``, ``validation_fraction``, ``verbose``, ``warm_start``, ``random_state``) are scikit-learn's.
    Features should be scaled first, as usual in scikit-learn: ``make_pipeline(StandardScaler(), DigitClassifier())``.

    It computes in float32 where X is float32, which is faster, else in float64. If there are validation examples, the
    network of the best epoch is the one that predicts.

    Args:
        hidden: units of each hidden layer, from input to output; ``()`` is softmax regression.
        layers: the hidden layers as entries such as "conv 32 5x5", "pool 2" and "dense 128", in place of ``hidden``;
            convolutions and pools need images.
        image_shape: (h, w) of the images that the rows of X are, where X is not (n, h, w) itself.
        activation: one for all hidden layers, or one per layer: relu, leaky_relu, sigmoid, tanh, gelu.
        batch_norm: batch normalisation before each activation.
        dropout: dropout rate after each hidden layer.
        optimizer: sgd, momentum, nesterov, rmsprop, adam, adamw.
        learning_rate: peak learning rate; None is 0.001 for rmsprop, adam and adamw, 0.1 for sgd, and 0.02 for momentum
            and nesterov.
        schedule: constant, step, cosine or one_cycle, over the epochs of one call of `fit`.
        warmup_epochs: epochs of linear learning-rate warm-up.
        step_epochs: epochs between learning-rate drops (schedule step).
        step_factor: learning-rate factor of each drop (schedule step).
        l2: L2 penalty: l2 / 2 times the sum of squared weights, added to the loss; the same at any batch size.
        weight_decay: decoupled weight decay (optimizer adamw).
        clip_norm: maximum gradient norm; larger gradients are scaled down. None: no clipping.
        ema: decay of the weight average (EMA), such as 0.999; the averaged network is validated and predicts. 0: off.
        label_smoothing: share of each target that is spread evenly over all classes.
        adversarial: Euclidean distance, in units of X, by which each example is moved to where its loss is greater,
            before it is learned. 0: off.
        epochs: passes over the training examples. None is 100, or 300 where there are fewer than 512 examples, which
            make few steps an epoch.
        batch_size: examples per step, or "all"; at most as many as there are.
        rotation: maximum random rotation in degrees, redrawn every epoch. This and the next six change training
            images, as in `glassnet.train`, and need X of shape (n, h, w), or ``image_shape``.
        zoom: maximum random zoom in or out, as a fraction of the image size.
        shear: maximum random horizontal shear, in pixels per row.
        shift: maximum random shift in pixels, along each axis.
        elastic: random elastic distortion: standard deviation of the displacement, in pixels.
        smoothness: standard deviation of the Gaussian filter that smooths the elastic distortion, in pixels.
        robust: also perspective, and ink as pens, paper and cameras leave it, see `glassnet.data.degradation`.
        class_weight: None, "balanced", or a dictionary of weights by class, 1 for classes not in it. Multiplied
            with the sample weights. With "balanced", all classes have the same total weight.
        validation_fraction: share of the examples that `fit` holds out, stratified, if it is given no validation
            examples; None is 0.1 if ``patience`` is set, else 0.
        monitor: metric that chooses the best epoch: "validation_loss" or "validation_accuracy".
        patience: early stopping: maximum number of epochs without improvement of the monitored metric.
        engine: numpy, compiled (needs the extra fast), or auto: compiled if it is installed and `fit` takes long enough
            to gain.
        precision: float32, float64 or bfloat16, see `glassnet.train`; None is the type of X, float64 for whole numbers.
        verbose: whether to report each epoch on standard error.
        warm_start: whether `fit` continues from the previous call, including the optimizer's moments.
        random_state: seed of initial weights, split, shuffling, augmentation and dropout: a number, a ``RandomState``,
            or None for a different one each time.

    Attributes:
        classes_: the classes (k,), sorted.
        n_features_in_: number of features of an example, d.
        feature_names_in_: names of the columns (d,), if X had names.
        n_iter_: epochs trained, over all calls that continued from one another.
        loss_curve_: mean training loss of each epoch, in nats, without the L2 penalty.
        validation_loss_curve_: validation loss after each epoch; empty without validation examples.
        history_: a dictionary for each epoch, as the rows of ``glassnet.train(…).history``.
        best_epoch_: epoch of the network that predicts, counted from 1; one of the last call's.
    """

    def __init__(
        self,
        hidden: Sequence[int] | int = HIDDEN,
        *,
        layers: Sequence[str] | str = (),
        image_shape: tuple[int, int] | None = None,
        activation: str | Sequence[str] = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
        optimizer: str = "adam",
        learning_rate: float | None = None,
        schedule: str = "constant",
        warmup_epochs: float = 0.0,
        step_epochs: float = 10.0,
        step_factor: float = 0.1,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema: float = 0.0,
        label_smoothing: float = 0.0,
        adversarial: float = 0.0,
        epochs: int | None = None,
        batch_size: int | str = 128,
        rotation: float = 0.0,
        zoom: float = 0.0,
        shear: float = 0.0,
        shift: float = 0.0,
        elastic: float = 0.0,
        smoothness: float = 4.0,
        robust: bool = False,
        class_weight: str | Mapping[Any, float] | None = None,
        validation_fraction: float | None = None,
        monitor: str = "validation_loss",
        patience: int | None = None,
        engine: str = "auto",
        precision: str | None = None,
        verbose: bool = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.layers, self.image_shape = layers, image_shape
        self.hidden, self.activation, self.batch_norm, self.dropout = hidden, activation, batch_norm, dropout
        self.optimizer, self.learning_rate, self.schedule = optimizer, learning_rate, schedule
        self.warmup_epochs, self.step_epochs, self.step_factor = warmup_epochs, step_epochs, step_factor
        self.l2, self.weight_decay, self.clip_norm, self.ema = l2, weight_decay, clip_norm, ema
        self.label_smoothing, self.adversarial = label_smoothing, adversarial
        self.rotation, self.zoom, self.shear, self.shift = rotation, zoom, shear, shift
        self.elastic, self.smoothness, self.robust = elastic, smoothness, robust
        self.epochs, self.batch_size, self.class_weight = epochs, batch_size, class_weight
        self.validation_fraction, self.monitor, self.patience = validation_fraction, monitor, patience
        self.engine, self.precision, self.verbose = engine, precision, verbose
        self.warm_start, self.random_state = warm_start, random_state

    @_unchanged_by_errors
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Learn from the beginning, or with ``warm_start`` for as many epochs more.

        Args:
            X: (n, d) numbers, a table or array; images (n, h, w) are laid out as rows.
            y: (n,) classes of any kind that can be sorted, two or more.
            sample_weight: (n,), at least 0; their ratios count. An example of weight 0 is as good as absent, but for
                its class, which is one of ``classes_``.
            X_val: validation examples (m, d). A pipeline hands them on as they are: transform them first.
            y_val: their classes (m,).

        Raises:
            ConfigError: a setting that cannot be used.
            DataError, ValueError: examples that cannot be learned.
            TrainingError: the weights stopped being finite.
        """
        before: Learned | None = getattr(self, "_learned", None) if self.warm_start else None
        dtype = before.config.dtype if before else self._dtypes()
        rows, named = self._check_examples(X, y, dtype, reset=before is None, ensure_min_samples=2)
        if (X_val is None) != (y_val is None):
            given, missing = ("y_val", "X_val") if X_val is None else ("X_val", "y_val")
            raise DataError(f"{given}: validation examples are given without {missing}; give both")
        share = self._share() if X_val is None else 0.1
        if self.patience and not share:
            raise ConfigError(
                "patience: early stopping needs validation examples; set validation_fraction above 0, or give your own "
                "as X_val and y_val"
            )
        config = self._config(rows, before, validation=share)
        classes = np.unique(named) if before is None else self.classes_
        table = weighted_table(rows, named, classes, sample_weight, self.class_weight)
        present = np.unique(table.y)
        if len(present) < 2:
            raise DataError(
                f"y: all examples with a weight above 0 have the class {str(classes[present[0]])!r}; "
                "training needs at least two classes"
            )
        table, held = self._split(table, X_val, y_val, config, classes)
        self._learn(config, table.relative(), held, classes, before, self._image_shape(X))
        return self

    @_unchanged_by_errors
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Go once through some more examples, at the full learning rate, and keep nothing aside.

        Args:
            X: (n, d).
            y: (n,), each one of ``classes``.
            classes: all that there are (k,), two or more; needed in the first call.
            sample_weight: (n,), at least 0. Half the weights are half the gradient: others may come.

        Raises:
            ConfigError, DataError, ValueError, TrainingError: as `fit`.
        """
        before: Learned | None = getattr(self, "_learned", None)
        if isinstance(self.class_weight, str):
            raise ConfigError("class_weight: cannot be balanced from a part of the data; give a weight for each class")
        if before is None and classes is None:
            raise DataError("classes: the first call of partial_fit needs all classes")
        known = self.classes_ if before else np.unique(column_or_1d(classes))
        if classes is not None and not np.array_equal(np.unique(column_or_1d(classes)), known):
            raise DataError(f"classes: differ from those of the first call, {known.tolist()}")
        if len(known) < 2:
            raise DataError(f"classes: training needs at least two classes, not {len(known)}")
        dtype = before.config.dtype if before else self._dtypes()
        rows, named = self._check_examples(X, y, dtype, reset=before is None)
        config = self._config(rows, before, epochs=1, schedule="constant", patience=None, validation=0.0)
        table = weighted_table(rows, named, known, sample_weight, self.class_weight)
        self._learn(config, table, None, known, before, self._image_shape(X))
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class (n,) of each row of X (n, d)."""
        Z = self._logits(X)
        answers: NDArray[Any] = self.classes_[Z.argmax(axis=1)]
        return answers

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability (n, k) of each of ``classes_`` for each row of X (n, d)."""
        return softmax(self._logits(X).astype(np.float64))

    @property
    def network_(self) -> Network:
        """The network that predicts: one by itself at each call, which nothing else computes with."""
        check_is_fitted(self)
        network = self._learned.network()
        network.parameters[...], network.statistics[...] = self._chosen
        return network

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_learned")

    def _logits(self, X: ArrayLike) -> Array:
        check_is_fitted(self)
        rows = validate_data(self, _as_rows(X), dtype=self._learned.config.dtype, reset=False)
        with np.errstate(all="ignore"):
            return outputs(self.network_, rows)

    def _share(self) -> float:
        """Return the share of the examples to keep aside."""
        share: Any = self.validation_fraction  # whatever a person gave
        if share is None:
            return 0.1 if self.patience else 0.0
        if not isinstance(share, int | float | np.floating) or not 0 <= share < 1:
            raise ConfigError(f"validation_fraction: must be at least 0 and less than 1, not {share!r}")
        return float(share)

    def _split(
        self, table: Table, X_val: ArrayLike | None, y_val: ArrayLike | None, config: Config, classes: NDArray[Any]
    ) -> tuple[Table, Table | None]:
        """Return training and validation examples: those that were given, or a fraction of the table, or none of it."""
        if X_val is not None and y_val is not None:
            examples = self._check_examples(X_val, y_val, config.dtype, reset=False)
            return table, weighted_table(*examples, classes, None, self.class_weight, name="y_val")
        if not config.validation:
            return table, None
        kept, rest = hold_out(table.y, config.validation, config.seed)
        if not len(rest):
            raise DataError(
                f"validation_fraction: {config.validation:g} of {len(table)} examples leaves no validation "
                "examples, since each class keeps one for training; give more, or your own as X_val and y_val"
            )
        return table.take(kept), table.take(rest)

    def _config(self, X: Array, before: Learned | None, **settings: Any) -> Config:
        """Return the settings, checked, with ``settings`` over them; the seed is drawn once for all that goes on."""
        seed = before.config.seed if before else check_random_state(self.random_state).randint(2**31)
        given = {name: _plain(value) for name, value in self.get_params(deep=False).items() if name not in _OWN}
        given |= settings | {"seed": int(seed)}
        given["precision"] = given["precision"] or X.dtype.name
        if given["learning_rate"] is None:
            del given["learning_rate"]
        if given["layers"] and given["hidden"] == HIDDEN:  # which nobody has given
            del given["hidden"]
        if given["epochs"] is None:
            given["epochs"] = EPOCHS if len(X) >= SMALL else SMALL_EPOCHS
        if given["batch_size"] == "all":
            given["batch_size"] = len(X)
        return Config.of(**given)

    def _dtypes(self) -> Any:
        """Return the types that examples may have; anything else is converted."""
        return _DTYPES if self.precision is None else _DTYPES_OF.get(self.precision, _DTYPES)

    def _image_shape(self, X: Any) -> tuple[int, int] | None:
        """Return height and width where X is images, as (n, h, w) or as rows."""
        if isinstance(X, np.ndarray) and X.ndim == 3:
            return X.shape[1], X.shape[2]
        if self.image_shape is None:
            return None
        shape = _plain(self.image_shape)
        if not isinstance(shape, tuple) or len(shape) != 2 or not all(isinstance(length, int) for length in shape):
            raise ConfigError(f"image_shape: must be height and width in pixels, not {shape!r:.40}")
        if prod(shape) != self.n_features_in_:
            raise ConfigError(
                f"image_shape: {shape[0]}×{shape[1]} pixels are {prod(shape):,}, and the rows of X have "
                f"{self.n_features_in_:,}"
            )
        return shape

    def _check_examples(self, X: ArrayLike, y: ArrayLike, dtype: Any, **options: Any) -> tuple[Array, NDArray[Any]]:
        """Return X (n, d) and y (n,) as arrays, as scikit-learn's estimators check them."""
        rows, named = validate_data(self, _as_rows(X), y, dtype=dtype, order="C", **options)
        check_classification_targets(named)
        return rows, named

    @with_callbacks  # type: ignore[untyped-decorator]
    def _learn(
        self,
        config: Config,
        training: Table,
        validation: Table | None,
        classes: NDArray[Any],
        before: Learned | None,
        image_shape: tuple[int, int] | None,
    ) -> None:
        callbacks = self._loop_callbacks(config.epochs, training, classes)
        if self.verbose:
            from .training.progress import Lines

            callbacks = [Lines(), *callbacks]
        run = TableLoop(config, training, validation, len(classes), callbacks, before, image_shape)
        run.run()
        self._learned, self._chosen, self.classes_ = run.learned(), run.chosen(), classes
        self.n_iter_, self.best_epoch_ = run.state.epoch, run.state.best_epoch
        if before is None:
            self.history_: list[Row] = []
            self.loss_curve_: list[float] = []
            self.validation_loss_curve_: list[float] = []
        self.history_ += run.rows
        self.loss_curve_ += [row["loss"] for row in run.rows]
        losses = (row["validation_loss"] for row in run.rows)
        self.validation_loss_curve_ += [loss for loss in losses if loss is not None]


def _as_rows(X: Any) -> Any:
    """Lay images (n, h, w) out as rows (n, h·w), and leave all else as it is."""
    return X.reshape(len(X), prod(X.shape[1:])) if isinstance(X, np.ndarray) and X.ndim == 3 else X


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and lists, in which searches give settings, as Python's."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
