"""Longer memories and more players in float64 against numpy's batched solve of the same chains, inside `jax.jit`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import ipd_theory as ipd
from ipd_theory import strategies
from tests.benchmarks import Row, compare, limits

# Players, memory, chains, and the ratio that is promised for returns.
CHAINS = ((2, 2, 2**14, 5.0), (2, 3, 2**11, 2.0), (3, 1, 2**14, 2.0), (4, 1, 2**12, 2.0), (3, 2, 2**9, 2.0))
DISCOUNT = 0.95


def systems(game: ipd.MatrixGame, tables: list[np.ndarray], memory: int) -> tuple[np.ndarray, np.ndarray]:
    """Return I − γM [batch, K^n, K^n] and the payoffs [K^n, players] of the histories of full length."""
    players, K = game.num_players, 2**game.num_players
    joint = np.ones((len(tables[0]), K**memory, 1))
    for player, table in enumerate(tables):
        own = table[:, strategies.view(memory, player, players)][:, -(K**memory) :]
        joint = (joint[..., None] * np.stack([own, 1 - own], -1)[..., None, :]).reshape(*joint.shape[:2], -1)
    moves = np.zeros((len(joint), K**memory, K**memory))
    histories = np.arange(K**memory)
    for outcome in range(K):
        moves[:, histories, histories % K ** (memory - 1) * K + outcome] = joint[..., outcome]
    payoffs = np.tile(np.asarray(game.outcome_payoffs, float).T, (K ** (memory - 1), 1))
    return np.eye(K**memory) - DISCOUNT * moves, payoffs


def game_for(players: int) -> ipd.MatrixGame:
    """Return the prisoner's dilemma, or a public goods game for more than two."""
    return ipd.prisoners_dilemma() if players == 2 else ipd.games.public_goods(players, 1.6)


def run() -> list[Row]:
    """Time returns and gradients of each kind of chain; numpy only solves for the values, from matrices at hand."""
    with jax.enable_x64(True):
        return [row for chain in CHAINS for row in _rows(*chain)]


def _rows(players: int, memory: int, chains: int, target: float) -> list[Row]:
    game, contexts = game_for(players), strategies.num_contexts(memory, players)
    drawn = list(np.random.default_rng(0).random((players, chains, contexts)))
    matrices, payoffs = systems(game, drawn, memory)
    right, tables = np.broadcast_to(payoffs, (chains, *payoffs.shape)), [jnp.asarray(x) for x in drawn]
    returns = jax.jit(lambda *x: ipd.expected_returns(game, *x, discount=DISCOUNT))
    gradient = jax.jit(lambda *x: ipd.return_gradient(game, *x, discount=DISCOUNT))
    flops = chains * limits.flops_of_chain(len(payoffs), 2**players)
    least = limits.least_seconds(sum(x.nbytes for x in tables), flops, np.dtype(float))

    def row(what: str, ours: Any, promised: float, times: int) -> Row:
        told = (
            f"{what} of {chains} pairs of memory {memory}"
            if players == 2
            else f"{what}, {players} players, memory {memory}"
        )
        solve = compare(
            f"{told}, {len(payoffs)} states; numpy.linalg.solve",
            lambda: ours(*tables),
            lambda: np.linalg.solve(matrices, right),
            promised,
            repeats=3,
        )
        return solve._replace(limit=times * least)

    return [row("returns", returns, target, 1), row("gradients", gradient, target / 2.5, 2)]
