import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glassnet.data import Dataset, Examples, load_dataset
from glassnet.data.dataset import hold_out
from glassnet.errors import DataError


def make(labels, images=None, classes=("0", "1", "2")):
    labels = np.asarray(labels, np.int64)
    images = np.zeros((len(labels), 2, 2), np.uint8) if images is None else images
    train = Examples(images, labels)
    return Dataset("made", "", train, train.take(np.arange(0)), classes, False, images[:0])


@given(arrays(np.int64, st.integers(0, 80), elements=st.integers(0, 4)), st.floats(0, 0.99), st.integers(0, 9))
def test_holding_out_is_a_stratified_partition(labels, share, seed):
    kept, held = hold_out(labels, share, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    for label in range(5):
        mine = int(np.sum(labels == label))
        assert abs(np.sum(labels[held] == label) - mine * share) < 1 + 1e-9
        assert mine != 1 or label in labels[kept]


def test_a_split_is_the_one_that_it_always_was():
    """A run that is resumed splits again: with other indices it would validate on what it has learned."""
    labels = np.array([2, 0, 1, 1, 0, 2, 0, 1, 0, 0, 2, 1, 1, 0, 2, 0, 0, 1, 0, 2])
    kept, held = hold_out(labels, 0.25, 7)
    assert held.tolist() == [0, 2, 3, 6, 13]
    assert kept.tolist() == [1, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19]


def test_a_split_depends_on_the_seed_alone():
    dataset = make(np.arange(60) % 3, np.arange(240).astype(np.uint8).reshape(60, 2, 2))
    first, again, other = (dataset.split(0.25, seed)[1].images for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(first) == 15


def test_a_split_of_nothing_is_empty_and_a_wrong_share_is_refused():
    learn, choose = make([0, 1]).split(0, 0)
    assert (len(learn), len(choose), choose.images.shape) == (2, 0, (0, 2, 2))
    for share in (-0.1, 1, float("nan")):
        with pytest.raises(DataError, match="fraction"):
            make([0, 1]).split(share, 0)


def test_held_out_test_images_never_reach_a_run():
    images = (np.arange(200) % 256).astype(np.uint8)[:, None, None] * np.ones((2, 2), np.uint8)
    first, again = (load_dataset((images, np.arange(200) % 10)) for _ in range(2))
    assert len(first.test) == 40
    assert first.fingerprint == again.fingerprint
    held = set(first.test.images[:, 0, 0])
    for seed in range(5):
        for part in first.split(0.2, seed):
            assert not held & set(part.images[:, 0, 0])


@pytest.mark.parametrize("change", ["pixel", "label", "class", "test"])
def test_the_fingerprint_notices_every_change(change):
    def build(changed):
        images, labels = np.zeros((9, 2, 2), np.uint8), np.arange(9, dtype=np.int64) % 3
        test = images.copy()
        if changed == "pixel":
            images[4, 1, 1] = 1
        if changed == "label":
            labels[0] = 2
        if changed == "test":
            test[0, 0, 0] = 1
        names = ("0", "1", "x" if changed == "class" else "2")
        return Dataset("a", "", Examples(images, labels), Examples(test, labels * 0), names, True, images[:0])

    assert build(None).fingerprint == build(None).fingerprint
    assert build(None).fingerprint != build(change).fingerprint


def test_learning_needs_labels_and_two_classes():
    make([0, 1]).require_trainable()
    with pytest.raises(DataError, match="no labels"):
        make([]).require_trainable()
    with pytest.raises(DataError, match="class '2'"):
        make([2, 2]).require_trainable()


def test_examples_must_agree():
    images, labels = np.zeros((3, 2, 2), np.uint8), np.zeros(3, np.int64)
    for bad in (
        (images[:2], labels),
        (images.astype(float), labels),
        (images, labels.astype(np.int32)),
        (images[:, :0], labels),
        (np.zeros((1, 1, 4097), np.uint8), labels[:1]),
    ):
        with pytest.raises(DataError):
            Examples(*bad)
    with pytest.raises(DataError, match="the same size"):
        Dataset("a", "", Examples(images, labels), Examples(images[:, :1], labels), ("0", "1"), True, images[:0])


@given(st.lists(st.integers(0, 8)), st.integers(1, 5), st.data())
def test_a_part_of_a_part_is_what_indexing_twice_gives(first, size, data):
    images, labels = np.arange(36, dtype=np.uint8).reshape(9, 2, 2), np.arange(9)
    part, rows = Examples(images, labels).take(np.array(first, int)), np.array(first, int)
    if first:
        second = np.array(data.draw(st.lists(st.integers(0, len(first) - 1))), int)
        part, rows = part.take(second), rows[second]
    assert len(part) == len(rows)
    assert part.image_shape == (2, 2)
    assert np.array_equal(part.labels, labels[rows])
    assert np.array_equal(part.images, images[rows])
    places = np.arange(len(part))[::-2]
    assert np.array_equal(part.images_at(places), images[rows[places]])
    blocks = list(part.blocks(size))
    assert all(len(block) <= size for block in blocks)
    assert [tuple(image.ravel()) for block in blocks for image in block.images] == [
        tuple(image.ravel()) for image in images[rows]
    ]


@pytest.mark.parametrize(
    ("count", "rows"), [(0, []), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (5, [0, 2, 4]), (9, [0, 3, 6])]
)
def test_a_few_are_spread_over_all(count, rows):
    examples = Examples(np.arange(count, dtype=np.uint8).reshape(-1, 1, 1), np.arange(count))
    assert examples.spread(4).labels.tolist() == examples.spread(4).images.ravel().tolist() == rows


@pytest.mark.parametrize("shared", [True, False])
def test_joined_examples_are_both_one_after_the_other(shared):
    images, labels = np.arange(36, dtype=np.uint8).reshape(9, 2, 2), np.arange(9)
    whole = Examples(images, labels)
    part = Examples(images if shared else images.copy(), labels).take(np.array([5, 2]))
    for one, other in ((whole, part), (part, whole), (part, part)):
        both = one.joined(other)
        assert np.array_equal(both.labels, [*one.labels, *other.labels])
        assert np.array_equal(both.images_at(np.arange(len(both))), images[both.labels])


def test_blocks_of_all_images_are_views():
    images = np.zeros((10, 2, 2), np.uint8)
    assert all(np.shares_memory(block.images, images) for block in Examples(images, np.arange(10)).blocks(4))


def test_splitting_and_reading_a_mapped_file_copies_no_images(tmp_path):
    count = 60_000
    pixels = np.random.default_rng(0).integers(0, 256, (count, 20, 20), np.uint8)
    (tmp_path / "images").write_bytes(pixels.data)
    mapped = np.memmap(tmp_path / "images", np.uint8, "r", shape=pixels.shape)
    labels = np.arange(count) % 10
    tracemalloc.start()
    try:
        dataset = load_dataset((mapped, labels))
        training, held_out = dataset.split(0.1, 0)
        sums = [sum(int(block.images.sum()) for block in part.blocks()) for part in (training, held_out, dataset.test)]
        largest = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sums) == pixels.sum()
    assert largest < mapped.nbytes / 2
