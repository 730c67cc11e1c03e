"""The loop of a run: images to learn from, others to validate on, and a folder in which all of it is kept."""

from collections.abc import Sequence
from pathlib import Path

from ..data import Dataset, Preprocessing
from ..doubt import Doubt
from ..engines import make_engine
from ..errors import TrainingError
from ..model import Model
from .assembly import build_loss, build_network, prepare
from .batches import Batches
from .callbacks import AnyCallback, RunUnderWay, check_callbacks
from .config import Config
from .doubt import fit_doubt
from .folder import RunFolder
from .interruption import TrainingInterrupted, interruptible
from .live import StepLog, remove_live
from .loop import Loop
from .ranks import ALONE, Ranks
from .snapshots import Snapshots
from .validation import validate
from .warm_up import warm_up

__all__ = ["RunLoop"]


class RunLoop(Loop):
    """One run, from its first step or its last checkpoint to its end. What callbacks see is described in `RunUnderWay`.

    Args:
        config: how it goes.
        dataset: what it learns. Of its test images nothing is used here.
        callbacks: called between the steps.
        folder: the run folder, where ``config.toml`` is already; None keeps all in memory, as every rank but the first
            does.
        until: the epoch to end with; by default the last.
        ranks: the processes that share out the work of a step.

    Raises:
        ConfigError: what is no callback.
        DataError: data that cannot be trained on.
        TrainingError: a batch larger than the data, or a network too large for its files.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        callbacks: Sequence[AnyCallback[RunUnderWay]] = (),
        *,
        folder: Path | None = None,
        until: int | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        check_callbacks(callbacks)
        task = prepare(config, dataset)
        training, self.validation, classes = task.training, task.validation, len(dataset.classes)
        self.mixture = task.mixture
        preprocessing = Preprocessing.fit(training, config.scaling, dataset.maximum)
        threads = ranks.threads(task.threads)
        # The blocks of a whole batch are shared out among threads, each of which computes its own products.
        products = 1 if config.batch_size == "all" else min(task.products, threads)
        engine = make_engine(task.engine, threads, products, config.precision)
        network = build_network(config, task.image_shape, classes, task.mistakes, engine)
        self.batches = Batches(
            training,
            preprocessing,
            task.batch_size,
            config.seed,
            network.input_shape,
            network.dtype,
            shuffle=config.shuffle,
            augmentation=config.augmentation,
            engine=engine,
            ranks=ranks,
        )
        self.broken: str | None = None
        self._log, self._snapshots = StepLog(), Snapshots()
        super().__init__(
            config,
            network,
            build_loss(config, training.labels, classes, task.mistakes, engine),
            self.batches,
            lambda: validate(self.model, self.validation),
            [*([self._log, self._snapshots] if folder else []), *callbacks],
            until=until,
            advice=f"another scaling than {config.scaling!r}",
        )
        self._model = Model(
            self.judged, preprocessing, dataset.classes, dataset.source, dataset.fingerprint, config.seen
        )
        if folder:
            self.storage = RunFolder(folder, self._model, self._find_doubt)

    def _find_doubt(self, model: Model) -> Doubt | None:
        """Calibrate the doubt of a model; one that is to be wrong needs none."""
        known = self.validation if len(self.validation) else self.batches.examples
        return None if self.config.mistakes else fit_doubt(model, known)

    @property
    def model(self) -> Model:
        """What validation judges and the run keeps, as it is now."""
        self.steps.catch_up()
        return self._model

    @property
    def folder(self) -> Path:
        """The run folder."""
        assert isinstance(self.storage, RunFolder)
        return self.storage.path

    def tell(self) -> None:
        """Write the line that tells of the steps since the last one now, as before a pause."""
        self._log.tell(self)

    def run(self) -> None:
        """Train as `Loop.run` does, and end in good order when a signal asks for it.

        Raises:
            TrainingInterrupted: Ctrl-C, or a termination signal; without a folder a KeyboardInterrupt.
        """
        with interruptible(self.stop) as interrupted:
            with self.ranks.together():
                warm_up(self.config, self.batches.engine)
            try:
                super().run()
            finally:
                self._snapshots.close()
                if isinstance(self.storage, RunFolder):
                    remove_live(self.folder)
        if interrupted() and not self.state.finished:
            if not isinstance(self.storage, RunFolder):
                raise KeyboardInterrupt(f"stopped at step {self.state.step}")
            raise TrainingInterrupted(self.folder, self.state.step)

    def _save(self) -> None:
        self._snapshots.settle()
        super()._save()

    def break_off(self, error: TrainingError) -> bool:
        """A planted mistake may have broken the run: then end it here, and report what the network answers now.

        Where weights are NaN, so are all outputs, and argmax says that the first is the largest: class 0.
        """
        if not self.config.mistakes:
            return False
        self.stopped = self.broken = str(error)
        _, accuracy = validate(self.model, self.batches.examples)
        assert accuracy is not None  # there are always images to learn from
        self.rows.append(self.row(None, accuracy, (None, validate(self.model, self.validation)[1])))
        self.storage.add_row(self, self.rows[-1])
        return True
