import copy
import gc
import json
import math
import pickle
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.nn import (
    ACTIVATIONS,
    GELU,
    SGD,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Network,
    Pass,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    tensor_shapes,
)

# Some OpenBLAS kernels read a few numbers beyond a float32 matrix of five columns when they multiply it by a vector,
# and drop them again. The product is right, but what they read may raise the processor's flag.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in matmul:RuntimeWarning")


def every_layer():
    return [
        Flatten(),
        Dense(6, "glorot_uniform", 0.5),
        BatchNorm(0.8, 1e-3),
        ReLU(),
        Dropout(0.25),
        Dense(5),
        LeakyReLU(0.2),
        Dense(5),
        GELU(),
        Dense(4),
        Sigmoid(),
        Dense(4),
        Tanh(),
        Dense(3),
    ]


def images(n, dtype=np.float32):
    return np.random.default_rng(n).normal(size=(n, 4, 2)).astype(dtype)


def one_pass(network, X, p=None):
    """A forward and a backward pass with some gradient of the outputs; copies of the outputs and the gradients."""
    p = p or Pass(network, training=True)
    Y = network.forward(X, p).copy()
    network.backward(np.cos(np.arange(Y.size)).reshape(Y.shape).astype(Y.dtype), p)
    return Y, network.gradients.copy()


def test_one_step_worked_out_by_hand(engine):
    """A network 2-2-2 with ReLU, two examples, both of class 1; ln 3 = 1.0986.

        X = ⎡ 1  2⎤   W₁ = ⎡1  1⎤   b₁ = (0, ½)      Z₁ = ⎡ 1 −½⎤      A = ⎡1 0⎤
            ⎣−1 −1⎦        ⎣0 −1⎦                         ⎣−1  ½⎦          ⎣0 ½⎦

        W₂ = ⎡ln 3    0  ⎤   b₂ = 0      Z₂ = ⎡ln 3  0  ⎤      P = ⎡¾ ¼⎤      T = ⎡0 1⎤
             ⎣ 0    2 ln 3⎦                   ⎣ 0   ln 3⎦          ⎣¼ ¾⎦          ⎣0 1⎦

        L = ½ (−ln ¼ − ln ¾) = ½ ln 16/3 = 0.8370

        dZ₂ = (P − T)/2 = ⎡⅜ −⅜⎤      dW₂ = Aᵀ dZ₂ = ⎡ ⅜     −⅜  ⎤      db₂ = (½, −½)
                          ⎣⅛ −⅛⎦                     ⎣1/16  −1/16⎦

        dA = dZ₂ W₂ᵀ = ln 3 ⎡⅜ −¾⎤      dZ₁ = ln 3 ⎡⅜  0⎤      one unit is shut for each example
                            ⎣⅛ −¼⎦                 ⎣0 −¼⎦

        dW₁ = Xᵀ dZ₁ = ln 3 ⎡⅜ ¼⎤      db₁ = ln 3 (⅜, −¼)
                            ⎣¾ ¼⎦

    With η = 0.8 each parameter then moves by −0.8 times its gradient: W₁ to ⎡0.6704  0.7803⎤ and so on.
                                                                            ⎣−0.6592 −1.2197⎦
    """
    ln3 = math.log(3)
    network = Network([Dense(2), ReLU(), Dense(2)], 2, dtype=np.float64, engine=engine)
    network.parameters[...] = [1, 1, 0, -1, 0, 0.5, ln3, 0, 0, 2 * ln3, 0, 0]
    loss, p = SoftmaxCrossEntropy(2, engine=engine), Pass(network, training=True)
    found = loss(network.forward(np.array([[1.0, 2.0], [-1.0, -1.0]]), p), np.array([1, 1]))
    np.testing.assert_array_equal(found.right, [False, True])
    network.backward(found.gradient, p)
    assert found.value == pytest.approx(0.8370, abs=5e-5)
    dW1, db1 = ln3 * np.array([[3 / 8, 1 / 4], [3 / 4, 1 / 4]]), ln3 * np.array([3 / 8, -1 / 4])
    dW2, db2 = [[3 / 8, -3 / 8], [1 / 16, -1 / 16]], [1 / 2, -1 / 2]
    for name, expected in {"0.W": dW1, "0.b": db1, "2.W": dW2, "2.b": db2}.items():
        np.testing.assert_allclose(network.named_gradients[name], expected, rtol=1e-14, err_msg=name)
    SGD(network.parameters, network.gradients, engine=engine).step(0.8)
    np.testing.assert_allclose(network.named_parameters["0.W"], [[0.6704, 0.7803], [-0.6592, -1.2197]], atol=5e-5)
    np.testing.assert_allclose(network.named_parameters["0.b"], [-0.3296, 0.7197], atol=5e-5)
    np.testing.assert_allclose(network.named_parameters["2.W"], [[0.7986, 0.3], [-0.05, 2.2472]], atol=5e-5)
    np.testing.assert_allclose(network.named_parameters["2.b"], [-0.4, 0.4], atol=1e-14)


def test_named_arrays_lie_one_after_the_other_in_the_flat_vectors():
    network = Network([Dense(3), BatchNorm(), ReLU(), Dense(2)], 4)
    names = ["0.W", "0.b", "1.gamma", "1.beta", "3.W", "3.b"]
    assert list(network.named_parameters) == list(network.named_gradients) == names
    assert list(network.named_statistics) == ["1.running_mean", "1.running_variance"]
    assert network.parameters.size == network.gradients.size == 4 * 3 + 3 + 3 + 3 + 3 * 2 + 2
    for flat, named in (
        (network.parameters, network.named_parameters),
        (network.gradients, network.named_gradients),
        (network.statistics, network.named_statistics),
    ):
        flat[...] = np.arange(flat.size)
        np.testing.assert_array_equal(np.concatenate([view.ravel() for view in named.values()]), flat)
    assert [W.shape for W, _ in network.weights()] == [(4, 3), (3, 2)]
    assert [dW.shape for _, dW in network.weights()] == [(4, 3), (3, 2)]


def test_what_is_written_to_the_flat_vector_is_what_the_layers_compute_with(engine):
    dense, norm = Dense(2), BatchNorm(epsilon=1.0)
    network = Network([dense, norm], 2, dtype=np.float64, engine=engine)
    network.parameters[...] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    network.statistics[...] = [20, 20, 3, 3]
    # (1, 1) W + b = (9, 12); (9 − 20) / √(3 + 1) = −5.5 and −4; times (7, 8) plus (9, 10).
    np.testing.assert_array_equal(network.forward(np.ones((1, 2))), [[-29.5, -22]])
    network.parameters[...] = 0
    np.testing.assert_array_equal(dense.W, np.zeros((2, 2)))
    np.testing.assert_array_equal(norm.gamma, [0, 0])


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))], ids=["copy", "pickle"]
)
def test_a_copy_has_its_own_vectors_and_its_layers_use_them(engine, duplicate):
    network = Network(every_layer(), (4, 2), engine=engine)
    optimizer = SGD(network.parameters, network.gradients, engine=engine)
    one_pass(network, images(5))
    before = network.parameters.copy()
    twin, twin_optimizer = duplicate((network, optimizer))
    for ours, theirs in zip(one_pass(twin, images(5)), one_pass(network, images(5)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    twin_optimizer.step(0.1)
    assert np.abs(twin.forward(images(5)) - network.forward(images(5))).max() > 1e-3
    np.testing.assert_array_equal(network.parameters, before)
    assert all(np.shares_memory(view, twin.statistics) for view in twin.named_statistics.values())


@pytest.mark.parametrize("seed", [0, 7])
def test_float32_and_float64_begin_alike(engine, seed):
    dtypes = ("float32", "float64")
    single, double = (Network(every_layer(), (4, 2), dtype=dtype, seed=seed, engine=engine) for dtype in dtypes)
    assert (single.parameters.dtype, double.parameters.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(single.parameters, double.parameters.astype(np.float32))
    np.testing.assert_array_equal(single.statistics, double.statistics)
    np.testing.assert_allclose(single.forward(images(5)), double.forward(images(5, np.float64)), rtol=2e-5, atol=2e-6)


def test_the_seed_decides_where_it_begins():
    same, again, other = (Network([Dense(4)], 3, seed=seed).parameters for seed in (1, 1, 2))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()


def test_without_a_seed_every_number_is_zero():
    network = Network([Dense(3), BatchNorm()], 2, seed=None)
    assert not network.parameters.any()
    assert not network.statistics.any()


def test_specification_goes_through_json_and_builds_the_same_network(engine):
    network = Network(every_layer(), (4, 2), seed=3, engine=engine)
    text = json.dumps(network.specification())
    again = Network.from_specification(json.loads(text), (4, 2), seed=3, engine=engine)
    assert again.specification() == network.specification()
    np.testing.assert_array_equal(again.parameters, network.parameters)
    for ours, theirs in zip(one_pass(again, images(6)), one_pass(network, images(6)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(again.statistics, network.statistics)


def test_tensor_shapes_are_those_of_the_network_that_would_be_built():
    network = Network(every_layer(), (4, 2))
    shapes, output_shape = tensor_shapes(network.specification(), (4, 2))
    assert shapes == {name: view.shape for name, view in (network.named_parameters | network.named_statistics).items()}
    assert output_shape == network.output_shape == network.forward(images(1)).shape[1:]
    huge, _ = tensor_shapes([{"layer": "Dense", "units": 10**12}], (10**6,))  # nothing is allocated
    assert huge["0.W"] == (10**6, 10**12)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"layer": "Dens", "units": 3}, "unknown layer 'Dens'; known: Dense, "),
        ({"units": 3}, "unknown layer None"),
        ({"layer": ["Dense"], "units": 3}, "unknown layer"),
        ({"layer": "Dense"}, "Dense cannot be made from"),
        ({"layer": "Dense", "units": 3, "unit": 4}, "Dense cannot be made from"),
        ({"layer": "Dense", "units": "three"}, "units"),
        ({"layer": "Dropout", "rate": "half"}, "Dropout cannot be made from"),
        ({"layer": "Dropout", "rate": 1}, "less than 1"),
        ({"layer": "LeakyReLU", "slope": 2}, "less than 1"),
        ({"layer": "Dense", "units": 3, "initializer": "zeros"}, "unknown initializer 'zeros'"),
    ],
    ids=str,
)
def test_specifications_that_describe_no_network_are_refused(entry, message):
    for build in (Network.from_specification, tensor_shapes):
        with pytest.raises(ValueError, match=message):
            build([entry], (4,))


@pytest.mark.parametrize("layer", [Dense(3), BatchNorm()], ids=["Dense", "BatchNorm"])
def test_layers_of_rows_ask_for_flatten_where_images_come(layer):
    with pytest.raises(ValueError, match=r"\(28, 28\).*Flatten\(\)"):
        Network([layer], (28, 28))


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.complex128])
def test_only_float32_and_float64_are_computed_in(dtype):
    with pytest.raises(ValueError, match="float32 or float64"):
        Network([Dense(2)], 3, dtype=dtype)


def test_a_layer_stands_in_one_network_and_once():
    layer = Dense(3)
    with pytest.raises(ValueError, match="only one network"):
        Network([layer, ReLU(), layer], 3)
    Network([layer], 3)
    with pytest.raises(ValueError, match="only one network"):
        Network([layer], 3)


def test_examples_of_another_shape_are_refused():
    network = Network([Flatten(), Dense(2)], (4, 2))
    with pytest.raises(ValueError, match=r"expected examples of shape \(4, 2\), got \(2, 4\)"):
        network.forward(np.zeros((5, 2, 4), np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_numbers_of_other_types_become_the_networks_own(engine, dtype):
    pixels = np.array([[0, 128, 255]], dtype)
    Y = Network([Flatten()], 3, engine=engine).forward(pixels)
    assert Y.dtype == np.float32
    np.testing.assert_array_equal(Y, pixels)


@settings(max_examples=15, derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.sampled_from(["float32", "float64"]))
def test_a_batch_does_not_depend_on_the_sizes_before_it(engine, sizes, dtype):
    network = Network(every_layer(), (4, 2), dtype=dtype, engine=engine)
    p = Pass(network, training=True)
    for n in sizes:
        fresh = Network(every_layer(), (4, 2), dtype=dtype, engine=engine)
        fresh.parameters[...], fresh.statistics[...] = network.parameters, network.statistics
        p.batch.step = 0  # the same dropout masks
        for used, expected in zip(one_pass(network, images(n), p), one_pass(fresh, images(n)), strict=True):
            np.testing.assert_array_equal(used, expected)


def test_a_pass_makes_memory_once_for_the_largest_batch_and_uses_it_again(engine):
    network = Network(every_layer(), (4, 2), engine=engine)
    p = Pass(network)
    large = network.forward(images(8), p)
    small = network.forward(images(3), p)
    assert small.shape == (3, 3)
    assert np.shares_memory(large, small)
    assert np.shares_memory(large, network.forward(images(8), p))
    assert not np.shares_memory(large, network.forward(images(8)))


def test_predicting_leaves_no_trace(engine):
    network = Network(every_layer(), (4, 2), engine=engine)
    one_pass(network, images(8))
    vectors = network.parameters, network.gradients, network.statistics
    before = [vector.copy() for vector in vectors]
    attributes = [set(vars(layer)) for layer in network.layers]
    first = network.forward(images(5))
    np.testing.assert_array_equal(network.forward(images(5)), first)
    for vector, expected in zip(vectors, before, strict=True):
        np.testing.assert_array_equal(vector, expected)
    assert [set(vars(layer)) for layer in network.layers] == attributes
    network.forward(images(5), Pass(network, training=True))
    assert (network.statistics != before[2]).all()


def test_the_images_are_left_alone(engine):
    for layers in ([*every_layer()], [Dropout(0.5), Flatten()], [ReLU()]):
        X = images(6)
        one_pass(Network(layers, (4, 2), engine=engine), X)
        np.testing.assert_array_equal(X, images(6))


def test_backward_stops_at_the_lowest_layer_with_parameters(engine, monkeypatch):
    def nobody_needs_this(layer, dY, p):
        raise AssertionError(f"{layer} was asked for the gradient of the images")

    lower = [Flatten(), Dropout(0.1), ReLU(), Dense(3)]
    network = Network([*lower, Tanh(), Dense(2)], (4, 2), engine=engine)
    for layer in lower:
        monkeypatch.setattr(layer, "input_gradient", nobody_needs_this.__get__(layer))
    _, gradients = one_pass(network, images(5))
    assert np.count_nonzero(gradients[: 8 * 3]) > 0


def test_a_network_without_parameters(engine):
    network = Network([Flatten(), ReLU()], (4, 2), engine=engine)
    X = images(3)
    Y, gradients = one_pass(network, X)
    np.testing.assert_array_equal(Y, np.maximum(X, 0).reshape(3, 8))
    assert gradients.size == network.parameters.size == 0
    SGD(network.parameters, network.gradients, engine=engine).step(0.1)


def test_activations_have_the_names_that_configurations_use():
    assert list(ACTIVATIONS) == ["relu", "leaky_relu", "gelu", "sigmoid", "tanh"]
    for activation in ACTIVATIONS.values():
        assert Network.from_specification([{"layer": activation.__name__}], 2).forward(np.zeros((1, 2))).shape == (1, 2)


def test_what_a_forward_has_left_behind_goes_with_its_pass(engine):
    network, left = Network(every_layer(), (4, 2), engine=engine), []
    gc.disable()  # a cycle would keep the arrays until it is looked for
    try:
        p = Pass(network, training=True)
        network.forward(images(8), p)
        left.append(weakref.ref(p.layers[1]))
        del p
        assert left[0]() is None
    finally:
        gc.enable()
