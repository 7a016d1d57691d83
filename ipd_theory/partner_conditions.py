r"""When a reactive or counting strategy is a partner, derived as inequalities for any symmetric game, in sympy.

A reactive-n strategy cooperates with probability p_h after the opponent's last n actions h, and p_{C…C} = 1, to be
nice. It looks at nothing else, so that some best reply looks at its own last n actions alone and is pure (Glynatsi,
Akin, Nowak & Hilbe 2024): it runs round a cycle of the graph whose vertices are words h of n actions and whose edges
append an action, and visits no word twice. In the limit of means the strategy is a partner if no such cycle earns more
than R. An edge from h that cooperates earns R − (R − S)(1 − p_h), one that defects T − (T − P)(1 − p_h), so that with
the words h before defections in D and those before cooperations in C, the condition of a cycle is

    (T − P) Σ_{h ∈ D} (1 − p_h) + (R − S) Σ_{h ∈ C} (1 − p_h) ≥ |D| (T − R):

what defections gain is punished. For T > R, T > P and R > S a condition follows from others if some non-negative
combination of them asks for no more at any h and for as much in all; such ones are left out, by linear programs whose
multipliers are checked in fractions. A counting-n strategy has one probability r_k for all words with k cooperations.
"""

import itertools
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
import sympy
from sympy import Expr, Symbol

from ipd_theory._arguments import checked
from ipd_theory.symbolic import PAYOFFS, exact

Family = Literal["reactive", "counting"]


class Condition(NamedTuple):
    """What one way to defect asks for: the cycle of the opponent's actions, and an inequality in the probabilities."""

    cycle: str
    inequality: Expr


class _Punished(NamedTuple):
    """How often each probability stands before a defection and a cooperation of a cycle, and its defections."""

    cycle: str
    defecting: tuple[int, ...]
    cooperating: tuple[int, ...]
    defections: int


@checked
def conditions(memory: int, family: Family = "reactive", payoffs: Any = PAYOFFS) -> tuple[Condition, ...]:
    """Return the inequalities that together say when a nice strategy of a family is a partner, in the limit of means.

    Args:
        memory: n, from 1 to 3.
        family: `reactive`, with probabilities p_h, h the opponent's last n actions, oldest first; or `counting`, with
            r_k after k cooperations of the opponent. Those after n cooperations are 1.
        payoffs: R, S, T, P, numbers or expressions, with T > R, T > P and R > S.

    Raises:
        ValueError: if memory or family is another, there are not four payoffs, or numbers among them are in another
            order.
    """
    if memory not in (1, 2, 3):
        raise ValueError(f"memory must be 1, 2 or 3; got {memory!r}")
    try:
        entries = tuple(map(exact, payoffs))
    except (TypeError, ValueError) as error:
        raise ValueError(f"payoffs must hold four numbers or expressions; {error}") from None
    if len(entries) != 4:
        raise ValueError(f"payoffs has {len(entries)} entries; it must have four: R, S, T, P")
    R, S, T, P = entries
    for name, difference in (("T > R", T - R), ("T > P", T - P), ("R > S", R - S)):
        if difference.is_number and not difference > 0:
            raise ValueError(f"payoffs must have {name}; got R {R}, S {S}, T {T}, P {P}")
    words = ["".join(h) for h in itertools.product("CD", repeat=memory)]
    names = [f"p_{h}" for h in words] if family == "reactive" else [f"r_{memory - k}" for k in range(memory + 1)]
    places = range(len(words)) if family == "reactive" else [h.count("D") for h in words]
    every = [_punished(cycle, dict(zip(words, places, strict=True)), len(names)) for cycle in _cycles(memory)]
    if sympy.expand((T - P) - (R - S)) == 0:  # as in the donation game: both kinds of punishment cost the same
        zero = (0,) * len(names)
        every = [x._replace(defecting=_sum(x.defecting, x.cooperating), cooperating=zero) for x in every]
    return tuple(_written(x, [Symbol(name) for name in names], entries) for x in _needed(every))


def _cycles(memory: int) -> list[str]:
    """Return the cycles that visit no word twice, as the actions of a round trip, the shorter ones first."""
    found = []
    for length in range(1, 2**memory + 1):
        for actions in itertools.product("CD", repeat=length):
            cycle = "".join(actions)
            turns = [cycle[i:] + cycle[:i] for i in range(length)]
            visited = {(turn * memory)[:memory] for turn in turns}
            if len(visited) == length and cycle == min(turns) and "D" in cycle:
                found.append(cycle)
    return found


def _punished(cycle: str, place: dict[str, int], size: int) -> _Punished:
    memory = len(next(iter(place)))
    counts = {"D": [0] * size, "C": [0] * size}
    for i, action in enumerate(cycle):
        before = (cycle * (memory + 1))[i + len(cycle) * memory - memory : i + len(cycle) * memory]
        if "D" in before:  # after cooperation alone the strategy cooperates
            counts[action][place[before]] += 1
    return _Punished(cycle, tuple(counts["D"]), tuple(counts["C"]), cycle.count("D"))


def _sum(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _needed(every: list[_Punished]) -> list[_Punished]:
    """Return the conditions that do not follow from the others, the longest cycles left out first."""
    kept = list(every)
    for condition in reversed(every):
        others = [x for x in kept if x is not condition]
        if _follows(condition, others):
            kept = others
    return kept


def _follows(condition: _Punished, others: list[_Punished]) -> bool:
    """Return whether a non-negative combination of others asks for no more at any word, and as much in all."""
    from scipy.optimize import linprog

    if not others:
        return False
    asked = np.array([(*x.defecting, *x.cooperating) for x in others]).T
    most = np.array((*condition.defecting, *condition.cooperating))
    gained = np.array([x.defections for x in others])
    program = linprog(-gained, asked, most)
    if program.status != 0:
        return False
    # Exactly, from here on: the program's answer is only a guess.
    multipliers = [Fraction(x).limit_denominator(1000) for x in program.x]

    def combined(row: Any) -> Fraction:
        return sum((m * int(x) for m, x in zip(multipliers, row, strict=True)), Fraction(0))

    return combined(gained) >= condition.defections and all(
        combined(row) <= int(limit) for row, limit in zip(asked, most, strict=True)
    )


def _written(condition: _Punished, symbols: list[Symbol], payoffs: tuple[Expr, ...]) -> Condition:
    """Return a condition as an upper bound: on a probability, on a mean of several, or on a weighted sum."""
    R, S, T, P = payoffs
    pairs = zip(condition.defecting, condition.cooperating, strict=True)
    weights = [sympy.factor(d * (T - P) + c * (R - S)) for d, c in pairs]
    whole = sympy.Add(*weights)
    gained = condition.defections * (T - R)
    present = [(w, p) for w, p in zip(weights, symbols, strict=True) if w != 0]
    ratios = [sympy.cancel(w / whole) for w, _ in present]
    if all(ratio.is_number for ratio in ratios):
        left = sympy.Add(*(ratio * p for ratio, (_, p) in zip(ratios, present, strict=True)))
        bound = 1 - gained / whole
        return Condition(
            condition.cycle, sympy.Le(left, min(sympy.expand(bound), sympy.factor(bound), key=sympy.count_ops))
        )
    left = sympy.Add(*(w * p for w, p in present))
    return Condition(condition.cycle, sympy.Le(left, sympy.Add(*(w for w, _ in present)) - gained))
