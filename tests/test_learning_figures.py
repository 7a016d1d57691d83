"""Figures 4A to 4C: which LOLA-DiCE agents cooperate, and what their policies do to a naive learner.

Trained from one seed, the quick presets (16 pairs). Where two means are compared, a difference within three standard
errors fails; against means that were equal, it would pass once in 700 times.
"""

import jax
import numpy as np
import pytest

from paper_figures import figure_4a, figure_4b, figure_4c, lola_dice

pytestmark = pytest.mark.slow


def last_rewards(module):
    with jax.numpy_dtype_promotion("standard"):  # optax.adamw mixes integer counts and floats
        return module.compute(module.PRESETS["quick"], 0, lambda done: None)["rewards"][-1]


def by_look_aheads(module):
    """Return the last reward of every pair, both players' mean, by number of look-aheads."""
    return dict(zip(lola_dice.LOOK_AHEADS, last_rewards(module).mean(-1), strict=True))


def error(x):
    return x.std(ddof=1) / np.sqrt(x.size)


def clearly_above(x, y):
    return x.mean() - y.mean() > 3 * np.hypot(error(x), error(y))


def test_few_look_aheads_cooperate_many_do_not_and_the_naive_gradient_helps():
    alone, mixed = by_look_aheads(figure_4a), by_look_aheads(figure_4c)
    for look_aheads in (1, 2):
        assert alone[look_aheads].size == 16
        assert alone[look_aheads].mean() > 0.75
        assert clearly_above(alone[look_aheads], alone[20])
    assert alone[20].mean() < 0.25
    assert clearly_above(mixed[10], alone[10])
    assert mixed[10].mean() > 0.75


def test_the_frozen_policy_extorts_a_fresh_learner():
    frozen, learner = last_rewards(figure_4b).T
    assert frozen.shape == (16,)
    assert frozen.min() > 0.8
    assert clearly_above(frozen, learner)
