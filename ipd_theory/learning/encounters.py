"""What agents of a pool earn: two by two, and in groups whose other seats agents and naive learners take.

In a group an agent sits first, then the other agents, then the learners; each sees itself first and the others in that
order. Pools of groups are of games that look the same from all sides.
"""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ipd_theory._engine import memory_one_return
from ipd_theory.learning.group_path import group_shaping_return
from ipd_theory.learning.naive_path import cooperation
from ipd_theory.learning.roles import against_copy, against_others
from ipd_theory.learning.views import MEMORY_ONE, returns_of_all
from ipd_theory.strategies import CONTEXT_SWAP


def meetings(
    logits: Float[Array, "*batch agents h"], opponents: Float[Array, "*batch agents h"], settings: dict[str, Any]
) -> Float[Array, "*batch agents agents"]:
    """Return what each row's agent earns a step against each column's opponent in a game for two.

    Args:
        logits: [..., agents, h].
        opponents: [..., agents, h].
        settings: as for `group_return`.
    """
    mine, theirs = logits[..., :, None, :], opponents[..., None, :, :]
    payoffs, delta, error = (settings[name] for name in ("payoffs", "delta", "tremble"))
    if logits.shape[-1] != MEMORY_ONE:
        return returns_of_all((mine, theirs), payoffs[..., :1, :], delta, error)[..., 0]
    p = cooperation(tuple(mine[..., i] for i in range(MEMORY_ONE)), error)
    q = cooperation(tuple(theirs[..., i] for i in CONTEXT_SWAP), error)
    return memory_one_return(p, q, delta, tuple(payoffs[..., 0, i] for i in range(4)))


def among_agents(
    logits: Float[Array, "*batch agents h"], roles: bool, settings: dict[str, Any]
) -> tuple[Float[Array, "*batch agents"], Float[Array, "*batch agents"]]:
    """Return what each agent earns a step among the other agents, or copies if those are too few, and among copies."""
    n = settings["payoffs"].shape[-2]
    if n == 2:
        met = meetings(logits, logits, settings)
        return against_others(met, roles), against_copy(met)
    few = logits.shape[-2] < n
    others, copies = (group_return(n - 1, logits, logits, None, alone, None, settings) for alone in (few, True))
    return others, copies


def seated_with(agents: int, others: int, self_play: bool) -> Int[np.ndarray, "agents groups others"]:
    """Return who sits with each agent: every set of so many other agents, or its own copies."""
    if self_play:
        return np.broadcast_to(np.arange(agents)[:, None, None], (agents, 1, others))
    rest = [[j for j in range(agents) if j != i] for i in range(agents)]
    groups = [list(itertools.combinations(x, others)) for x in rest]
    return np.asarray(groups, int).reshape(agents, len(groups[0]), others)


def group_return(
    others: int,
    logits: Float[Array, "*batch agents h"],
    opponents: Float[Array, "*batch agents h"],
    learner_logits: Float[Array, "*batch agents learners seats h2"] | None,
    self_play: bool,
    shaping_weight: Float[Array, "..."] | None,
    settings: dict[str, Any],
) -> Float[Array, "*batch agents"]:
    """Return what each agent earns a step in a group with so many other agents, the mean over all such groups.

    Naive learners take the seats that are left, and the mean is over their episodes as well; without any left it is
    one episode's return.

    Args:
        others: how many other agents.
        logits: [..., agents, h].
        opponents: [..., agents, h] what the other agents play, the same logits held fixed.
        learner_logits: [..., agents, learners, n − 1, h'] before the first step, of which each group takes as many as
            it has seats left; None where it has none.
        self_play: the other agents are an agent's copies.
        shaping_weight: [..., 1, 1] a factor on what passes through the learners' steps, 1 if None.
        settings: what a path needs besides, `payoffs` and the like, with axes for agents and learners; the `logits`
            among them are not read.
    """
    who = seated_with(logits.shape[-2], others, self_play)
    held = [opponents[..., who[..., seat], :] for seat in range(others)]
    seats = settings["payoffs"].shape[-2] - 1
    if learner_logits is None or others == seats:
        payoffs = settings["payoffs"][..., :1, :]
        players = (logits[..., None, :], *held)
        return returns_of_all(players, payoffs, settings["delta"], settings["tremble"])[..., 0].mean(-1)
    count, groups = learner_logits.shape[-3], who.shape[1]
    learners = tuple(jnp.concatenate([learner_logits[..., i, :]] * groups, -2) for i in range(seats - others))
    still = (logits[..., None, :], *(jnp.repeat(x, count, -2) for x in held))
    rest = {name: x for name, x in settings.items() if name != "logits"}
    return group_shaping_return(still, learners, shaping_weight=shaping_weight, **rest).mean(-1)
