"""Fixation, replicator dynamics and adaptive dynamics."""

from fractions import Fraction

import numpy as np

import ipd_theory as ipd
from ipd_theory import evolution, strategies
from ipd_theory.equilibria import replicator
from paper_figures.published.rows import Number, Row, Statement, Work


def _fixation(work: Work) -> Number:
    return Number(float(evolution.fixation_probability(np.array([[3.0, 0.0], [5.0, 1.0]]), 20, 0.1)))


def _fixation_in_fractions() -> float:
    """1 / (1 + Σ_k Π_i f_B(i) / f_A(i)), fitness 1 − w + w·payoff, self excluded, in fractions."""
    N, w = 20, Fraction(1, 10)
    product, total = Fraction(1), Fraction(1)
    for i in range(1, N):
        of_a = Fraction(3 * (i - 1) + 0 * (N - i), N - 1)
        of_b = Fraction(5 * i + 1 * (N - i - 1), N - 1)
        product *= (1 - w + w * of_b) / (1 - w + w * of_a)
        total += product
    return float(1 / total)


def _neutral(work: Work) -> Number:
    return Number(float(evolution.fixation_probability(np.ones((2, 2)), 50, 0.5)))


def _replicator(work: Work) -> Number:
    game = ipd.games.axelrod()
    three = np.stack([strategies.tit_for_tat(), strategies.always_cooperate(), strategies.always_defect()])
    A = np.asarray(ipd.round_robin(game, three, horizon=100))
    return Number(float(replicator(A, np.full(3, 1 / 3), np.array([0.0, 1e4]))[-1, 0]))


def _adaptive(work: Work) -> Number:
    """Largest relative difference from (br − c) / ((1 − r)(1 − r²)) · (q, 1 − p), r = p − q, over random (p, q)."""
    b, c = 3.0, 1.0
    game = ipd.prisoners_dilemma(R=b - c, S=-c, T=b, P=0.0)
    x = np.random.default_rng(0).uniform(0.05, 0.95, (200, 2))
    p, q = x.T
    r = p - q
    published = ((b * r - c) / ((1 - r) * (1 - r**2)))[:, None] * np.stack([q, 1 - p], -1)
    found = np.asarray(evolution.selection_gradient(game, x, discount=1.0, family=strategies.reactive_n))
    return Number(float((np.abs(found - published) / np.abs(published)).max()))


def _succession(work: Work) -> Number:
    """Share of draws of 100 reactive strategies, nearly tit for tat among them, that end generous."""
    draws = np.stack([evolution.random_reactive(seed) for seed in range(work.size(20, 100))])
    ends = evolution.succession(draws, 2000).mean_responses[:, -1]
    generous = (ends[:, 0] > 0.9) & (ends[:, 1] > 0.1) & (ends[:, 1] < 0.6)
    share = float(generous.mean())
    return Number(share, float(np.sqrt(share * (1 - share) / len(generous))))


ROWS: tuple[Row, ...] = (
    Row("Nowak et al. 2004", "fixation of a cooperator among 19 defectors", Number(_fixation_in_fractions()), _fixation,
        "evolution.fixation_probability", "Moran process, A = ((3, 0), (5, 1)), N 20, w 0.1; in fractions"),
    Row("Nowak et al. 2004", "fixation of a neutral mutant, N 50", Number(1 / 50), _neutral,
        "evolution.fixation_probability", "Moran process, N 50"),
    Row("textbooks", "share of tit for tat where it meets ALLC and ALLD", Number(0.774143), _replicator,
        "equilibria.replicator", "payoffs 3, 0, 5, 1; 100 rounds; equal shares", rounding=2e-6),
    Row("textbooks", "adaptive dynamics of reactive strategies: largest relative difference", Number(0.0),
        _adaptive, "evolution.selection_gradient", "donation game, benefit 3, cost 1; 200 random strategies, seed 0"),
    Row("Nowak & Sigmund 1992", "share of draws that end with generous tit for tat", Statement("in most draws", 0.5),
        _succession, "evolution.succession", "100 reactive strategies a draw, nearly TFT among them, seeds 0, 1, …"),
)  # fmt: skip
