"""Longer memories and more players in batches: the elimination that is written out, against solves and fractions."""

import functools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import strategies
from ipd_theory._engine import panels, solutions
from tests.test_inside_jit import inside

KINDS = [(2, 2), (3, 1), (4, 1)]  # players and memory
DISCOUNT = 0.9


def game_for(players):
    rng = np.random.default_rng(players)
    return ipd.MatrixGame(jnp.asarray(rng.normal(size=(players, *(2,) * players))), num_players=players)


def solved(game, *tables):
    """All returns by a dense solve over all contexts, opening included."""
    players = game.num_players
    memory = strategies.memory_of(tables[0], players)
    after = strategies.successors(memory, players)
    joint = jnp.ones((*tables[0].shape, 1))
    for player, table in enumerate(tables):
        own = table[..., strategies.view(memory, player, players)]
        joint = (joint[..., None] * jnp.stack([own, 1 - own], -1)[..., None, :]).reshape(*own.shape, -1)
    moves = (joint[..., None] * jnp.eye(len(after))[after]).sum(-2)
    earned = joint @ game.outcome_payoffs.T
    values = jnp.linalg.solve(jnp.eye(len(after)) - DISCOUNT * moves, earned)
    return (1 - DISCOUNT) * values[..., 0, :]


def drawn(players, memory, batch, rng):
    return [jnp.asarray(rng.random((batch, strategies.num_contexts(memory, players)))) for _ in range(players)]


@pytest.mark.parametrize(("players", "memory"), KINDS)
@pytest.mark.parametrize("batch", [1, solutions.WORTH_WRITING_OUT - 1, solutions.WORTH_WRITING_OUT, 129])
def test_returns_of_every_size_of_batch_are_a_solve_s(players, memory, batch, rng):
    game, tables = game_for(players), drawn(players, memory, batch, rng)
    got = jax.jit(functools.partial(ipd.expected_returns, game, discount=DISCOUNT))(*tables)
    np.testing.assert_allclose(got, solved(game, *tables), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("players", "memory"), KINDS)
def test_gradients_of_batches_are_a_solve_s(players, memory, rng):
    game, tables, player = game_for(players), drawn(players, memory, 40, rng), players - 1
    for wrt in (0, players - 1):
        got = ipd.return_gradient(game, *tables, discount=DISCOUNT, player=player, wrt=wrt)
        want = jax.grad(lambda *x: solved(game, *x)[..., player].sum(), wrt)(*tables)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("way", ["jit", "vmap(jit)", "scan", "shard_map"])
def test_inside_other_compiled_code_they_are_the_same(way, rng):
    p, q = drawn(2, 2, 40, rng)
    returns = functools.partial(ipd.expected_returns, game_for(2), discount=DISCOUNT)
    np.testing.assert_allclose(inside(returns, way)(p, q), solved(game_for(2), p, q), rtol=1e-11, atol=1e-12)


def test_vmap_makes_a_batch_of_what_was_one_pair(rng):
    """The written-out elimination is chosen for what `vmap` adds up to, whatever it is nested in."""
    p, q = drawn(2, 2, 64, rng)
    one = functools.partial(ipd.expected_returns, game_for(2), discount=DISCOUNT)
    across = jax.vmap(jax.vmap(one, (None, 0)), (0, None))(p[:8], q[:8])
    want = solved(game_for(2), jnp.repeat(p[:8], 8, 0), jnp.tile(q[:8], (8, 1))).reshape(8, 8, 2)
    np.testing.assert_allclose(across, want, rtol=1e-11, atol=1e-12)
    each = jax.vmap(jax.grad(lambda p, q: one(p, q)[1]))(p, q)
    want = jax.grad(lambda p: solved(game_for(2), p, q)[:, 1].sum())(p)
    np.testing.assert_allclose(each, want, rtol=1e-9, atol=1e-11)


def test_plans_censor_every_state_once_and_count_who_leads_there():
    for states, outcomes in ((4, 4), (16, 4), (64, 4), (64, 8), (32, 32)):
        steps = panels.plan(states, outcomes)
        order = [s for step in steps for s in step.states]
        assert sorted(order) == list(range(states))
        left = set(range(states))
        for step in steps:
            left -= set(step.states)
            assert set(step.outside) <= left
            assert set(step.own) <= set(step.states)
            assert {s for _, rows, _ in step.entered_from for s in rows} <= left


def exact_occupancy(start, moves, delta):
    """d with dA = δ s in fractions, A = I − γM; its diagonal is what leaves a state, since rounded rows miss 1."""
    n, K = len(start), len(moves[0])
    rows = [[Fraction(0)] * n + [delta * start[j]] for j in range(n)]
    for i in range(n):
        rows[i][i] += delta
        for k in range(K):
            j = i % (n // K) * K + k
            if j != i:
                rows[j][i] -= (1 - delta) * moves[i][k]
                rows[i][i] += (1 - delta) * moves[i][k]
    for i in range(n):
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for r in range(n):
            if r != i and rows[r][i]:
                rows[r] = [x - rows[r][i] * y for x, y in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("rare", [2.0**-20, 2.0**-50])
def test_near_reducible_chains_keep_every_digit(rare, rng):
    """Probabilities and stopping rates down to 2⁻⁵⁰: each share of time keeps its relative accuracy."""
    batch, n, K = 40, 16, 4
    weights = rng.random((batch, n, K)) * np.where(rng.random((batch, n, K)) < 0.5, rare, 1.0)
    moves = weights / weights.sum(-1, keepdims=True)
    start, delta = np.full((batch, n), 1 / n), np.full(batch, rare)
    got = np.asarray(solutions.chain_occupancy(*map(jnp.asarray, (start, moves, delta))))
    for b in (0, 17, 39):
        exact = exact_occupancy(
            [Fraction(x) for x in start[b]], [[Fraction(x) for x in r] for r in moves[b]], Fraction(rare)
        )
        assert max(abs(Fraction(x) / y - 1) for x, y in zip(got[b].tolist(), exact, strict=True) if y) < 1e-12
