"""Exact tournaments: every strategy against every strategy, itself included, without playing a single round."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.returns import expected_returns

MOST_PAIRS = 1 << 20  # at once; the memory that a block of pairs takes stays in the hundreds of megabytes


@checked
def round_robin(
    game: MatrixGame,
    tables: Sequence[Any] | Float[np.ndarray, "n _"] | Float[Array, "n _"],
    *,
    discount: ArrayLike | None = None,
    horizon: int | None = None,
    error: float = 0.0,
) -> Float[Array, "n n"]:
    """Return what each strategy earns, a step, as player 1 against each other one.

    Args:
        game: the stage game for two.
        tables: [n, h] strategies, or n of them with memories of 0 to 3.
        discount: γ in [0, 1]; 1 is the limit of means from the given start.
        horizon: if given, play ends after this many steps.
        error: the probability with which any intended action is flipped.

    Raises:
        ValueError: if there are no strategies, one is no table of probabilities, or γ, error or horizon are out of
            range.
    """
    if isinstance(tables, str) or not np.iterable(tables):
        raise TypeError(f"tables must be an array [n, h] or a list of strategies; got {tables!r}")
    given = [_checks.in_range(f"tables[{i}]", _checks.to_float(table), 0.0, 1.0) for i, table in enumerate(tables)]
    if not given:
        raise ValueError("tables is empty; a tournament needs one strategy or more")
    memory = max(strategies.memory_of(row, name=f"tables[{i}]") for i, row in enumerate(given))
    rows = [strategies.tremble(table, error) for table in given]
    every = jnp.stack([strategies.extend(row, memory) for row in rows])
    block = max(1, MOST_PAIRS // (len(rows) * every.shape[-1] // 5 + 1))
    earned = [
        np.asarray(expected_returns(game, part[:, None], every, discount=discount, horizon=horizon)[..., 0])
        for part in (every[i : i + block] for i in range(0, len(rows), block))
    ]
    return jnp.asarray(np.concatenate(earned))
