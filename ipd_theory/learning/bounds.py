r"""How much a learning-aware agent could earn: the best policies against learners, and what no policy can exceed.

While a learner takes M steps against an agent, the agent earns J̄ = 1/(M + 1) Σ_m J¹(x_m, ψ_m). Of what it could earn,

- `fixed_policy` is the most with one policy, x_m = x,
- `open_loop` the most with another policy in each episode, chosen beforehand,
- `ceiling` what no agent exceeds that plays a policy of memory one in each episode, or no agent at all,
- `sustainable` what no agent exceeds where the other has learnt to reply best.

The first two are the best that ascent finds from many starts, with exact gradients in probabilities; the others are
proved. As a function of one probability q of the learner the return J² is (a + bq)/(c + dq), so in the logit of q its
slope is (J²|_{q=1} − J²|_{q=0}) u(1 − u) with u = q(c + d)/(c + dq) between 0 and 1. A step η on J² therefore moves no
logit of a naive learner by more than

    η/4 · (max r² − min r²),

while the agent's policy within an episode is of memory one, and by 1/(1 − γ) times as much whatever the agent is (the
policy gradient theorem: a context's discounted time is at most 1, an advantage at most that range over 1 − γ). After m
steps every probability is within an interval. J¹ in its turn is such a fraction in every single probability of both
players, monotone in each, so its maximum over those intervals and all policies of memory one is at a corner; and to a
memory-one player nothing replies better than memory one (Press & Dyson 2012).

From a player that replies best, whatever the agent commits to, no agent takes more than leaves the other its minimax
payoff (Stackelberg's leader); as γ → 1 one comes near that. What an agent earns above it, it owes to a learner that
does not reply best yet; where gradients are flat, as at unconditional cooperation, that may last.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, payoff_sets
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame
from ipd_theory.learning.paths import policies_returns
from ipd_theory.learning.rules.base import Rule, checked_rules
from ipd_theory.learning.rules.gradients import naive
from ipd_theory.learning.shaping import checked_shaping_arguments
from ipd_theory.learning.views import MEMORY_ONE, RepeatedGame, repeated_game
from ipd_theory.returns import expected_returns
from ipd_theory.strategies import all_pure, extend, memory_of, num_contexts

NEAREST = 4  # roundings to 0 and 1, of probabilities that are ascended: their logits stay finite
ROUNDING = 1e-9  # of payoffs


class Best(NamedTuple):
    """The best that ascent found from many starts.

    Args:
        value: J̄, the mean over learners and episodes, an average a step.
        policy: [h] cooperation probabilities, or [M + 1, h], one for each episode.
        returns: [M + 1] what the agent earns in each episode, the mean over learners.
        values: [starts] what every start came to, the best first.
        ends: [starts, 1 or M + 1, h] the policies that every start came to, in the same order.
    """

    value: float
    policy: Float[np.ndarray, "*episodes h"]
    returns: Float[np.ndarray, " episodes"]
    values: Float[np.ndarray, " starts"]
    ends: Float[np.ndarray, "starts episodes h"]

    @property
    def agree(self) -> int:
        """How many starts came to the same value, but for a millionth of it."""
        return int((self.values > self.value - 1e-6 * abs(self.value)).sum())


@checked
def fixed_policy(
    game: MatrixGame,
    learner_logits: Float[ArrayLike, "... _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    learner: Rule | None = None,
    memory: int = 1,
    starts: int = 16,
    seed: int = 0,
) -> Best:
    """Return the best policy that stays the same while each of a set of learners learns against it.

    Args:
        game: the stage game; the agent is player 1.
        learner_logits: [learners, h] or [h] of the learners before their first step, in their own view.
        discount: γ in [0, 1] of play within an episode.
        learning_rate: the learners' step η.
        num_inner_episodes: M, the learners' steps; M + 1 episodes are averaged.
        learner: the learners' rule, any of `learning.rules`; the naive gradient if None.
        memory: of the agent, 1 or 2.
        starts: from how many policies is ascended, the best of all pure and of as many random ones; 1 or more.
        seed: of the random ones.

    Raises:
        ValueError: if a shape is wrong or a setting out of range.

    Source: Balaguer et al. 2022 (the Good Shepherd), with the optimum instead of a trained policy.
    """
    problem = _Problem.of(game, learner_logits, discount, learning_rate, num_inner_episodes, learner)
    first = problem.promising(_checks.whole("memory", memory, 1, 2), _checks.whole("starts", starts, 1), seed)
    best = problem.best([problem.ascend(x[None]) for x in first])
    return best._replace(policy=best.policy[0])


@checked
def open_loop(
    game: MatrixGame,
    learner_logits: Float[ArrayLike, "... _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    learner: Rule | None = None,
    memory: int = 1,
    starts: int = 16,
    seed: int = 0,
) -> Best:
    """Return the best sequence of policies, one for each inner episode, the same against each of a set of learners.

    Arguments and errors are those of `fixed_policy`, from whose ends for every start this ascends.
    """
    settings: Any = {"discount": discount, "learning_rate": learning_rate, "num_inner_episodes": num_inner_episodes}
    settings |= {"learner": learner}
    fixed = fixed_policy(game, learner_logits, **settings, memory=memory, starts=starts, seed=seed)
    return sequence_from(fixed, game, learner_logits, **settings)


@checked
def sequence_from(
    fixed: Best,
    game: MatrixGame,
    learner_logits: Float[ArrayLike, "... _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    learner: Rule | None = None,
) -> Best:
    """Return `open_loop` where the best fixed policy is at hand.

    Args:
        fixed: of `fixed_policy`, of the same settings.
        game, learner_logits, discount, learning_rate, num_inner_episodes, learner: of the same.
    """
    problem = _Problem.of(game, learner_logits, discount, learning_rate, num_inner_episodes, learner)
    return problem.best([problem.ascend(np.repeat(x[None], problem.episodes, 0)) for x in fixed.ends[:, 0]])


@checked
def earned(
    game: MatrixGame,
    policies: Float[ArrayLike, "... _"],
    learner_logits: Float[ArrayLike, "... _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    learner: Rule | None = None,
) -> Float[np.ndarray, " episodes"]:
    """Return what a policy, or another in each episode, earns in each of the M + 1 episodes, the mean over learners.

    Args:
        game: the stage game; the agent is player 1.
        policies: [h] or [M + 1, h] cooperation probabilities; all else as `fixed_policy`.

    Raises:
        ValueError: as `fixed_policy`, or if the policies are not one or M + 1.
    """
    problem = _Problem.of(game, learner_logits, discount, learning_rate, num_inner_episodes, learner)
    memory_of(policies, name="policies")
    tables = np.atleast_2d(np.asarray(_checks.probabilities("policies", policies), float))
    if tables.ndim > 2 or len(tables) not in (1, problem.episodes):
        raise ValueError(f"policies must be one, or {problem.episodes} for as many episodes; got shape {tables.shape}")
    return problem.returns(tables)


class _Problem(NamedTuple):
    view: RepeatedGame
    learners: Array
    rate: Array
    rule: Rule
    episodes: int

    @classmethod
    def of(
        cls,
        game: MatrixGame,
        learner_logits: ArrayLike,
        discount: float,
        learning_rate: float,
        num_inner_episodes: int,
        learner: Rule | None,
    ) -> "_Problem":
        logits, _, step = _checked(game, learner_logits, discount, learning_rate, num_inner_episodes)
        (rule,) = checked_rules("learner", (naive() if learner is None else learner,))
        return cls(repeated_game(game, discount, logits.dtype), logits, step, rule, num_inner_episodes + 1)

    @property
    def unit(self) -> float:
        """The range of the agent's payoffs: tolerances of ascent are shares of it."""
        return float(jnp.ptp(self.view.own_payoffs)) or 1.0

    @property
    def nearest(self) -> float:
        return NEAREST * float(jnp.finfo(self.learners.dtype).eps)

    def returns(self, policies: np.ndarray) -> np.ndarray:
        """Return what policies [1 or episodes, h] earn in each episode, the mean over learners."""
        inside = np.clip(policies, self.nearest, 1 - self.nearest)
        returns = np.asarray(_returns(self.view, jnp.asarray(inside), *self[1:4], episodes=self.episodes), float)
        if not np.isfinite(returns).all():
            raise FloatingPointError(f"returns along the learner's path are not finite: {returns}")
        return returns.mean(0)

    def of_policies(self, policies: np.ndarray) -> np.ndarray:
        """Return J̄ [k] of policies [k, episodes or 1, h]."""
        return np.asarray(_values(self.view, jnp.asarray(policies), *self[1:4], episodes=self.episodes))

    def promising(self, memory: int, starts: int, seed: int) -> np.ndarray:
        """Return the best [starts, h] of all pure policies of memory one and of as many random ones, half of each."""
        rng = np.random.default_rng(_checks.whole("seed", seed, 0))
        drawn = rng.beta(0.5, 0.5, (max(32, 4 * starts), num_contexts(memory)))
        pure = np.asarray(extend(all_pure(1), memory), float)
        pure = pure + self.nearest * (1 - 2 * pure)
        kinds = []
        for some, number in ((pure, starts - starts // 2), (drawn, starts // 2)):
            order = np.argsort(-self.of_policies(some[:, None]), kind="stable")
            kinds.append(some[order[:number]])
        return np.concatenate(kinds)

    def ascend(self, first: np.ndarray) -> tuple[np.ndarray, float]:
        """Return where ascent from policies [1 or episodes, h] ends, and J̄ there."""

        unit = self.unit

        def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = _value_and_slope(
                self.view, jnp.asarray(x.reshape(first.shape)), *self[1:4], episodes=self.episodes
            )
            return -float(value) / unit, -np.asarray(slope, float).reshape(-1) / unit

        inside = [(self.nearest, 1 - self.nearest)] * first.size
        options = {"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9, "maxcor": 20}
        # From within, where no slope is flat; and where it stood, should that be better.
        ends = [
            scipy.optimize.minimize(loss, x.reshape(-1), jac=True, bounds=inside, method="L-BFGS-B", options=options)
            for x in (first, 0.02 + 0.96 * first)
        ]
        end = min(ends, key=lambda end: float(end.fun))
        return end.x.reshape(first.shape), -float(end.fun) * unit

    def best(self, found: list[tuple[np.ndarray, float]]) -> Best:
        """Return the best of what was found, with the rest behind it."""
        ranked = sorted(found, key=lambda x: -x[1])
        policy, value = ranked[0]
        return Best(
            value, policy, self.returns(policy), np.array([v for _, v in ranked]), np.stack([x for x, _ in ranked])
        )


def _checked(
    game: MatrixGame, learner_logits: ArrayLike, discount: float, learning_rate: float, num_inner_episodes: int
) -> tuple[Array, Array, Array]:
    """Return the learners' logits [n, h], the payoffs [2, 4] and the learners' step."""
    _checks.number("discount", discount, 0, 1)
    _, learners, payoffs, _, step = checked_shaping_arguments(
        game, jnp.zeros(MEMORY_ONE), learner_logits, discount, learning_rate, num_inner_episodes, any_memory=True
    )
    _checks.two_players(game, batch=False)
    if learners.ndim > 2 or step.ndim or not learners.size:
        raise ValueError(f"learner_logits must be [learners, h] or [h], all else one; got shape {learners.shape}")
    return jnp.atleast_2d(learners), payoffs, step


def _episodes(
    view: RepeatedGame, policies: Array, learners: Array, rate: Array, rule: Rule, episodes: int
) -> Float[Array, "learners episodes"]:
    x = jax.scipy.special.logit(jnp.broadcast_to(policies, (episodes, policies.shape[-1])))
    return jax.vmap(lambda y: policies_returns(view, x, y, rule, rate))(learners)


_returns = compiled("episodes")(_episodes)


@compiled("episodes")
def _values(
    view: RepeatedGame, policies: Array, learners: Array, rate: Array, rule: Rule, episodes: int
) -> Float[Array, " k"]:
    return jax.lax.map(lambda x: _episodes(view, x, learners, rate, rule, episodes).mean(), policies)


@compiled("episodes")
def _value_and_slope(
    view: RepeatedGame, policies: Array, learners: Array, rate: Array, rule: Rule, episodes: int
) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda x: _episodes(view, x, learners, rate, rule, episodes).mean())(policies)


@checked
def ceiling(
    game: MatrixGame,
    learner_logits: Float[ArrayLike, "... _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    any_agent: bool = False,
) -> float:
    """Return a bound against naive learners of memory one that no agent of memory one exceeds, or no agent at all.

    Args:
        game: the stage game; the agent is player 1.
        learner_logits: [learners, 5] or [5] of the learners before their first step, in their own view.
        discount: γ in [0, 1] of play within an episode.
        learning_rate: the learners' step η on their average return.
        num_inner_episodes: M, the learners' steps.
        any_agent: of agents that remember whatever they like; otherwise of those that play a policy of memory one
            within an episode, and in each another if they like.

    Raises:
        ValueError: if a shape is wrong or a setting out of range.
    """
    settings: Any = {"discount": discount, "learning_rate": learning_rate, "num_inner_episodes": num_inner_episodes}
    return float(ceilings(game, learner_logits, **settings, any_agent=any_agent).mean())


@checked
def ceilings(
    game: MatrixGame,
    learner_logits: Float[ArrayLike, "... _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    any_agent: bool = False,
) -> Float[np.ndarray, " episodes"]:
    """Return the `ceiling` of each of the M + 1 episodes; arguments and errors are its own."""
    logits, payoffs, step = _checked(game, learner_logits, discount, learning_rate, num_inner_episodes)
    _checks.last_axis("learner_logits", logits, (MEMORY_ONE,), "the contexts of memory one")
    farthest = largest_step(payoffs[1], float(step))
    if any_agent:
        farthest = 0.0 if farthest == 0 else np.inf if discount == 1 else farthest / (1 - discount)
    moved = [m * farthest if m else 0.0 for m in range(num_inner_episodes + 1)]
    return np.array([_most_after(game, logits, x, discount) for x in moved])


def largest_step(payoffs: Float[ArrayLike, " outcomes"], learning_rate: float) -> float:
    """Return how far one step of a naive learner with these payoffs moves any of its logits, at most."""
    return learning_rate / 4 * float(np.ptp(np.asarray(payoffs)))


def _most_after(game: MatrixGame, logits: Array, moved: float, discount: float) -> float:
    """Return the most that anyone earns from learners whose logits [n, 5] moved so far at most, the mean over them."""
    low, high = (np.asarray(jax.nn.sigmoid(logits + sign * moved), float) for sign in (-1, 1))
    pure = np.asarray(all_pure(1), float)
    corners = low[:, None] + (high - low)[:, None] * pure
    payoffs = expected_returns(game, pure, corners[:, :, None], discount=discount)[..., 0]
    return float(payoffs.max((1, 2)).mean())


@checked
def sustainable(game: MatrixGame) -> float:
    """Return what player 1 cannot exceed where player 2 replies best, and comes near as γ → 1.

    That is the largest feasible payoff that gives player 2 at least its minimax payoff.

    Raises:
        ValueError: if there are more players, or a batch of games.

    Source: von Stackelberg's leader, in the repeated game; Press & Dyson 2012 (whose strategies come near it).
    """
    return float(payoff_sets.individually_rational(game)[:, 0].max())


@checked
def efficiency(value: ArrayLike, defection: ArrayLike, bound: ArrayLike) -> Float[np.ndarray, "..."]:
    """Return which share of what could be gained over unconditional defection an agent gains.

    Args:
        value: [...] what the agent earns.
        defection: [...] what unconditional defection earns of the same learners.
        bound: [...] the most that can be earned of them.

    Returns:
        [...] 0 for unconditional defection, 1 for the bound; NaN where there is nothing to be gained but rounding.

    Raises:
        ValueError: if a number is not finite.
    """
    named = {"value": value, "defection": defection, "bound": bound}
    earned, least, most = (np.asarray(_checks.finite(k, _checks.to_float(x)), float) for k, x in named.items())
    gain = np.where(most - least > ROUNDING * np.abs(most), most - least, np.nan)
    return np.asarray((earned - least) / gain)
