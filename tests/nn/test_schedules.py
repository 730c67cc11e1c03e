import math

import pytest

from glassnet.nn import constant, cosine, one_cycle, step_decay, warm_up


def values(schedule, steps):
    return [schedule(step) for step in range(steps)]


def test_constant():
    assert values(constant(0.3), 4) == [0.3] * 4


def test_step_decay_follows_its_equation():
    expected = [0.8 * 0.5 ** math.floor(s / 3) for s in range(10)]
    assert values(step_decay(0.8, every=3, factor=0.5), 10) == pytest.approx(expected)


def test_cosine_follows_its_equation_and_stays_at_the_end():
    schedule = cosine(0.5, steps=20, final=0.1)
    expected = [0.1 + (0.5 - 0.1) * (1 + math.cos(math.pi * s / 20)) / 2 for s in range(21)]
    assert values(schedule, 21) == pytest.approx(expected)
    assert schedule(0) == 0.5
    assert schedule(10) == pytest.approx(0.3)
    assert schedule(20) == pytest.approx(0.1)
    assert schedule(1_000) == pytest.approx(0.1)
    assert cosine(0.5, steps=20)(20) == pytest.approx(0)


def test_one_cycle_follows_its_equation():
    peak, steps, rise, start, final = 2.0, 40, 0.25, 0.04, 0.001

    def naive(s):
        first, last, progress = start * peak, peak, s / 10
        if s > 10:
            first, last, progress = peak, final * peak, (s - 10) / 30
        return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2

    assert values(one_cycle(peak, steps, rise, start, final), 41) == pytest.approx([naive(s) for s in range(41)])


def test_one_cycle_rises_to_its_peak_and_falls_to_almost_nothing():
    schedule = one_cycle(0.01, steps=100)
    rates = values(schedule, 101)
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates[30] == pytest.approx(0.01)
    assert rates[100] == pytest.approx(0.01 * 1e-4)
    assert schedule(1_000) == rates[100]
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)


@pytest.mark.parametrize("rise", [0.0, 1.0])
def test_one_cycle_may_be_all_rise_or_all_fall(rise):
    rates = values(one_cycle(0.01, steps=10, rise=rise), 12)
    assert max(rates) == pytest.approx(0.01)
    assert rates[10 if rise else 0] == pytest.approx(0.01)


def test_warm_up_follows_its_equation():
    schedule = warm_up(step_decay(0.8, every=3, factor=0.5), steps=5)
    expected = [0.8 * 0.5 ** (s // 3) * ((s + 1) / 5 if s < 5 else 1) for s in range(10)]
    assert values(schedule, 10) == pytest.approx(expected)


def test_warm_up_ends_at_the_full_rate_and_never_begins_at_zero():
    assert values(warm_up(constant(1.0), steps=4), 6) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert values(warm_up(constant(1.0), steps=1), 2) == [1.0, 1.0]


def test_no_warm_up_is_the_schedule_itself():
    assert values(warm_up(cosine(1.0, 10), steps=0), 11) == values(cosine(1.0, 10), 11)
