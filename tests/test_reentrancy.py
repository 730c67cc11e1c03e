"""One model asked by eight threads at once, in every way there is: each gets what it would get alone, bit for bit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import pytest

from glassnet import Model, evaluate
from glassnet.data import Examples, Preprocessing
from glassnet.engines import make_engine, why_not_compiled
from glassnet.explain import explain
from glassnet.export import numpy_source, onnx_graph
from glassnet.nn import GELU, BatchNorm, Dense, Network

THREADS = 8
FORM = Preprocessing(height=20, width=20, scale=1 / 255, shift=0.1, box=20, dark_on_light=False)
PICTURES = np.random.default_rng(0).integers(0, 256, (600, 20, 20), np.uint8)


def model_of(engine: str, members: int) -> Model:
    if engine == "compiled" and (why := why_not_compiled()):
        pytest.skip(why)
    layers = [[Dense(60), BatchNorm(), GELU(), Dense(10)] for _ in range(members)]
    networks = [Network(own, 400, seed=seed, engine=make_engine(engine, 2)) for seed, own in enumerate(layers)]
    for network in networks:
        network.statistics += 0.5
    return Model(networks, FORM, tuple("0123456789"))


def questions(model: Model) -> list[Callable[[], Any]]:
    """What can be asked of a model: predictions in batches of all sizes, evaluations, explanations, exports."""

    def predict(size: int, shifts: int) -> bytes:
        return model.predict_proba(PICTURES[600 - size :], shifts).tobytes()

    def judge(size: int) -> bytes:
        evaluation = evaluate(model, Examples(PICTURES[:size], np.arange(size) % 10))
        return evaluation.probabilities.tobytes()

    sizes = [*range(1, 40), 127, 128, 129, 200, 511, 512, 513, 600]
    asked: list[Callable[[], Any]] = [lambda s=size: predict(s, 0) for size in sizes]
    asked += [lambda s=size, t=shifts: predict(s, t) for size, shifts in product((1, 5, 33), (1, 2))]
    asked += [lambda s=size: judge(s) for size in (10, 600)]
    asked += [lambda n=number: repr(explain(model, PICTURES[n], n % 10, 0.1).to_json()) for number in range(2)]
    return [*asked, lambda: numpy_source(model)]


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_what_each_gets(engine: str, members: int) -> None:
    model = model_of(engine, members)
    asked = questions(model)
    if members == 1 and engine == "numpy":  # it takes seconds, and its code is the same for all
        asked.append(lambda: onnx_graph(model).SerializeToString())
    alone = [ask() for ask in asked]
    orders = [np.random.default_rng(thread).permutation(len(asked)) for thread in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        for order, answers in zip(orders, threads.map(lambda o: [asked[i]() for i in o], orders), strict=True):
            for i, answer in zip(order, answers, strict=True):
                assert answer == alone[i]
