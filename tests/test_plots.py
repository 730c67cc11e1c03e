import re
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import glassnet
from glassnet import plots
from glassnet.data import Augmentation, Examples, Preprocessing
from glassnet.errors import DataError
from glassnet.evaluation import Evaluation
from glassnet.model import Model
from glassnet.nn import Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU, Reshape
from glassnet.notebook import signed
from glassnet.plots.style import VERMILLION
from glassnet.training import LearningRateSearch


def row(epoch, loss, accuracy, validation_loss=None, validation_accuracy=None):
    return {
        "epoch": epoch,
        "loss": loss,
        "accuracy": accuracy,
        "validation_loss": validation_loss,
        "validation_accuracy": validation_accuracy,
    }


HISTORY = [row(1, 0.9, 0.7, 0.8, 0.75), row(2, 0.5, 0.85, 0.6, 0.80), row(3, 0.3, 0.95, 0.7, 0.82)]


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    return Examples(rng.integers(0, 256, (60, 5, 7), dtype=np.uint8), np.arange(60, dtype=np.int64) % 3)


@pytest.fixture
def evaluation(examples):
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(3), 60).astype(np.float32)
    probabilities[np.arange(60), examples.labels] += 0.5
    return Evaluation(examples.labels, probabilities / probabilities.sum(axis=1, keepdims=True), ("ant", "bee", "cat"))


@pytest.fixture
def certain(examples):
    """Everything right, each time with probability 1."""
    return Evaluation(examples.labels, np.eye(3)[examples.labels], ("ant", "bee", "cat"))


def model_of(network):
    preprocessing = Preprocessing(height=5, width=7, scale=1 / 255, shift=0.0, box=5, dark_on_light=False)
    return Model(network, preprocessing, ("ant", "bee", "cat"))


def draw(figure):
    """Lay the figure out as for a file, which makes an error of any warning."""
    figure.draw_without_rendering()
    return figure


def texts(axes):
    return [text.get_text() for text in axes.texts]


def title(axes):
    return axes.get_title(loc="left")


def lines(axes):
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines}


def test_learning_curves_show_the_history_and_mark_the_best_epoch_of_each_figure():
    loss, accuracy = draw(plots.learning_curves(HISTORY)).axes
    assert lines(loss) == {
        "training": [[1, 0.9], [2, 0.5], [3, 0.3]],
        "validation": [[1, 0.8], [2, 0.6], [3, 0.7]],
        "best": [[2, 0.6]],
    }
    assert lines(accuracy)["training"] == [[1, 70], [2, 85], [3, 95]]
    assert lines(accuracy)["best"] == [[3, 82]]
    assert title(loss) == "Loss: best 0.600, epoch 2"
    assert title(accuracy) == "Accuracy: best 82.0 %, epoch 3"
    assert sorted(texts(loss)) == ["training", "validation"]
    assert (loss.get_xlabel(), accuracy.get_ylabel()) == ("epoch", "accuracy (%)")


def test_names_stand_at_the_ends_of_their_curves_and_apart_however_close_those_are():
    history = [*HISTORY, row(4, 0.25, 0.96, 0.251, 0.9601)]
    for axes in draw(plots.learning_curves(history)).axes:
        lower, upper = sorted(axes.texts, key=lambda text: text.xy[1])
        assert list(lower.xy) == lines(axes)[lower.get_text()][-1]
        assert list(upper.xy) == lines(axes)[upper.get_text()][-1]
        assert upper.get_window_extent().y0 >= lower.get_window_extent().y1


@pytest.mark.parametrize("epochs", [1, 3])
def test_learning_curves_without_validation_mark_nothing(epochs):
    history = [row(epoch, 1 / epoch, 0.9) for epoch in range(1, epochs + 1)]
    loss, accuracy = draw(plots.learning_curves(history)).axes
    assert lines(loss) == {"training": [[epoch, 1 / epoch] for epoch in range(1, epochs + 1)]}
    assert (title(loss), title(accuracy)) == ("Training loss", "Training accuracy")
    assert texts(loss) == ["training"]


def test_a_single_epoch_is_visible_as_a_dot():
    loss, _ = draw(plots.learning_curves(HISTORY[:1])).axes
    assert all(line.get_markersize() > 0 for line in loss.lines)
    assert lines(loss)["validation"] == [[1, 0.8]]


def test_no_history_is_an_error():
    with pytest.raises(DataError, match="no learning curve"):
        plots.learning_curves([])


def test_confusion_matrix_writes_each_count_and_colours_the_mistakes_alone(evaluation):
    axes = draw(plots.confusion_matrix(evaluation)).axes[0]
    written = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    expected = {(c, r): str(n) for (r, c), n in np.ndenumerate(evaluation.confusion) if n}
    assert written == expected
    shown = axes.images[0].get_array()
    assert np.ma.getmaskarray(shown).tolist() == np.eye(3, dtype=bool).tolist()
    off_diagonal = ~np.eye(3, dtype=bool)
    np.testing.assert_array_equal(shown.data[off_diagonal], evaluation.confusion[off_diagonal])
    assert axes.images[0].get_clim() == (0, evaluation.confusion[off_diagonal].max())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ant", "bee", "cat"]
    (true, said, _) = evaluation.most_confused(1)[0]
    assert title(axes) == f"{evaluation.confusion.trace()} of 60 correct; most often, {true} was mistaken for {said}"


def test_confusion_matrix_without_a_mistake(certain):
    axes = draw(plots.confusion_matrix(certain)).axes[0]
    assert title(axes) == "60 of 60 correct"
    assert texts(axes) == ["20", "20", "20"]


@pytest.mark.parametrize("k", [2, 20, 47])
def test_confusion_matrix_of_few_and_of_many_classes(k):
    labels = np.arange(4 * k) % k
    names = tuple(f"a rather long name {i}" for i in range(k))
    axes = draw(plots.confusion_matrix(Evaluation(labels, np.eye(k)[labels], names))).axes[0]
    assert len(axes.get_xticklabels()) == k
    assert len(texts(axes)) == (k if k <= 20 else 0)
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert all(left.x1 <= right.x0 + 1 for left, right in pairwise(boxes))


@pytest.mark.parametrize(("units", "shown"), [(1, 1), (10, 10), (100, 64)])
@pytest.mark.parametrize("flatten", [False, True])
def test_first_layer_weights_are_the_columns_of_the_matrix_as_images(units, shown, flatten):
    dense = Dense(units)
    below = [Flatten()] if flatten else []
    network = Network([*below, dense, ReLU(), Dense(3)], (5, 7) if below else 35)
    axes = draw(plots.first_layer_weights(model_of(network))).axes[0]
    assert len(axes.images) == shown
    for unit, image in enumerate(axes.images):
        np.testing.assert_array_equal(image.get_array(), dense.W[:, unit].reshape(5, 7))
        assert image.get_cmap() is plots.SIGNED
        low, high = image.get_clim()
        assert low == -high < 0
    assert f"{shown} of 100" in title(axes) or units == shown


def test_first_layer_weights_of_a_convolution_are_its_filters():
    network = Network([Reshape((5, 7, 1)), MaxPool2D(1), Conv2D(6, (3, 2)), ReLU(), Flatten(), Dense(3)], 35)
    axes = draw(plots.first_layer_weights(model_of(network))).axes[0]
    assert len(axes.images) == 6
    for unit, image in enumerate(axes.images):
        np.testing.assert_array_equal(image.get_array(), network.layers[2].W[:, :, 0, unit])
    assert title(axes) == "The 6 filters of the first layer, each as the image of its weights"


def test_first_layer_weights_behind_a_pool_have_the_shape_of_what_it_leaves():
    network = Network([Reshape((5, 7, 1)), MaxPool2D(2), Flatten(), Dense(4)], 35)
    images = draw(plots.first_layer_weights(model_of(network))).axes[0].images
    np.testing.assert_array_equal(images[1].get_array(), network.layers[3].W[:, 1].reshape(2, 3))


def test_weights_that_are_all_zero_are_white():
    network = Network([Dense(4)], 35)
    network.parameters[:] = 0
    images = draw(plots.first_layer_weights(model_of(network))).axes[0].images
    assert [image.norm(0.0) for image in images] == [0.5] * 4  # the middle of the colours: white


def test_hardest_images_say_what_was_said_how_surely_and_what_was_true(evaluation, examples):
    axes = draw(plots.hardest_images(evaluation, examples)).axes[0]
    hardest = evaluation.hardest(15)
    assert len(axes.images) == 15
    words = texts(axes)
    for place, index in enumerate(hardest):
        np.testing.assert_array_equal(axes.images[place].get_array(), examples.images[index])
        said, true = evaluation.predictions[index], evaluation.labels[index]
        sure = f"{100 * evaluation.probabilities[index, said]:.0f} %"
        expected = [f"predicted {evaluation.classes[said]}", sure, f"true {evaluation.classes[true]}"]
        assert words[3 * place : 3 * place + 3] == expected
    wrong = sum(evaluation.predictions[hardest] != evaluation.labels[hardest])
    assert 0 < wrong < 15
    colours = [text.get_color() for text in axes.texts[::3]]
    assert colours.count(VERMILLION) == wrong
    assert title(axes) == f"The 15 hardest images: {wrong} misclassified"


def test_hardest_images_when_all_are_right_and_when_there_are_few(certain, examples):
    assert title(draw(plots.hardest_images(certain, examples)).axes[0]).endswith("0 misclassified")
    few = Evaluation(certain.labels[:2], certain.probabilities[:2], certain.classes)
    assert len(draw(plots.hardest_images(few, examples.take(np.arange(2)))).axes[0].images) == 2


def test_calibration_draws_the_bins_and_names_the_error(evaluation):
    upper, lower = draw(plots.calibration(evaluation)).axes
    bins = evaluation.reliability()
    assert [bar.get_height() for bar in upper.patches] == pytest.approx(100 * bins.accuracy)
    assert [bar.get_height() for bar in lower.patches] == bins.count.tolist()
    assert [bar.get_x() for bar in lower.patches] == pytest.approx(np.arange(15) * 100 / 15)
    filled = bins.count > 0
    dots = upper.lines[1].get_xydata()
    np.testing.assert_allclose(dots, 100 * np.stack([bins.confidence, bins.accuracy], axis=1)[filled])
    assert f"{100 * evaluation.calibration_error:.1f} %" in title(upper)
    assert "expected calibration error" in title(upper)


def test_samples_have_a_row_a_class_and_leave_an_absent_class_empty(examples):
    axes = draw(plots.samples(examples, ["ant", "bee", "cat", "dog"])).axes[0]
    assert texts(axes) == ["ant", "bee", "cat", "dog"]
    rows = [int(np.mean(image.get_extent()[2:])) for image in axes.images]
    assert [rows.count(number) for number in range(4)] == [16, 16, 16, 0]
    np.testing.assert_array_equal(axes.images[17].get_array(), examples.images[examples.labels == 1][1])


def test_augmented_images_stand_beside_their_versions(examples):
    augmentation = Augmentation(rotation=20, elastic=0.5)
    axes = draw(plots.augmented(examples, augmentation, seed=3)).axes[0]
    assert len(axes.images) == 3 * 10  # three classes
    shown = [image.get_array() for image in axes.images]
    for label in range(3):
        original, *versions = shown[10 * label : 10 * label + 10]
        np.testing.assert_array_equal(original, examples.images[examples.labels == label][0])
        assert all((version != original).any() for version in versions)
    assert title(axes) == "rotation 20, elastic 0.5, smoothness 4"
    again = draw(plots.augmented(examples, augmentation, seed=3)).axes[0]
    np.testing.assert_array_equal(again.images[5].get_array(), shown[5])


def test_augmented_images_show_their_ground_and_at_most_six_classes(examples):
    many = Examples(examples.images, np.arange(60, dtype=np.int64))
    axes = draw(plots.augmented(many, Augmentation(shift=100), ground=200)).axes[0]
    assert len(axes.images) == 6 * 10
    assert all((image.get_array() == 200).any() for image in axes.images[1:10])
    with pytest.raises(DataError, match="no images"):
        plots.augmented(examples.take(np.arange(0)), Augmentation(shift=1))


def test_pixels_are_square_and_bright_ones_are_ink(examples):
    axes = draw(plots.samples(examples, ["ant", "bee", "cat"])).axes[0]
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        assert (right - left) / 7 == pytest.approx((bottom - top) / 5)
        assert 0 < left % 1 < right % 1 < 1  # each inside its own square
    black, white = axes.images[0].cmap(1.0), axes.images[0].cmap(0.0)
    assert (black, white) == ((0, 0, 0, 1), (1, 1, 1, 1))


def test_names_with_dollar_signs_are_not_taken_for_mathematics(examples):
    names = ("$\\frac{$", "$x_$", "plain")
    evaluation = Evaluation(examples.labels, np.eye(3)[(examples.labels + 1) % 3], names)
    axes = draw(plots.confusion_matrix(evaluation)).axes[0]
    assert title(axes) == "0 of 60 correct; most often, $\\frac{$ was mistaken for $x_$"
    assert texts(draw(plots.samples(examples, names)).axes[0]) == list(names)
    draw(plots.hardest_images(evaluation, examples))


def test_no_global_state_is_touched(evaluation, examples):
    before = dict(matplotlib.rcParams)
    draw(plots.samples(examples, evaluation.classes))
    draw(plots.calibration(evaluation))
    assert dict(matplotlib.rcParams) == before


def search_of(smoothed):
    return LearningRateSearch(np.logspace(-6, 1, len(smoothed)), smoothed + 0.1, smoothed, False)


def test_a_learning_rate_search_marks_what_it_advises():
    x = np.linspace(-6, 1, 150)
    search = search_of(2 - 1 / (1 + np.exp(-6 * (x + 3))) + 3 / (1 + np.exp(-12 * x)))
    (axes,) = draw(plots.learning_rate_search(search)).axes
    assert axes.get_title(loc="left") == f"Learning rate: {search.suggestion:.2g}, where 85 % of the fall is done"
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(lines["smoothed"].get_ydata(), search.smoothed)
    np.testing.assert_array_equal(lines["each step"].get_ydata(), search.losses)
    assert lines["largest"].get_xdata()[0] == search.largest
    assert axes.get_ylim()[1] < search.smoothed.max()  # what shoots up leaves the picture


def test_a_learning_rate_search_that_found_nothing():
    (axes,) = draw(plots.learning_rate_search(search_of(np.full(5, 2.0)))).axes
    assert axes.get_title(loc="left") == "The loss does not fall at any learning rate"
    assert not texts(axes)


def test_blue_is_positive_and_orange_negative_wherever_numbers_have_a_sign() -> None:
    page = (Path(glassnet.__file__).parent / "web/static/shared/palette.js").read_text("utf-8")
    above, below = (
        tuple(map(int, re.findall(rf"{name} = \[(\d+), (\d+), (\d+)\]", page)[0])) for name in ("FOR", "AGAINST")
    )
    for share, colour in ((1.0, above), (0.0, below)):
        assert plots.SIGNED(share, bytes=True)[:3] == colour
    np.testing.assert_array_equal(signed(np.array([[1.0, -1.0, 0.0]]))[0], [above, below, (255, 255, 255)])


def test_a_map_names_its_classes_beside_their_colours():
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    for classes in (("0", "1", "2"), ("ant", "bee", "a very long name")):
        figure = draw(plots.projection(rng.normal(size=(30, 2)), labels, classes, "umap"))
        (axes,) = figure.axes
        assert "30 images" in axes.get_title(loc="left")
        assert "UMAP" in axes.get_title(loc="left")
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        assert len(names) == 3
        assert all("(10)" in name for name in names)
        signs = {tuple(map(tuple, points.get_paths()[0].vertices.round(3))) for points in axes.collections}
        assert len(signs) == 3  # no class is told by its colour alone


def test_a_map_without_points_or_with_other_labels():
    for points, labels in ((0, 0), (3, 2)):
        with pytest.raises(DataError, match="one label for each point"):
            plots.projection(np.zeros((points, 2)), np.zeros(labels, np.int64), ("a", "b"))
