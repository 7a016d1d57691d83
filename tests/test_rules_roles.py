"""Every rule in both roles, and many pairs at once."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory._engine import small_solve, symmetric_pseudo_solve
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
from ipd_theory.learning.views import OtherSide, as_repeated_game, repeated_game

GAME = ipd.MatrixGame(jnp.array([[[3.0, -1.0], [2.5, 0.5]], [[1.0, 2.0], [-2.0, 0.0]]]))
MIRRORED = ipd.MatrixGame(jnp.swapaxes(GAME.payoffs[::-1], -1, -2))
RULES = (
    *(rules.still(), rules.naive(), rules.look_ahead(0.5), rules.lola_as_published(0.5), rules.lola_dice(2, 0.5)),
    *(rules.lola_with_look_ahead(0.5), rules.sos(0.5), rules.sos(0.5, share=0.5, looking_ahead=False)),
    *(rules.consensus(), rules.sga(), rules.cgd(0.5), rules.extragradient(0.5), rules.symplectic_surgery()),
    *(rules.hola(1, 0.5), rules.cola(0.1), rules.coala(2, 0.5), rules.meta_value(2, 0.5, 0.9), rules.pola(1.0, 1.0)),
    *(rules.loqa(0.3), rules.advantage_alignment(0.3), rules.path_gradient((0.5, 0.5), 0.5, 0.1, rules.consensus())),
    rules.mixture((rules.naive(), rules.loqa(1.0)), (1.0, 0.5)),
)
QUADRATIC = tuple(r for r in RULES if not any(name in repr(r) for name in ("loqa", "alignment", "pola")))


class Quadratic:
    """Two quadratic returns of two parameters each, from player 1's side or, turned, from player 2's."""

    def __init__(self, turned=False):
        self.returns = (self._second, self._first) if turned else (self._first, self._second)
        self.turned = turned

    def _first(self, x, y):
        return x[0] * y[1] - 0.3 * x @ x + 0.5 * y @ y + 0.2 * x[1] * y[0]

    def _second(self, x, y):
        return 0.7 * x[1] * y[1] - 0.1 * y @ y + x[0] * y[0] + 0.4 * x @ x

    def own(self, x, y):
        return self.returns[0](y, x) if self.turned else self.returns[0](x, y)

    def other(self, x, y):
        return self.returns[1](y, x) if self.turned else self.returns[1](x, y)

    def swapped(self):
        return OtherSide(self)


def test_player_two_follows_the_mirror_of_what_player_one_would():
    """Each rule sees the game from the second side, against the same game with the sides written the other way."""
    x, y = jnp.array([0.3, -0.8]), jnp.array([0.5, 0.2])

    def directions(view):
        return [rule.update(view, y, x, rule.init(y, x))[0] for rule in QUADRATIC]

    got, want = jax.jit(lambda: (directions(OtherSide(Quadratic())), directions(Quadratic(turned=True))))()
    for rule, a, b in zip(QUADRATIC, got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13, err_msg=repr(rule))


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_every_rule_takes_either_side_of_the_repeated_game(rule):
    view, x = repeated_game(GAME, 0.9, np.dtype(float)), jnp.zeros(5)
    for side in (view, view.swapped()):
        shape, _, _ = jax.eval_shape(lambda x, side=side: rule.update(side, x, x, rule.init(x, x)), x)
        assert shape.shape == (5,)


def test_rules_of_action_values_meet_each_other_in_either_role():
    x, y = jax.random.normal(jax.random.key(1), (2, 2, 5))
    pair, sgd = (rules.loqa(0.4), rules.advantage_alignment(0.3)), optax.sgd(1.0)
    settings = {"discount": 0.8, "optimizers": (sgd, sgd), "steps": 3}
    out = learn(GAME, pair, x, y, **settings)
    turned = learn(MIRRORED, pair[::-1], y, x, **settings)
    np.testing.assert_allclose(out.logits, turned.logits[:, ::-1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(out.returns, turned.returns[..., ::-1], rtol=1e-10, atol=1e-12)
    with pytest.raises(TypeError, match="repeated game"):
        as_repeated_game(Quadratic())


@pytest.mark.parametrize("size", [1, 5, 10])
def test_small_systems_are_solved(size, rng):
    matrix, right = rng.normal(size=(50, size, size)), rng.normal(size=(50, size))
    matrix[0] = matrix[0][::-1] * (np.abs(matrix[0]) > 0.5) + np.eye(size)[::-1] * 3  # wants pivots off the diagonal
    got = jax.jit(jax.vmap(small_solve))(matrix, right)
    np.testing.assert_allclose(got, np.linalg.solve(matrix, right[..., None])[..., 0], rtol=1e-8, atol=1e-8)


def test_small_symmetric_systems_have_the_pseudo_inverse_s_solution(rng):
    """Of every rank, definite or not, and where contexts are left out."""
    rotations = np.linalg.qr(rng.normal(size=(60, 5, 5)))[0]
    values = rng.normal(size=(60, 5)) * (np.arange(5) < rng.integers(0, 6, 60)[:, None])
    matrix, right = np.einsum("nik,nk,njk->nij", rotations, values, rotations), rng.normal(size=(60, 5))
    kept = rng.random((30, 5)) < 0.6
    matrix[:30] *= kept[:, :, None] & kept[:, None, :]
    got = jax.jit(jax.vmap(symmetric_pseudo_solve))(matrix, right)
    want = (np.linalg.pinv(matrix, rcond=1e-12) * right[:, None]).sum(-1)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rule", [rules.cgd(0.5), rules.symplectic_surgery(), rules.pola(1.0, 1.0)], ids=repr)
def test_no_rule_waits_for_lapack(rule):
    """Whose threads and those of blocks of pairs could wait for each other, for ever."""
    view, x = repeated_game(GAME, 0.9, np.dtype(float)), jnp.ones(5)
    program = jax.jit(lambda x: rule.update(view, x, x, ())[0]).lower(x).as_text()
    assert "lapack" not in program


MANY = """
import jax, jax.numpy as jnp, optax
import ipd_theory as ipd
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
x = jax.random.normal(jax.random.key(0), (1025, 2, 5))
out = learn(ipd.prisoners_dilemma(), (rules.cgd(1.0), rules.naive()), x[:, 0], x[:, 1], discount=0.9,
            optimizers=(optax.sgd(1.0),) * 2, steps=2)
assert jnp.isfinite(out.logits).all()
print("done")
"""


def test_more_pairs_than_one_block_end():
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "done", done.stderr
