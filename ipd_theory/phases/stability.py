r"""The condition for unconditional defection to be unstable, as an inequality between rational functions, in sympy.

The learner moves in probability space, q^{m+1} = q^m + η ∂J²/∂q, and is shaped by the agent's response after DC,
x = p_DC, whose other responses are 0. With u^m = ∂q^m/∂x, u^0 = 0, defection is unstable iff

    Σ_{m=0}^{M} [∂J¹/∂x + λ ∂J¹/∂q · u](q^m, u^m) > 0  at x = 0,   u^{m+1} = u^m + η [∂²J²/∂q∂x + ∂²J²/∂q² u](q^m, u^m),

with λ = 1/B for an estimator that ignores the batch of B trajectories. In a pool the derivative after DC is
p_naive/(M + 1) times the sum, since among agents that always defect nothing depends on x (`drift`): p_naive > 0 does
not enter the sign.

Every term is a rational function, from `symbolic`. At x = 0 only q_0, q_CD and q_DD move, and the learner cooperates
at the rate c = (δ q_0 + γ q_DD) / (1 − γ(q_CD − q_DD)). Later q^m and u^m have symbols of their own, defined by the
earlier ones, which keeps each line printable; put in, they make one fraction in q^0, η, γ and the payoffs. It holds
while the learner stays within [0, 1]. In η alone, the roots of its numerator and denominator part the steps for which
defection is unstable from the others.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import sympy
from sympy import Expr, Symbol

from ipd_theory._arguments import checked
from ipd_theory.symbolic import (
    DISCOUNT,
    PAYOFFS,
    Q_SYMBOLS,
    Pairing,
    exact,
    expected_return,
    gradient,
    hessian,
    rational,
)

LEARNING_RATE = Symbol("η", positive=True)
AFTER_DC = 3
PRIME = "'"
MOVING = (0, 2, 4)  # what a learner has against unconditional defection: its start, and after CD and DD

ALWAYS_DEFECT = Pairing(p=(0,) * 5)


@dataclasses.dataclass(frozen=True)
class StabilityCondition:
    """Unconditional defection is unstable iff `drift` > 0.

    Args:
        definitions: symbols of later episodes and what they are, each by those before it.
        drift: Σ_m, in those symbols.
    """

    definitions: tuple[tuple[Symbol, Expr], ...]
    drift: Expr

    def substituted(self, values: Mapping[Symbol, Any] | None = None) -> Expr:
        """Return the drift as one expression with the definitions put in; `values` for symbols go in first."""
        known = dict(values or {})
        for symbol, meaning in self.definitions:
            known[symbol] = sympy.cancel(meaning.subs(known)) if values else meaning.subs(known)
        return self.drift.subs(known)

    def evaluate(self, values: Mapping[Symbol, Any]) -> Any:
        """Return the drift for numbers, arrays or fractions: a value for each q, η, γ and payoff symbol."""
        known = dict(values)
        for symbol, meaning in self.definitions:
            known[symbol] = _call(meaning, known)
        return _call(self.drift, known)

    def given(self, values: Mapping[Symbol, Any]) -> "StabilityCondition":
        """Return the condition with `values` put in for symbols; what becomes a number needs no definition."""
        known = dict(values)
        kept = []
        for symbol, meaning in self.definitions:
            there = meaning.subs(known)
            if there.free_symbols:
                kept.append((symbol, there))
            else:
                known[symbol] = there
        return StabilityCondition(tuple(kept), self.drift.subs(known))

    def in_learning_rate(self, values: Mapping[Symbol, Any]) -> tuple[Expr, list[Expr]]:
        """Return the drift and the learner's later probabilities as fractions in η.

        Args:
            values: a number for each other symbol.

        Raises:
            ValueError: naming the symbols that have none.
        """
        known, learner = dict(values), []
        for symbol, meaning in self.definitions:
            known[symbol] = sympy.cancel(meaning.subs(known))
            if symbol.name.startswith("q"):
                learner.append(known[symbol])
        drift = sympy.cancel(self.drift.subs(known))
        free = sorted(map(str, drift.free_symbols.union(*(x.free_symbols for x in learner)) - {LEARNING_RATE}))
        if free:
            raise ValueError(f"values must hold a number for every symbol but η; {', '.join(free)} have none")
        return drift, learner

    def windows(self, values: Mapping[Symbol, Any]) -> tuple[list[tuple[float, float]], float]:
        """Return the intervals of η for which defection is unstable, and the η up to which the condition holds.

        Beyond the latter, inf if there is none, the learner leaves [0, 1]. Arguments and errors are those of
        `in_learning_rate`.
        """
        drift, learner = self.in_learning_rate(values)
        last = sympy.oo
        for low, _, inner in _pieces([y for x in learner for y in (x, 1 - x)], last):
            if not all(0 <= x.subs(LEARNING_RATE, inner) <= 1 for x in learner):
                last = low
                break
        unstable = [piece[:2] for piece in _pieces([drift], last) if drift.subs(LEARNING_RATE, piece[2]) > 0]
        return [(float(low), float(high)) for low, high in unstable], float(last)

    def latex(self) -> str:
        """Return the definitions and the inequality as aligned lines of LaTeX, a line for each term of the drift."""
        lines = [rf"{_latex(symbol)} &= {_latex(meaning)}" for symbol, meaning in self.definitions]
        first, *rest = (_latex(term) for term in sympy.Add.make_args(self.drift))
        terms = [rf"0 &< {first}", *(rf"&\quad {'' if term.startswith('-') else '+ '}{term}" for term in rest)]
        body = " \\\\\n".join([*lines, *terms])
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _pieces(fractions: Iterable[Expr], last: Expr) -> list[tuple[Expr, Expr, Expr]]:
    """Return the ends of the intervals of η in (0, last) on which no fraction changes its sign, and a point of each."""
    roots = set()
    for fraction in fractions:
        for part in sympy.fraction(sympy.together(fraction)):
            roots |= set(sympy.real_roots(part, LEARNING_RATE)) if part.has(LEARNING_RATE) else set()
    inside = sorted((x for x in roots if 0 < x < last), key=float)
    ends = [sympy.Integer(0), *inside, last] if last > 0 else []
    inner = [sympy.Rational(float(low + 1 if high == sympy.oo else (low + high) / 2)) for low, high in pairwise(ends)]
    return [(low, high, x) for (low, high), x in zip(pairwise(ends), inner, strict=True)]


def _call(expression: Expr, values: Mapping[Symbol, Any]) -> Any:
    used = sorted(expression.free_symbols, key=str)
    return sympy.lambdify(used, expression, modules=[{}], cse=True)(*(values[x] for x in used))


def _latex(expression: Expr) -> str:
    """Return LaTeX; q_0' is the start of the learner after one step, u_0' its derivative."""
    names = {DISCOUNT: r"\gamma", LEARNING_RATE: r"\eta"}
    for x in expression.free_symbols:
        kind, _, index = x.name.partition("_")
        if kind in ("q", "u"):
            names[x] = f"{kind}_{{{index.rstrip(PRIME)}}}{PRIME * index.count(PRIME)}"
    text: str = sympy.latex(expression, symbol_names=names)
    return text


def cooperation_rate() -> Expr:
    """Return c, the learner's rate of cooperation with unconditional defection, from its return P + c(S − P)."""
    _, S, _, P = PAYOFFS
    return sympy.factor((rational(expected_return(ALWAYS_DEFECT, player=1)) - P) / (S - P))


@checked
def stability_condition(num_inner_episodes: int, batch_size: Any = 1) -> StabilityCondition:
    """Return the condition for a learner that takes M steps, in the symbols of `symbolic` and η.

    Args:
        num_inner_episodes: M; 1 and 2 are of a printable length.
        batch_size: B, a number or a symbol, by which the shaping part is divided; 1 is the true gradient.

    Raises:
        ValueError: if M is negative, or B is a number below 1.
    """
    if num_inner_episodes < 0:
        raise ValueError(f"num_inner_episodes must be 0 or more; got {num_inner_episodes}")
    try:
        B = exact(batch_size)
    except ValueError:
        B = sympy.Integer(0)
    if B.is_number and not (B.is_real and B >= 1):
        raise ValueError(f"batch_size must be a number, 1 or more, or a symbol; got {batch_size!r}")
    pair = ALWAYS_DEFECT
    own_gain = rational(gradient(pair, player=0, wrt=0)[AFTER_DC])
    wish = [rational(gradient(pair, player=0, wrt=1)[k]) for k in MOVING]
    slope = [rational(gradient(pair, player=1, wrt=1)[k]) for k in MOVING]
    mixed = [rational(hessian(pair, player=1, wrt=(1, 0))[k, AFTER_DC]) for k in MOVING]
    second = hessian(pair, player=1, wrt=(1, 1))
    curvature = [[rational(second[k, l]) for l in MOVING] for k in MOVING]

    q = {k: Q_SYMBOLS[k] for k in MOVING}
    u = dict.fromkeys(MOVING, sympy.Integer(0))
    drift, definitions = own_gain, []  # type: Expr, list[tuple[Symbol, Expr]]
    for m in range(1, num_inner_episodes + 1):
        here = {Q_SYMBOLS[k]: x for k, x in q.items()}
        turned = [sum(row[j] * u[k] for j, k in enumerate(MOVING)) for row in curvature]
        next_q = {k: q[k] + LEARNING_RATE * slope[i].subs(here) for i, k in enumerate(MOVING)}
        next_u = {k: u[k] + LEARNING_RATE * (mixed[i] + turned[i]).subs(here) for i, k in enumerate(MOVING)}
        q = {k: Symbol(f"q_{k}" + PRIME * m) for k in MOVING}
        u = {k: Symbol(f"u_{k}" + PRIME * m) for k in MOVING}
        definitions += [(q[k], next_q[k]) for k in MOVING] + [(u[k], next_u[k]) for k in MOVING]
        there = {Q_SYMBOLS[k]: x for k, x in q.items()}
        drift += own_gain.subs(there) + sum(w.subs(there) * u[k] / B for w, k in zip(wish, MOVING, strict=True))
    return StabilityCondition(tuple(definitions), drift)
