"""What goes wrong in a rule is said, with its step, and no NaN comes out: extreme steps, singular systems."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import rules, shaping
from ipd_theory.learning.play import advance, direction, enter, learn
from ipd_theory.learning.rules.base import Problem
from ipd_theory.learning.rules.gradients import solve

EXTREME = 1e6
RULES = {
    "naive": rules.naive(),
    "look-ahead": rules.look_ahead(EXTREME),
    "lola-as-published": rules.lola_as_published(EXTREME),
    "lola": rules.lola_with_look_ahead(EXTREME),
    "lola-dice": rules.lola_dice(3, EXTREME),
    "sos": rules.sos(EXTREME),
    "extragradient": rules.extragradient(EXTREME),
    "hola": rules.hola(2, EXTREME),
    "loqa": rules.loqa(0.1),
    "advantage-alignment": rules.advantage_alignment(0.1),
    "coala": rules.coala(10, EXTREME),
    "meta-value": rules.meta_value(10, EXTREME, 0.9),
    "consensus": rules.consensus(),
    "sga": rules.sga(),
    "cgd": rules.cgd(EXTREME),
    "symplectic-surgery": rules.symplectic_surgery(),
    "cola": rules.cola(EXTREME),
    "pola": rules.pola(1.0, 1.0),
}
QUICK = ("sos", "cgd", "symplectic-surgery")
PAYOFF_SCALES = np.array([1.0, 1e150, 0.0])  # as usual, past the range of products, and all alike


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in RULES])
def test_extreme_steps_are_finite_or_named(name):
    """A step of 1e6, assumed and taken, in three games at once; the partner is naive.

    Rules may stand still: extragradient finds no gradient left where a step of 1e6 leads.
    """
    # Where its second derivatives overflow, POLA's linear solver raises an error of its own.
    scales = PAYOFF_SCALES[::2] if name == "pola" else PAYOFF_SCALES
    game = ipd.MatrixGame(scales[:, None, None, None] * ipd.prisoners_dilemma().payoffs)
    x, y = jax.random.normal(jax.random.key(0), (2, 2, 1, 5))  # two pairs in each game
    sgd = optax.sgd(EXTREME)
    out = learn(game, (RULES[name], rules.naive()), x, y, discount=0.95, optimizers=(sgd, sgd), steps=3)
    assert jnp.isfinite(out.logits).all()
    assert jnp.isfinite(out.returns).all()
    assert not jnp.isnan(out.residual).any()
    met = out.problem != Problem.NONE
    np.testing.assert_array_equal(met, out.problem_step >= 0)
    np.testing.assert_array_equal(out.problem_step < 3, True)
    first = x + EXTREME * direction(game, RULES[name], x, y, discount=0.95)
    undefined = ~jnp.isfinite(first).all(-1)
    assert (out.problem_step[..., 0][undefined] == 0).all()


class Bilinear:
    """J_1 = x + xy and J_2 = y + xy: I − αK_o has determinant 1 − α², and K is [[0, 1], [1, 0]]."""

    def own(self, x, y):
        return x[0] * (1 + y[0])

    def other(self, x, y):
        return y[0] * (1 + x[0])

    def swapped(self):
        return self


def test_cgd_names_the_step_at_which_its_system_is_singular():
    """Two steps of 0 with α = 0.5 go well; from there on α = 1 makes the system singular."""
    sound, singular = rules.cgd(0.5), rules.cgd(1.0)
    x, y = jnp.array([0.2]), jnp.array([0.7])
    sgd, view = optax.sgd(0.1), Bilinear()
    player = enter(sound, sgd, x, y)
    for t, rule in enumerate((sound, sound, singular, sound)):
        player = advance(rule, sgd, view, player, y, jnp.array(t, jnp.int32))
    assert player.problem == Problem.SINGULAR
    assert player.problem_step == 2
    assert jnp.isfinite(player.logits).all()
    assert player.residual == jnp.inf


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        ([[2.0, 1.0], [1.0, 1.0]], 0),
        ([[1.0, 1.0], [1.0, 1.0]], 2),
        ([[1.0, np.nan], [1.0, 1.0]], 2),
    ],
)
def test_a_solved_system_says_whether_it_was(matrix, problem):
    solution, info = solve(jnp.array(matrix), jnp.array([1.0, 0.0]), 1e-4)
    assert info.problem == problem
    assert not jnp.isnan(info.residual)
    if problem == Problem.NONE:
        assert (
            solve(jnp.array(matrix), jnp.array([1.0, 0.0]), -1.0)[1].problem == Problem.SINGULAR
        )  # nothing is as good
        np.testing.assert_allclose(solution, [1.0, -1.0], rtol=1e-12)


def test_a_learner_that_leaves_the_finite_numbers_is_refused():
    """A shaping objective has no info to say it in, so it raises; products of second derivatives overflow here."""
    rich = ipd.MatrixGame(1e200 * ipd.prisoners_dilemma().payoffs)
    x, y = jax.random.normal(jax.random.key(2), (2, 5))
    settings = {"discount": 0.9, "learning_rate": 1.0, "learner": rules.consensus()}
    with pytest.raises(ValueError, match="learner's path holds nan"):
        shaping.weighted_shaping_return(rich, x, y, np.ones(2), **settings)
