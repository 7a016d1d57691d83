"""MeVa's table, as far as its agents have to be trained before they meet: fitted networks and learned starts."""

import functools
from typing import Any

import jax
import numpy as np
import optax

import ipd_theory as ipd
from ipd_theory.learning import learned_start, meta_value, rules, views
from ipd_theory.learning.paths import path_returns_of_both
from ipd_theory.learning.play import learn
from paper_figures.published.rows import Number, Row, mean

Array = np.ndarray[Any, Any]
STEPS = 300
SETTING = "payoffs −1, −3, 0, −2; γ 0.96; 300 steps of 25 from N(0, 1) logits"
ONE_NETWORK = "one network, 150 rounds (full: 1,000), seed 0"


def _game() -> ipd.MatrixGame:
    return ipd.prisoners_dilemma(R=-1.0, S=-3.0, T=0.0, P=-2.0)


def over_pairs(earned: Array, with_itself: bool) -> Number:
    """Return what agents earn from each other on average, and its error by leaving out one agent at a time.

    Args:
        earned: [agents, agents] what each of the rows earns from each of the columns.
        with_itself: whether an agent meets itself, too.
    """
    n = len(earned)
    counted = np.ones((n, n), bool) if with_itself else ~np.eye(n, dtype=bool)

    def without(*out: int) -> float:
        kept = np.ix_(*[np.delete(np.arange(n), out)] * 2)
        return float(earned[kept][counted[kept]].mean())

    return Number(without(), float(np.sqrt((n - 1) * np.var([without(k) for k in range(n)]))))


def _fitted(opponent: rules.Rule | None, rounds: int, seed: int) -> rules.Rule:
    settings = meta_value.FitSettings(rounds=rounds)
    network, _ = meta_value.fit_meta_value(
        _game(), opponent, discount=0.96, key=jax.random.key(seed), settings=settings
    )
    return meta_value.fitted_meta_value(network, 0.95)


def _last(first: rules.Rule, second: rules.Rule) -> Array:
    """Return what both earn [128 matches, 2] after learning."""
    sgd, logits = optax.sgd(25.0), jax.random.normal(jax.random.key(1), (2, 128, 5))
    out = learn(_game(), (first, second), *logits, discount=0.96, optimizers=(sgd, sgd), steps=STEPS)
    if out.problems():
        raise FloatingPointError("; ".join(out.problems()))
    return np.asarray(out.returns)[:, -1]


@functools.cache
def meta_value_against_naive(rounds: int = 150) -> tuple[Number, Number]:
    """Return what a network fitted for so many of the published 1,000 rounds earns from a naive learner, and leaves it.

    The errors are over matches; networks, even of one seed under another rounding, differ by more.
    """
    last = _last(_fitted(rules.naive(), rounds, 0), rules.naive())
    return mean(last[:, 0]), mean(last[:, 1])


def meta_value_in_self_play(rounds: int, networks: int) -> Number:
    """Return what networks fitted for so many rounds earn from each other and themselves.

    The error is by leaving out one network at a time; for one network alone it is over matches, which says little.
    """
    players = [_fitted(None, rounds, seed) for seed in range(networks)]
    if networks == 1:
        return mean(_last(*players, *players).mean(1))
    return over_pairs(np.array([[_last(p, q)[:, 0].mean() for q in players] for p in players]), True)


@functools.cache
def learned_starts_among_each_other(learners: int = 20) -> Number:
    """Return what learned starts (M-MAML) earn from each other at the end; its error, by leaving out one at a time.

    Each ascends its mean return in 300 naive steps beside 64 naive learners from N(0, 1), for 1,000 updates of AdamW
    (rate 0.1, β 0.9 and 0.99, decay 0.01) on its first logits and its own step, which begins at 25.
    """
    pair, (first, rest) = (rules.naive(), rules.naive()), jax.random.split(jax.random.key(100))
    found = learned_start.learn_start(
        _game(),
        jax.random.normal(first, (learners, 5), np.float32),
        pair,
        discount=0.96,
        learning_rates=(25.0, 25.0),
        num_inner_episodes=STEPS,
        optimizer=optax.adamw(0.1, b1=0.9, b2=0.99, weight_decay=0.01),
        updates=1000,
        num_opponents=64,
        key=rest,
    )
    view = views.repeated_game(_game(), 0.96, np.dtype(np.float32))

    def last(x: jax.Array, y: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
        return path_returns_of_both(view, x, y, pair, (a, b), STEPS)[-1]

    of_column = jax.vmap(last, (None, 0, None, 0))
    earned = jax.jit(jax.vmap(of_column, (0, None, 0, None)))(found.logits, found.logits, found.step, found.step)
    return over_pairs(np.asarray(earned, float), False)


ROWS: tuple[Row, ...] = (
    Row("MeVa's table", "M-MAML against M-MAML, the payoff", Number(-1.224, 0.012),
        lambda work: learned_starts_among_each_other(), "learning.learned_start",
        f"{SETTING}; 20 learned starts against each other, 1,000 updates of AdamW among 64 naive learners, "
        "seed 100; error by leaving out one at a time", slow=True, telling=0.2, rounding=5e-4),
    Row("MeVa's table", "MeVa against MeVa, the payoff", Number(-1.052),
        lambda work: meta_value_in_self_play(work.size(150, 1000), work.size(1, 3)), "learning.meta_value",
        f"{SETTING}; one network, 150 rounds (full: all pairs of three, 1,000), seed 0; error over matches "
        "(full: networks)", slow=True, too_small=True,
        rounding=5e-4, telling=0.1,
        reason="one network, fitted for a seventh of the rounds; from one network to the next it varies by tenths"),
    Row("MeVa's table", "MeVa against naive, its payoff", Number(-0.551, 0.003),
        lambda work: meta_value_against_naive(work.size(150, 1000))[0], "learning.meta_value",
        f"{SETTING}; {ONE_NETWORK}", slow=True, small=True, rounding=5e-4,
        reason="one network, fitted for a seventh of the rounds; the same fit rounded otherwise earned −0.591"),
    Row("MeVa's table", "MeVa against naive, the naive's payoff", Number(-1.999, 0.003),
        lambda work: meta_value_against_naive(work.size(150, 1000))[1], "learning.meta_value",
        f"{SETTING}; {ONE_NETWORK}", slow=True, small=True, rounding=5e-4),
)  # fmt: skip
