"""Memory-one payoffs, zero-determinant strategies, equilibria and partners."""

import functools
import math
from collections.abc import Callable

import jax
import numpy as np

import ipd_theory as ipd
from ipd_theory import automata, replies, strategies, tournaments, zero_determinant
from ipd_theory.games import MatrixGame
from paper_figures.published.rows import Number, Row, Statement, Work

AXELROD = "payoffs 3, 0, 5, 1; limit of means"
exact = functools.partial(Row, "Press & Dyson 2012", settings=AXELROD)


def _game() -> MatrixGame:
    return ipd.games.axelrod()


def _donation(benefit: float) -> MatrixGame:
    return ipd.prisoners_dilemma(R=benefit - 1, S=-1.0, T=benefit, P=0.0)


def _returns(first: str, second: str, player: int, error: float = 0.0) -> Number:
    game = _game()
    pair = [strategies.tremble(strategies.named(name, game=game), error) for name in (first, second)]
    return Number(float(ipd.expected_returns(game, *pair, discount=1.0)[player]))


def _between(first: str, second: str, player: int) -> Callable[[Work], Number]:
    return lambda work: _returns(first, second, player)


def _most_off(make: Callable[[], jax.Array], own: float, other: float, constant: float) -> Callable[[Work], Number]:
    """Measure the largest |own·π_X + other·π_Y + constant| over random opponents."""

    def measure(work: Work) -> Number:
        opponents = np.random.default_rng(0).random((1000, 5))
        earned = np.asarray(ipd.expected_returns(_game(), make(), opponents, discount=1.0))
        return Number(float(np.abs(own * earned[:, 0] + other * earned[:, 1] + constant).max()))

    return measure


def _table(strategy: str, *published: float) -> Callable[[Work], Number]:
    def measure(work: Work) -> Number:
        return Number(float(np.abs(np.asarray(strategies.named(strategy, game=_game()))[1:] - published).max()))

    return measure


def _slope_in_error(strategy: str) -> Callable[[Work], Number]:
    """Measure the derivative, at 0, of what a strategy earns from its copy where both err with a small probability."""

    def measure(work: Work) -> Number:
        small = 1e-6
        ends = [_returns(strategy, strategy, 0, error).value for error in (small, 2 * small)]
        return Number((4 * ends[0] - ends[1] - 3 * 3.0) / (2 * small))  # self-play without errors pays R = 3

    return measure


def _distance(strategy: str) -> Callable[[Work], Number]:
    def measure(work: Work) -> Number:
        game = _game()
        return Number(float(zero_determinant.fit(game, strategies.named(strategy, game=game)).residual))

    return measure


def _edge(holds: Callable[[float], bool], low: float, high: float) -> Number:
    """Return where a property that holds at `low` and not at `high` ends."""
    for _ in range(48):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return Number(low)


def _nash_edge(make: Callable[[float], jax.Array]) -> Callable[[Work], Number]:
    return lambda work: _edge(lambda x: bool(replies.is_nash(_game(), make(x), discount=1.0)), 0.0, 1.0)


def _partner_edge(make: Callable[[float], jax.Array], benefit: float) -> Callable[[Work], Number]:
    def holds(x: float) -> bool:
        return bool(replies.is_partner(_donation(benefit), make(x), discount=1.0))

    return lambda work: _edge(holds, 0.0, 1.0)


def _nash_from(strategy: str, game: Callable[[], MatrixGame] = _game) -> Callable[[Work], Number]:
    def measure(work: Work) -> Number:
        ((low, _),) = replies.discount_windows(game(), strategies.named(strategy), replies.is_nash)
        return Number(low)

    return measure


def _perfect_from(automaton: Callable[[], automata.Automaton], *payoffs: float) -> Callable[[Work], Number]:
    def measure(work: Work) -> Number:
        R, S, T, P = payoffs
        game, machine = ipd.prisoners_dilemma(R=R, S=S, T=T, P=P), automaton()
        (window,) = replies.windows(
            lambda discount: np.array(
                [automata.is_subgame_perfect(game, machine, discount=float(x)) for x in discount]
            ),
            points=11,
        )
        return Number(window[0])

    return measure


def _agreement(strategy: str) -> Callable[[Work], Number]:
    """Measure the share of time that a strategy of memory three and its copy, erring, spend cooperating throughout."""

    def measure(work: Work) -> Number:
        table = strategies.tremble(strategies.extend(strategies.named(strategy), 3), 1e-3)
        return Number(float(ipd.state_occupancy(table, table, discount=1.0)[-64]))

    return measure


def _rank_of_generous(work: Work) -> Number:
    played = tournaments.tournament(_game(), tournaments.line_up(["stewart-plotkin"]), horizon=200)
    return Number(1.0 + [played.names[i] for i in played.ranking].index("ZDGTFT-2"))


ROWS: tuple[Row, ...] = (
    exact("what extort(3) earns from unconditional cooperation", Number((2 + 39) / 11),
          _between("extort(3)", "ALLC", 0), "expected_returns"),
    exact("what it leaves to it", Number((12 + 9) / 11), _between("extort(3)", "ALLC", 1), "expected_returns"),
    exact("extort(3) enforces π_X − 1 = 3 (π_Y − 1): largest deviation", Number(0.0),
          _most_off(lambda: strategies.named("extort(3)", game=_game()), 1.0, -3.0, 2.0), "zero_determinant.extortion",
          settings=f"{AXELROD}; 1,000 random opponents, seed 0"),
    exact("equalizer (.9, .7, .2, .1) holds the opponent at 2: largest deviation", Number(0.0),
          _most_off(lambda: strategies.memory_one(0.5, 0.9, 0.7, 0.2, 0.1), 0.0, 1.0, -2.0), "expected_returns",
          settings=f"{AXELROD}; 1,000 random opponents, seed 0"),
    Row("Stewart & Plotkin 2012", "Extort-2 is (8/9, 1/2, 1/3, 0): largest difference", Number(0.0),
        _table("extort-2", 8 / 9, 1 / 2, 1 / 3, 0.0), "strategies.named", AXELROD),
    Row("Stewart & Plotkin 2012", "ZD-GTFT-2 is (1, 1/8, 1, 1/4): largest difference", Number(0.0),
        _table("zd-gtft-2", 1.0, 1 / 8, 1.0, 1 / 4), "strategies.named", AXELROD),
    Row("Stewart & Plotkin 2012", "rank of ZD-GTFT-2 by score in their tournament", Number(1.0),
        _rank_of_generous, "tournaments.tournament",
        "payoffs 3, 0, 5, 1; 17 of their 19 strategies, matches of 200 rounds"),
    Row("Hilbe, Nowak & Traulsen 2013", "ZD-GTFT-2 enforces π_X − 3 = 2 (π_Y − 3): largest deviation", Number(0.0),
        _most_off(lambda: strategies.named("zd-gtft-2", game=_game()), 1.0, -2.0, 3.0), "zero_determinant.generous",
        f"{AXELROD}; 1,000 random opponents, seed 0"),
    Row("textbooks", "reactive (.9, .3) against (.7, .1): first player", Number(497 / 256),
        lambda work: Number(float(ipd.expected_returns(
            _game(), strategies.reactive(0.9, 0.9, 0.3), strategies.reactive(0.7, 0.7, 0.1), discount=1.0)[0])),
        "expected_returns", AXELROD),
    Row("Nowak & Sigmund 1992", "most generosity q of an unbeaten (1, q, 1, q)", Number(1 / 3),
        _nash_edge(strategies.generous_tit_for_tat), "replies.is_nash", AXELROD),
    Row("Akin 2012", "most p3 of a Nash strategy (1, 1/2, p3, 0)", Number(3 / 4),
        _nash_edge(lambda x: strategies.memory_one(1.0, 1.0, 0.5, x, 0.0)), "replies.is_nash", AXELROD),
    Row("Akin 2012", "most p4 of a Nash strategy (1, 1/2, 0, p4)", Number(1 / 2),
        _nash_edge(lambda x: strategies.memory_one(1.0, 1.0, 0.5, 0.0, x)), "replies.is_nash", AXELROD),
    Row("textbooks", "tit for tat is Nash from γ =", Number(2 / 3), _nash_from("TFT"), "replies.discount_windows",
        "payoffs 3, 0, 5, 1"),
    Row("textbooks", "grim is Nash from γ =", Number(1 / 2), _nash_from("GRIM"), "replies.discount_windows",
        "payoffs 3, 0, 5, 1"),
    Row("textbooks", "win-stay lose-shift is Nash from γ =", Number(1 / 2),
        _nash_from("WSLS", lambda: _donation(3.0)), "replies.discount_windows",
        "donation game, benefit 3, cost 1: c / (b − c)"),
    Row("textbooks", "two rounds of punishment are perfect from γ =", Number((math.sqrt(3) - 1) / 2),
        _perfect_from(lambda: automata.punishment(2), 3.0, 0.0, 4.0, 1.0), "automata.is_subgame_perfect",
        "payoffs 3, 0, 4, 1"),
    Row("textbooks", "grim is perfect from γ =", Number(2 / 3),
        _perfect_from(automata.grim, 3.0, -1.0, 5.0, 2.0), "automata.is_subgame_perfect", "payoffs 3, -1, 5, 2"),
    Row("textbooks", "tit for tat with errors earns from its copy", Number(9 / 4),
        lambda work: _returns("TFT", "TFT", 0, 1e-3), "expected_returns", f"{AXELROD}; errors 0.001"),
    *(Row("textbooks", f"what {name} loses to errors in self-play, per error", Number(slope),
          _slope_in_error(name), "expected_returns", f"{AXELROD}; errors 1e-6", rounding=1e-3)
      for name, slope in (("WSLS", -5.0), ("ZD-GTFT-2", -8.0), ("ALLC", -1.0))),
    *(Row("Knight et al. 2024", f"squared distance of {name} to extortion", Number(value), _distance(name),
          "zero_determinant.fit", AXELROD)
      for name, value in (("ALLC", 21 / 17), ("WSLS", 21 / 17), ("ALLD", 1 / 17), ("GTFT", 7 / 51),
                          ("ZD-GTFT-2", 9 / 136), ("extort-2", 0.0))),
    Row("Glynatsi et al. 2024", "most p_DD of a reactive-2 partner (1, .5, .5, p)", Number(2 / 3),
        _partner_edge(lambda x: strategies.reactive_n(np.array([1.0, 0.5, 0.5, x])), 3.0), "replies.is_partner",
        "donation game, benefit 3, cost 1: 1 − c/b"),
    Row("Glynatsi et al. 2024", "most p_CD = p_DC of a reactive-2 partner (1, p, p, 0)", Number(5 / 6),
        _partner_edge(lambda x: strategies.reactive_n(np.array([1.0, x, x, 0.0])), 3.0), "replies.is_partner",
        "donation game, benefit 3, cost 1: 1 − c/2b"),
    Row("Glynatsi et al. 2024", "most r_1 of a counting-3 partner (0, r, .5, 1)", Number(7 / 9),
        _partner_edge(lambda x: strategies.counting_n(np.array([0.0, x, 0.5, 1.0])), 3.0), "replies.is_partner",
        "donation game, benefit 3, cost 1: 1 − 2c/3b"),
    *(Row("Murase & Baek 2020", f"{name} and its copy, erring: share of steady cooperation", Number(value),
          _agreement(name), "state_occupancy", "errors 0.001; limit of means", rounding=5e-7)
      for name, value in (("CAPRI", 0.985644), ("TFT-ATFT", 0.987122))),
    Row("Akin 2012", "⟨v, γp − (1,1,0,0) + (1−γ)p₀⟩ against any opponent: largest", Statement("0", -1e-12, 1e-12),
        lambda work: _akin(), "state_occupancy", "γ 0.9; 1,000 random pairs, seed 0"),
)  # fmt: skip


def _akin() -> Number:
    p, q = np.random.default_rng(0).random((2, 1000, 5))
    v = np.asarray(ipd.state_occupancy(p, q, discount=0.9))
    each = (v * (0.9 * p[:, 1:] - np.array([1.0, 1.0, 0.0, 0.0]) + 0.1 * p[:, :1])).sum(-1)
    return Number(float(np.abs(each).max()))
