r"""What became of a pool: exact measures of its agents, and the name of the phase they add up to.

Returns are put on the scale u = (J − P)/(R − P), where mutual defection is 0 and mutual cooperation 1. "High" means
⅔ or more, "low" ⅓ or less. With the agents' returns and shares of joint play among each other, against naive
learners in their last inner episode, and the best-response gap (how much a best reply to an agent's opponents earns
more than the agent does, on the same scale), a pool is called

    cooperation         u among the agents and the share of CC among them are high, the gap is low,
    exploitable         the same with a gap that is not low: whoever defects on such agents gains,
    extortion           u and the share of CC among the agents are low, but in naive learners' last episode the agents
                        get ⅓ more than unconditional defection would have got from them, and ⅓ more than they do,
    defection           u and the share of CC are low among the agents, and learners are not shaped: at most ⅓ more is
                        got from them than by unconditional defection,
    anti-coordination   the shares of CD and DC among the agents together are high (chicken's own equilibria),
    other               anything else.

In a game that looks different from its two sides every second agent is player 2 (`learning.roles`), and all returns are
on the scale of the role in which they are earned.

Returns never tell how they are enforced. Whether an agent is like tit for tat is asked of its strategy: it cooperates
with an unconditional cooperator and with its copy, defects on an unconditional defector (cooperation rates high, high
and low), and more likely than not answers cooperation after its own defection, and defection after its own cooperation.
Win-stay-lose-shift fails the third test, the grim trigger the fourth.
"""

import enum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, Shaped

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._engine import chains, compiled, memory_one_occupancy
from ipd_theory.learning import pool as pools
from ipd_theory.learning.roles import agents_payoffs, over_opponents
from ipd_theory.learning.views import MEMORY_ONE
from ipd_theory.replies.best import value_of_best_reply
from ipd_theory.strategies import CONTEXT_SWAP, memory_of

HIGH, LOW = 2 / 3, 1 / 3
ALWAYS_DEFECT = -20.0  # a logit
# The pure memory-one strategies; numpy, since importing this must not start jax's devices.
PURE = np.indices((2,) * 5).reshape(5, -1).T


class Outcome(enum.IntEnum):
    """The phases, in the order in which they are drawn."""

    DEFECTION = 0
    EXTORTION = 1
    COOPERATION = 2
    EXPLOITABLE = 3
    ANTI_COORDINATION = 4
    OTHER = 5

    @property
    def label(self) -> str:
        """The name as it is written, e.g. anti-coordination."""
        return self.name.lower().replace("_", "-")


class Measures(NamedTuple):
    """Exact measures [..., agents]; returns are averages a step, shares are of discounted time.

    `against_naive` and `of_naive` are the agent's and the learners' return over their whole path, `against_learned`
    and `of_learned` in its last inner episode, `defector_learned` what ALLD gets there from the same learners.
    `among_meta` is the agent's return against the other agents, with the shares `mutual_cooperation` and
    `mutual_defection` and `gap`, what a best reply to them earns beyond that. `self_play` and `self_cooperation` (the
    share of CC) are against its copy; `with_cooperator` and `with_defector` its rate of cooperation against ALLC and
    ALLD.
    """

    against_naive: Shaped[Any, "*batch agents"]
    of_naive: Shaped[Any, "*batch agents"]
    against_learned: Shaped[Any, "*batch agents"]
    of_learned: Shaped[Any, "*batch agents"]
    defector_learned: Shaped[Any, "*batch agents"]
    among_meta: Shaped[Any, "*batch agents"]
    mutual_cooperation: Shaped[Any, "*batch agents"]
    mutual_defection: Shaped[Any, "*batch agents"]
    gap: Shaped[Any, "*batch agents"]
    self_play: Shaped[Any, "*batch agents"]
    self_cooperation: Shaped[Any, "*batch agents"]
    with_cooperator: Shaped[Any, "*batch agents"]
    with_defector: Shaped[Any, "*batch agents"]


ABOUT = {  # long name and units of each measure
    "against_naive": ("return of an agent against naive learners, over their whole path", "payoff"),
    "of_naive": ("return of naive learners against an agent, over their whole path", "payoff"),
    "against_learned": ("return of an agent against naive learners in their last inner episode", "payoff"),
    "of_learned": ("return of naive learners against an agent in their last inner episode", "payoff"),
    "defector_learned": ("return of ALLD against naive learners in their last inner episode", "payoff"),
    "among_meta": ("return of an agent against the other agents", "payoff"),
    "mutual_cooperation": ("share of CC of an agent with the other agents", "1"),
    "mutual_defection": ("share of DD of an agent with the other agents", "1"),
    "gap": ("what a best reply to the other agents earns beyond the agent", "payoff"),
    "self_play": ("return of an agent against its copy", "payoff"),
    "self_cooperation": ("share of CC of an agent with its copy", "1"),
    "with_cooperator": ("rate of cooperation of an agent with ALLC", "1"),
    "with_defector": ("rate of cooperation of an agent with ALLD", "1"),
}


def _shares(mine: Array, theirs: Array, delta: Array, error: Array | None) -> Array:
    """Return the shares of CC, CD, DC, DD [..., 4] of two tables [..., h], all of whose actions may be flipped."""
    if mine.shape[-1] != MEMORY_ONE:
        tables = [_trembling(x, error) for x in (mine, theirs)]
        occupied = chains.discounted_occupancy(tables, delta, memory_of(mine))
        return occupied.reshape(*occupied.shape[:-1], -1, 4).sum(-2)  # contexts end with the latest outcome
    p, q = (
        tuple(x[..., i] if error is None else error + (1 - 2 * error) * x[..., i] for i in order)
        for x, order in ((mine, range(5)), (theirs, CONTEXT_SWAP))
    )
    return jnp.stack(memory_one_occupancy(p, q, delta), -1)


def _trembling(table: Array, error: Array | None) -> Array:
    return table if error is None else error[..., None] + (1 - 2 * error[..., None]) * table


def _best_replies(table: Array, payoffs: Array, delta: Array, error: Array | None) -> Array:
    """Return what the best reply to each agent earns [..., agents]: at memory one, the best of all 32 pure ones."""
    if table.shape[-1] != MEMORY_ONE:
        error = None if error is None else error[..., 0]
        return value_of_best_reply(payoffs, _trembling(table, error), delta[..., 0], error)
    pure = jnp.asarray(PURE, table.dtype)
    return (_shares(table[..., :, None, :], pure, delta, error) * payoffs[..., None, 1, :]).sum(-1).max(-1)


@compiled()
def measure(
    pool: pools.Pool, delta: Float[Array, "*batch"], logits: Float[Array, "*batch agents h"], key: Key[Array, "*batch"]
) -> Measures:
    """Return exact measures of every agent of a pool.

    Args:
        pool: the settings; `num_learners` naive learners are drawn for each agent, its `discount` is not read.
        delta: [...] stopping rates 1 − γ.
        logits: [..., agents, h].
        key: [...] for drawing the learners.
    """
    _checks.two_players(pool.game)
    learners = pools.draw_learners(pool, key)
    path = pools.path_of_learners(pool, delta, logits, learners)
    defector = pools.path_of_learners(pool, delta, jnp.full_like(logits, ALWAYS_DEFECT), learners)
    whole, last = pools.episode_mean(pool, path).mean(-2), path[-1].mean(-2)
    error = None if pool.tremble is None else pool.tremble[..., None, None]
    table, rate = jax.nn.sigmoid(logits), delta[..., None, None]
    payoffs = agents_payoffs(pool.game, pool.num_agents, pool.roles, logits.dtype)

    met = _shares(table[..., :, None, :], table[..., None, :, :], rate, error)
    self_play = jnp.diagonal(jnp.moveaxis(met, -1, 0), axis1=-2, axis2=-1)
    earned = (met * payoffs[..., None, 0, :]).sum(-1)
    best = _best_replies(table, payoffs, rate, error)
    always = jnp.broadcast_to(jnp.array([[1.0], [0.0]], logits.dtype), (2, pool.contexts))
    cooperates = _shares(table[..., :, None, :], always, rate, error)[..., :2].sum(-1)
    return Measures(
        against_naive=whole[..., 0],
        of_naive=whole[..., 1],
        against_learned=last[..., 0],
        of_learned=last[..., 1],
        defector_learned=defector[-1, ..., 0].mean(-1),
        among_meta=over_opponents(earned, pool.roles),
        mutual_cooperation=over_opponents(met[..., 0], pool.roles),
        mutual_defection=over_opponents(met[..., 3], pool.roles),
        gap=over_opponents(best[..., None, :] - earned, pool.roles),
        self_play=jnp.diagonal(earned, axis1=-2, axis2=-1),
        self_cooperation=self_play[0],
        with_cooperator=cooperates[..., 0],
        with_defector=cooperates[..., 1],
    )


@checked
def classify(
    measures: Measures,
    R: ArrayLike,
    P: ArrayLike,
    *,
    player_2: tuple[ArrayLike, ArrayLike] | None = None,
) -> Int[np.ndarray, "..."]:
    """Return the `Outcome` [...] of every pool, from the means of its agents' measures.

    Args:
        measures: [..., agents] of numpy arrays.
        R, P: [...] payoffs of mutual cooperation and mutual defection, R > P.
        player_2: R and P [...] of player 2, who every second agent is in a pool with roles; each agent's and each
            learner's returns are then put on the scale of its role.

    Raises:
        ValueError: if R is not above P, where the scale has no meaning.
    """
    own = _scale("R", "P", R, P)
    second = own if player_2 is None else _scale("player_2's R", "P", *player_2)
    number = np.arange(np.shape(measures.among_meta)[-1])
    first = number % 2 == 0
    (zero, unit), (other_zero, other_unit) = (
        [np.where(first, a[..., None], b[..., None]) for a, b in zip(one, other, strict=True)]
        for one, other in ((own, second), (second, own))
    )
    x = Measures(*(np.asarray(m, float) for m in measures))
    among, gap = ((x.among_meta - zero) / unit).mean(-1), (x.gap / unit).mean(-1)
    learned = (x.against_learned - zero) / unit
    shaped = (learned - (x.defector_learned - zero) / unit).mean(-1) > LOW
    extorted = shaped & ((learned - (x.of_learned - other_zero) / other_unit).mean(-1) > LOW)
    cooperated, defected = x.mutual_cooperation.mean(-1), x.mutual_defection.mean(-1)
    together = (among >= HIGH) & (cooperated >= HIGH)
    apart = (among <= LOW) & (cooperated <= LOW)
    cases = {
        Outcome.COOPERATION: together & (gap <= LOW),
        Outcome.EXPLOITABLE: together,
        Outcome.EXTORTION: apart & extorted,
        Outcome.DEFECTION: apart & ~shaped,
        Outcome.ANTI_COORDINATION: 1 - cooperated - defected >= HIGH,
    }
    return np.select(list(cases.values()), [int(outcome) for outcome in cases], int(Outcome.OTHER))


def _scale(high: str, low: str, R: ArrayLike, P: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return P and R − P of a role."""
    reward, punishment = np.broadcast_arrays(np.asarray(R, float), np.asarray(P, float))
    fits = np.isfinite(reward) & np.isfinite(punishment) & (reward > punishment)
    if not fits.all():
        got = f"R={reward[~fits].flat[0]:g}, P={punishment[~fits].flat[0]:g}"
        raise ValueError(f"{high} must lie above {low}, both finite, to tell cooperation from defection; got {got}")
    return punishment, np.asarray(reward - punishment)


@checked
def majority(
    outcomes: Int[np.ndarray, "*cells seeds"],
) -> tuple[Int[np.ndarray, "*cells"], Float[np.ndarray, "*cells"]]:
    """Return the most frequent outcome of each cell and the share of its seeds that have it.

    Args:
        outcomes: [..., seeds] of `Outcome`; −1 counts as none. The first in the order of `Outcome` wins a tie.
    """
    if np.ndim(outcomes) < 1 or outcomes.shape[-1] == 0:
        raise ValueError(f"outcomes has shape {np.shape(outcomes)}; it must be [..., seeds] with one seed or more")
    counts = np.stack([(outcomes == int(kind)).sum(-1) for kind in Outcome], -1)
    return counts.argmax(-1), counts.max(-1) / outcomes.shape[-1]


@checked
def tit_for_tat_like(measures: Measures, logits: Float[np.ndarray, "... 5"]) -> Bool[np.ndarray, "..."]:
    """Return whether each agent [..., agents] is like tit for tat, asked of its strategy, not of its returns.

    Args:
        measures: [..., agents] of numpy arrays.
        logits: [..., agents, 5].
    """
    if np.shape(logits)[-1:] != (5,) or np.isnan(logits).any():
        raise ValueError(f"logits must be [..., 5] numbers; got an array of shape {np.shape(logits)}, or NaN in it")
    _, _, after_cd, after_dc, _ = np.moveaxis(np.asarray(logits), -1, 0)
    kind = (measures.with_cooperator >= HIGH) & (measures.self_cooperation >= HIGH)
    return kind & (measures.with_defector <= LOW) & (after_cd < 0) & (after_dc > 0)
