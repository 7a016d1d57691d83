"""Who is which player in a pool, what it earns there, and whom it meets.

Every agent is player 1 of its own meetings, which says all where a game looks the same from both sides. Where it does
not, agents may have roles: every second one is player 2, and players of one role meet those of the other alone.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ipd_theory.games import MatrixGame, is_symmetric
from ipd_theory.strategies import OUTCOME_SWAP


def looks_the_same(game: MatrixGame) -> bool:
    """Return whether a game is symmetric, as far as its payoffs are known."""
    return isinstance(game.payoffs, jax.core.Tracer) or is_symmetric(game)


def agents_payoffs(
    game: MatrixGame, agents: int, roles: bool, dtype: np.dtype
) -> Float[Array, "*batch agents players outcomes"]:
    """Return each agent's payoffs and its opponents' by outcome (CC, CD, DC, DD), the agent's action first.

    Args:
        game: the stage game, or a batch of them [...].
        agents: how many agents.
        roles: whether every second one is player 2; otherwise one entry stands for all.
        dtype: of the result.
    """
    first = game.outcome_payoffs.astype(dtype)[..., None, :, :]
    if not roles:
        return first
    second = first[..., ::-1, :][..., np.array(OUTCOME_SWAP)]
    return jnp.concatenate([second if i % 2 else first for i in range(agents)], -3)


def opponents(agents: int, roles: bool) -> Bool[np.ndarray, "agents agents"]:
    """Return whom each agent (in rows) meets; one agent alone meets its copy."""
    if agents == 1:
        return np.ones((1, 1), bool)
    number = np.arange(agents)
    return (number[:, None] + number) % 2 == 1 if roles else ~np.eye(agents, dtype=bool)


def over_opponents(met: Float[Array, "*batch agents agents"], roles: bool) -> Float[Array, "*batch agents"]:
    """Return each agent's mean over those that it meets, of numbers in its row."""
    meets = opponents(met.shape[-1], roles)
    count = jnp.asarray(meets.sum(-1), met.dtype)
    return jnp.where(meets, met, jnp.zeros_like(met)).sum(-1) / count


def against_copy(meetings: Float[Array, "*batch agents agents"]) -> Float[Array, "*batch agents"]:
    """Return what each agent earns where it meets itself."""
    return jnp.diagonal(meetings, axis1=-2, axis2=-1)


def against_others(meetings: Float[Array, "*batch agents agents"], roles: bool) -> Float[Array, "*batch agents"]:
    """Return `over_opponents` of returns, for every step of training: without roles no mask is needed."""
    if roles:
        return over_opponents(meetings, roles)
    others = jnp.asarray(max(1, meetings.shape[-1] - 1), meetings.dtype)
    return (meetings.sum(-1) - against_copy(meetings)) / others
