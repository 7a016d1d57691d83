"""The same behaviour in fewer states, or in more: what makes automata of several sizes one batch."""

import jax.numpy as jnp
import numpy as np

from ipd_theory._arguments import checked
from ipd_theory.automata.base import Automaton

DIGITS = 14  # in which probabilities are alike


@checked
def minimal(automaton: Automaton) -> Automaton:
    """Return the smallest automaton of its kind that behaves the same: tit for tat, as a table of five, has two states.

    States that play never comes to are left out, and those merged that cooperate alike and move alike to merged states
    (the coarsest lumping of the chain, by refining a partition).

    Args:
        automaton: one, no batch, with known probabilities.

    Raises:
        ValueError: if it is a batch.
    """
    if automaton.cooperate.ndim > 1:
        raise ValueError(f"automaton must be one, no batch; got the shape {automaton.cooperate.shape}")
    c, m, start = (np.asarray(x) for x in (automaton.cooperate, automaton.moves, automaton.start))
    reached = start > 0
    while (more := reached | (m[reached] > 0).any((0, 1))).sum() > reached.sum():
        reached = more
    c, m, start = c[reached], m[reached][:, :, reached], start[reached]
    block = _numbered(np.round(c, DIGITS)[:, None])
    while True:
        into = np.eye(block.max() + 1)[block]  # [n, blocks]
        finer = _numbered(np.concatenate([block[:, None], np.round(m @ into, DIGITS).reshape(len(c), -1)], 1))
        if finer.max() == block.max():
            break
        block = finer
    first = np.unique(block, return_index=True)[1]
    arrays = c[first], m[first] @ into, start @ into
    return Automaton(*(jnp.asarray(x, automaton.cooperate.dtype) for x in arrays))


def _numbered(rows: np.ndarray) -> np.ndarray:
    """Return the number of each row's first equal, counted in the order of their appearance."""
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.reshape(-1)]


@checked
def padded(automaton: Automaton, num_states: int) -> Automaton:
    """Return the automaton with states that play never comes to, up to a number of them.

    Args:
        automaton: one.
        num_states: how many it shall have.

    Raises:
        ValueError: if it has more.
    """
    n = automaton.num_states
    if num_states < n:
        raise ValueError(f"num_states must be {n} or more; got {num_states}")
    more = num_states - n
    moves = jnp.pad(automaton.moves, ((0, more), (0, 0), (0, more)))
    moves = moves.at[n:, :, 0].set(1.0)
    return Automaton(jnp.pad(automaton.cooperate, (0, more)), moves, jnp.pad(automaton.start, (0, more)))
