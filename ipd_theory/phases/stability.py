r"""The condition for unconditional defection to be unstable, as an inequality between rational functions, in sympy.

The learner moves in probability space, q^{m+1} = q^m + η ∂J²/∂q, and is shaped by the agent's response after DC,
x = p_DC, whose other responses are 0. With u^m = ∂q^m/∂x, u^0 = 0, defection is unstable iff

    Σ_{m=0}^{M} [∂J¹/∂x + ∂J¹/∂q · u](q^m, u^m) > 0  at x = 0,   u^{m+1} = u^m + η [∂²J²/∂q∂x + ∂²J²/∂q² u](q^m, u^m).

Every term is a rational function, from `symbolic`. At x = 0 only q_0, q_CD and q_DD move, and the learner cooperates
at the rate c = (δ q_0 + γ q_DD) / (1 − γ(q_CD − q_DD)). Later q^m and u^m have symbols of their own, defined by the
earlier ones, which keeps each line printable; put in, they make one fraction in q^0, η, γ and the payoffs. It holds
while the learner stays within [0, 1].
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Expr, Symbol

from ipd_theory._arguments import checked
from ipd_theory.symbolic import (
    DISCOUNT,
    PAYOFFS,
    Q_SYMBOLS,
    Pairing,
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

    def latex(self) -> str:
        """Return the definitions and the inequality as aligned lines of LaTeX, a line for each term of the drift."""
        lines = [rf"{_latex(symbol)} &= {_latex(meaning)}" for symbol, meaning in self.definitions]
        first, *rest = (_latex(term) for term in sympy.Add.make_args(self.drift))
        terms = [rf"0 &< {first}", *(rf"&\quad {'' if term.startswith('-') else '+ '}{term}" for term in rest)]
        body = " \\\\\n".join([*lines, *terms])
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


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
def stability_condition(num_inner_episodes: int) -> StabilityCondition:
    """Return the condition for a learner that takes M steps, in the symbols of `symbolic` and η.

    Args:
        num_inner_episodes: M; 1 and 2 are of a printable length.

    Raises:
        ValueError: if M is negative.
    """
    if num_inner_episodes < 0:
        raise ValueError(f"num_inner_episodes must be 0 or more; got {num_inner_episodes}")
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
        drift += own_gain.subs(there) + sum(w.subs(there) * u[k] for w, k in zip(wish, MOVING, strict=True))
    return StabilityCondition(tuple(definitions), drift)
