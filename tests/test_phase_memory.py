"""Maps of pools whose agents remember two outcomes: best replies, measures, stores and the command."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import cli, replies, strategies
from ipd_theory.drawing import phase_maps
from ipd_theory.learning import pool as pools
from ipd_theory.phases import boundaries, outcomes, store
from ipd_theory.phases import sweep as sweeps
from ipd_theory.phases.grid import Axis, Cell, Sweep
from ipd_theory.replies.best import value_of_best_reply

GAME = ipd.games.bimatrix([[3.0, 0], [5, 1]], [[2.0, 4], [-1, 0]])
SMALL = Sweep(
    axes=(Axis("p_naive", (0.1, 1.0)),),
    cell=Cell(learning_rate=3.0, inner_episodes=1, tremble=0.05),
    seeds=16,
    steps=2,
    num_learners=1,
    num_judges=2,
    block=16,
    memory=2,
)


def iterated_value(payoffs, table, discount, error):
    """The average return of player 2's best reply, by value iteration over what it remembers, in numpy."""
    h, memory = len(table), strategies.memory_of(table)
    own = np.argsort(strategies.view(memory, 1))  # of player 1's context, the replier's own
    cooperates = (error + (1 - 2 * error) * np.asarray(table))[own]
    after, values = strategies.successors(memory), np.zeros(h)
    paid = np.asarray(payoffs)[[0, 2, 1, 3]]  # the replier's action first
    for _ in range(2000):
        worth = paid + discount * values[after]  # [h, 4]
        ways = [cooperates * worth[:, 2 * a] + (1 - cooperates) * worth[:, 2 * a + 1] for a in (0, 1)]
        ways = [(1 - error) * ways[a] + error * ways[1 - a] for a in (0, 1)]
        values = np.maximum(*ways)
    return (1 - discount) * values[0]


@pytest.mark.parametrize("error", [0.0, 0.1, 0.5])
def test_best_replies_to_memory_two_are_those_of_value_iteration(error):
    tables = jax.nn.sigmoid(3 * jax.random.normal(jax.random.key(0), (6, 21)))
    trembling = error + (1 - 2 * error) * tables
    payoffs = GAME.outcome_payoffs
    got = value_of_best_reply(payoffs, trembling, jnp.asarray(0.1), jnp.asarray(error))
    want = [iterated_value(payoffs[1], table, 0.9, error) for table in tables]
    np.testing.assert_allclose(got, want, rtol=1e-9)
    if error == 0:
        for discount in (0.9, 1.0):
            rate = jnp.asarray(0.1 if discount < 1 else 1e-200)
            best = replies.best_responses(GAME, tables, discount=discount, player=1).value
            np.testing.assert_allclose(value_of_best_reply(payoffs, tables, rate), best, rtol=1e-9)


@pytest.mark.parametrize("roles", [False, True])
def test_a_pool_written_longer_measures_the_same(roles):
    """Of memory one the best reply is the best of all 32 pure ones, of memory two it is found otherwise."""
    game = GAME if roles else ipd.prisoners_dilemma()
    logits = 3 * jax.random.normal(jax.random.key(1), (3, 2, 5))
    keys, measured = jax.random.split(jax.random.key(2), 3), []
    for memory in (1, 2):
        tremble = jnp.array([0.0, 0.05, 0.2])
        settings = {"num_inner_episodes": 1, "num_learners": 2, "tremble": tremble, "game": game, "roles": roles}
        pool = pools.Pool(jnp.full(3, 0.4), memory=memory, **settings)
        longer = strategies.extend(logits, memory)
        measured.append(outcomes.measure(pool, jnp.array([0.1, 0.02, 0.3]), longer, keys))
    for name, one, two in zip(outcomes.Measures._fields, *measured, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The small sweep and its store."""
    path = tmp_path_factory.mktemp("memory") / "two.zarr"
    return sweeps.run(SMALL, path), path


def test_the_store_names_what_is_remembered_and_goes_on(kept):
    grid, path = kept
    assert grid.logits.shape == (2, 16, 2, 21)
    assert grid.context.values[[0, 4, 20]].tolist() == ["start", "DD", "DD·DD"]
    assert "agents of memory 2" in phase_maps.settings_in_words(grid)
    group = store.open_same(SMALL, path)
    group["finished"][1] = 0
    assert (sweeps.run(SMALL, path).logits.values == grid.logits.values).all()
    alone = dataclasses.replace(SMALL, axes=(), cell=dataclasses.replace(SMALL.cell, p_naive=1.0))
    one = sweeps.run(alone, path.with_name("alone.zarr"))
    for name in ("logits", *outcomes.Measures._fields):
        assert one[name].values.tobytes() == grid[name].sel(p_naive=1.0).values.tobytes(), name


def test_maps_of_one_memory_are_kept_apart_and_older_stores_are_of_memory_one(kept, tmp_path):
    shorter = dataclasses.replace(SMALL, memory=1)
    with pytest.raises(ValueError, match="memory 2, not 1"):
        store.open_same(shorter, kept[1])
    assert "memory" not in store.described(shorter)  # as before there was a choice
    store.create(shorter, tmp_path / "one.zarr", [kept[1]])
    assert store.difference(shorter, tmp_path / "one.zarr") is None
    assert store.difference(SMALL, tmp_path / "one.zarr") == ("memory", "memory 1, not 2")
    assert store.missing_blocks(store.open_same(shorter, tmp_path / "one.zarr")) == [0, 1]


def test_the_theory_of_memory_one_is_not_drawn_over_maps_of_another(monkeypatch, capsys, tmp_path):
    with pytest.raises(ValueError, match="sweep must have memory 1"):
        boundaries.unstable_cells(SMALL)
    with pytest.raises(ValueError, match="memory must be 1, 2 or 3; got 4"):
        Sweep(memory=4)
    arguments = ["--memory", "2", "--boundary", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["ipd-theory", "phase", *arguments])
    with pytest.raises(SystemExit):
        cli.main()
    assert "--boundary is theory of agents of memory 1; got --memory 2" in capsys.readouterr().err


def test_the_command_maps_pools_of_memory_two(monkeypatch, capsys, tmp_path):
    small = "--seeds 2 --steps 1 --num-learners 1 --num-judges 1 --inner-episodes 1 --block 16 --cpu-devices 1"
    where = "--memory 2 --x p_naive:0:1:2 --y T:1.5:2:2"
    monkeypatch.setattr(sys, "argv", ["ipd-theory", "phase", *small.split(), *where.split(), "--out", str(tmp_path)])
    cli.main()
    assert store.load(tmp_path / "sweep.zarr").logits.shape == (2, 2, 2, 2, 21)
    assert "p_naive 0 … 1" in capsys.readouterr().out
