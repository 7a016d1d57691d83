r"""Return, occupancy, gradient and Hessian of two memory-one strategies as rational functions, in sympy.

Symbols: p_0 … p_4 and q_0 … q_4, each player's cooperation probability at the start and after CC, CD, DC, DD in
its own view; γ; R, S, T, P. Below q is in player 1's order. A discounted chain is a chain that restarts with
probability δ = 1 − γ; its stationary distribution is the occupancy v. Press & Dyson's column operations (2012; with
restarts, Mamiya & Ichinose 2020) make every average v · f a quotient of two 4 × 4 determinants,

    v · f = D(f) / D(1),    D(f) = | c  p̃  q̃  f |,    row s:
    c_s = γ p_s q_s + δ p_0 q_0 − [s = CC],   p̃_s = γ p_s + δ p_0 − [s ∈ CC, CD],   q̃_s = γ q_s + δ q_0 − [s ∈ CC, DC],

also at γ = 1. Player 1's second column and player 2's third depend on its own table alone, which is where
zero-determinant strategies come from. By Cramer's rule (c p̃ q̃ 1) u = f has u_4 = v · f and

    u_1[f] = |f p̃ q̃ 1| / D(1),    u_2[f] = |c f q̃ 1| / D(1),    u_3[f] = |c p̃ f 1| / D(1),

and the advantages of cooperating after s over defecting, for payoffs f, are

    a_s[f] = −(q_s u_1[f] + u_2[f])  of player 1's choice,     b_s[f] = −(p_s u_1[f] + u_3[f])  of player 2's.

The policy gradient theorem is then a product of determinants, and a second derivative two such products: with
ω_0 = δ, v_0 = 1, e_0 = (1, 1, 1, 1) for the start, and ω_s = γ, e_s the unit vector for the outcomes,

    ∂J/∂p_s = ω_s v_s a_s[f],      ∂J/∂q_s = ω_s v_s b_s[f],
    ∂²J/∂p_s∂p_t = ω_s ω_t (v_s a_s[e_t] a_t[f] + v_t a_t[e_s] a_s[f]),
    ∂²J/∂p_s∂q_t = ω_s ω_t (v_s a_s[e_t] b_t[f] + v_t b_t[e_s] a_s[f]) − [s = t] ω_s v_s u_1[f].

Numerator and denominator are linear in each probability alone. Determinants stay unevaluated until `rational`
asks, which keeps every form printable; a return in all 15 symbols has 313 terms over 55, its Hessian thousands.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import sympy
from sympy import Determinant, Expr, ImmutableMatrix, Integer, MatrixBase, Rational, Symbol

from ipd_theory._arguments import checked
from ipd_theory._fractions import fraction

P_SYMBOLS: tuple[Symbol, ...] = sympy.symbols("p_0:5")
Q_SYMBOLS: tuple[Symbol, ...] = sympy.symbols("q_0:5")
DISCOUNT = Symbol("γ")
PAYOFFS: tuple[Symbol, ...] = sympy.symbols("R S T P")
CONTEXTS = ("start", "CC", "CD", "DC", "DD")
OTHERS_VIEW = (0, 1, 3, 2, 4)
COLUMN_LATEX = {"p̃": r"\tilde p", "q̃": r"\tilde q", "1": r"\mathbf 1"}

Player = Literal[0, 1]
Column = tuple[Expr, ...]
Table = Sequence[Any] | np.ndarray[Any, np.dtype[Any]]
Quantity = Callable[["Pairing"], Expr]

ONES: Column = (Integer(1),) * 4
UNITS: tuple[Column, ...] = (ONES, *(tuple(Integer(int(i == s)) for i in range(4)) for s in range(4)))


def exact(x: Any) -> Expr:
    """Return a number as the simplest fraction that rounds to it (0.1 is 1/10); sympy expressions as they are.

    Raises:
        ValueError: if it is neither a finite number nor an expression.
    """
    if isinstance(x, Expr):
        return x
    try:
        meant = fraction(x)
    except (ValueError, TypeError) as error:
        raise ValueError(f"x must be a finite number or a sympy expression; got {x!r}") from error
    return Rational(meant.numerator, meant.denominator)


def _entries(name: str, table: Any) -> Column:
    """Return numbers and expressions as `exact` does, with errors that name what they are entries of."""
    if isinstance(table, str) or not isinstance(table, Iterable):
        raise TypeError(f"{name} must be a sequence of numbers and sympy expressions; got {table!r}")
    try:
        return tuple(map(exact, table))
    except ValueError as error:
        got = str(error).partition("; got ")[2]
        raise ValueError(f"{name} must hold finite numbers or sympy expressions; got {got}") from error


@dataclasses.dataclass(frozen=True)
class Pairing:
    """Two strategies, a discount and a game, any part of which may be symbols or numbers.

    Args:
        p, q: five entries (start, CC, CD, DC, DD) each, in the player's own view: numbers, fractions or expressions.
        discount: γ; 1 is the limit of means.
        payoffs: R, S, T, P of a symmetric game.

    Raises:
        ValueError: if a length is wrong, or a number is no probability.
    """

    p: Table = P_SYMBOLS
    q: Table = Q_SYMBOLS
    discount: Any = DISCOUNT
    payoffs: Table = PAYOFFS

    def __post_init__(self) -> None:
        for name, length in (("p", 5), ("q", 5), ("payoffs", 4)):
            entries = _entries(name, getattr(self, name))
            if len(entries) != length:
                raise ValueError(f"{name} has {len(entries)} entries, {entries}; it must have {length}")
            object.__setattr__(self, name, entries)
        object.__setattr__(self, "discount", _entries("discount", (self.discount,))[0])
        for name, numbers in (("p", self.p), ("q", self.q), ("discount", (self.discount,))):
            for x in numbers:
                if x.is_number and not 0 <= x <= 1:
                    raise ValueError(f"{name} holds {x}; every number in it must lie in [0, 1]")

    def payoffs_of(self, player: Player) -> Column:
        """Return a player's payoffs after CC, CD, DC, DD, player 1's action first."""
        R, S, T, P = self.payoffs
        return (R, S, T, P) if player == 0 else (R, T, S, P)


def _columns(pairing: Pairing) -> tuple[Column, Column, Column]:
    """Return c, p̃ and q̃."""
    p, q = pairing.p, [pairing.q[i] for i in OTHERS_VIEW]
    gamma, delta = pairing.discount, 1 - pairing.discount
    c = [gamma * p[s] * q[s] + delta * p[0] * q[0] - int(s == 1) for s in range(1, 5)]
    p_tilde = [gamma * p[s] + delta * p[0] - int(s in (1, 2)) for s in range(1, 5)]
    q_tilde = [gamma * q[s] + delta * q[0] - int(s in (1, 3)) for s in range(1, 5)]
    return tuple(c), tuple(p_tilde), tuple(q_tilde)


def _determinant(*columns: Column) -> Expr:
    return Determinant(ImmutableMatrix(list(zip(*columns, strict=True))))


def _average(pairing: Pairing, f: Column) -> Expr:
    """Return v · f."""
    columns = _columns(pairing)
    return _determinant(*columns, f) / _determinant(*columns, ONES)


def _replaced(pairing: Pairing, f: Column, k: int) -> Expr:
    """Return u_k[f] D(1): the determinant with column k = 1, 2 or 3 replaced by f."""
    columns = [*_columns(pairing), ONES]
    return _determinant(*(f if i == k - 1 else column for i, column in enumerate(columns)))


def _advantage(pairing: Pairing, wrt: Player, s: int, f: Column) -> Expr:
    """Return a_s[f] of player 1's choice (wrt = 0) or b_s[f] of player 2's, s in player 1's order."""
    other = pairing.q[OTHERS_VIEW[s]] if wrt == 0 else pairing.p[s]
    return -(other * _replaced(pairing, f, 1) + _replaced(pairing, f, 2 + wrt)) / _replaced(pairing, ONES, 4)


def _rate(pairing: Pairing, s: int) -> Expr:
    """Return ω_s."""
    return (1 - pairing.discount) if s == 0 else pairing.discount


def _visits(pairing: Pairing, s: int) -> Expr:
    """Return ω_s v_s."""
    return _rate(pairing, s) * (1 if s == 0 else _average(pairing, UNITS[s]))


def _in_limit(pairing: Pairing, quantity: Quantity) -> Expr:
    """Return a quantity of the pairing; where γ = 1 makes it 0/0, its limit as γ → 1."""
    if pairing.discount != 1 or evaluated(_determinant(*_columns(pairing), ONES)).expand() != 0:
        return quantity(pairing)
    towards = rational(quantity(dataclasses.replace(pairing, discount=DISCOUNT)))
    return sympy.cancel(towards).subs(DISCOUNT, 1)


@checked
def expected_return(pairing: Pairing, player: Player = 0) -> Expr:
    """Return a player's normalised return as a quotient of two determinants.

    Args:
        pairing: the strategies, discount and payoffs.
        player: whose return, from 0.

    Returns:
        J in payoff units a step. Source: Press & Dyson 2012, eq. 4, with restarts (Mamiya & Ichinose 2020).
    """
    return _in_limit(pairing, lambda pair: _average(pair, pair.payoffs_of(player)))


@checked
def occupancy(pairing: Pairing) -> tuple[Expr, ...]:
    """Return the shares of (discounted) time in CC, CD, DC, DD, player 1's action first: four quotients."""
    return tuple(_in_limit(pairing, functools.partial(_average, f=f)) for f in UNITS[1:])


@checked
def gradient(pairing: Pairing, player: Player = 0, wrt: Player = 0) -> tuple[Expr, ...]:
    """Return the five derivatives of a player's return in a player's probabilities: visits times advantage.

    Args:
        pairing: the strategies, discount and payoffs.
        player: whose return, from 0.
        wrt: whose strategy, from 0; entries are in its own view.

    Returns:
        (∂J/∂start, ∂J/∂CC, ∂J/∂CD, ∂J/∂DC, ∂J/∂DD); `zoo` where a limit of means has none because it jumps.
    """

    def entry(pair: Pairing, *, s: int) -> Expr:
        return _visits(pair, s) * _advantage(pair, wrt, s, pair.payoffs_of(player))

    return tuple(_in_limit(pairing, functools.partial(entry, s=s)) for s in _order(wrt))


@checked
def hessian(pairing: Pairing, player: Player = 0, wrt: tuple[Player, Player] = (0, 0)) -> ImmutableMatrix:
    """Return the 5 × 5 second derivatives of a player's return, rows in one strategy, columns in one.

    Args:
        pairing: the strategies, discount and payoffs.
        player: whose return, from 0.
        wrt: whose strategy the rows and whose the columns are; each is in its owner's view.
    """

    first, second = wrt

    def through(pair: Pairing, s: int, here: Player, t: int, there: Player) -> Expr:
        """The part in which the entry at t changes how often s is visited, and so what the entry at s is worth."""
        visited = _visits(pair, t) * _rate(pair, s) * _advantage(pair, there, t, UNITS[s])
        return visited * _advantage(pair, here, s, pair.payoffs_of(player))

    def entry(pair: Pairing, *, s: int, t: int) -> Expr:
        total = through(pair, s, first, t, second) + through(pair, t, second, s, first)
        if first == second or s != t:
            return total
        both_at_once = _replaced(pair, pair.payoffs_of(player), 1) / _replaced(pair, ONES, 4)
        return total - _visits(pair, s) * both_at_once

    rows = [[_in_limit(pairing, functools.partial(entry, s=s, t=t)) for t in _order(second)] for s in _order(first)]
    return ImmutableMatrix(rows)


def _order(player: Player) -> tuple[int, ...]:
    """Return player 1's contexts in the order of a player's own view."""
    return (0, 1, 2, 3, 4) if player == 0 else OTHERS_VIEW


@checked
def shorthand(expression: Expr, pairing: Pairing, player: Player = 0) -> tuple[Expr, dict[str, Column]]:
    """Return an expression with its determinants written by their columns, |c p̃ q̃ f|, and those columns.

    Args:
        expression: a form derived from the pairing, determinants unevaluated.
        pairing: the strategies, discount and payoffs.
        player: whose payoffs f are.
    """
    units = dict(zip(("1", *(f"e_{context}" for context in CONTEXTS[1:])), UNITS, strict=True))
    columns = dict(zip(("c", "p̃", "q̃"), _columns(pairing), strict=True))
    names = columns | {"f": pairing.payoffs_of(player)} | units
    used: dict[str, Column] = {}

    def written(matrix: ImmutableMatrix) -> Symbol:
        parts = []
        for column in (tuple(matrix.col(k)) for k in range(matrix.cols)):
            name = next(name for name, entries in names.items() if entries == column)
            parts.append(name)
            if name not in units:
                used[name] = column
        return Symbol(f"|{' '.join(parts)}|")

    short = expression.replace(Determinant, written)
    return short, {name: used[name] for name in names if name in used}


@checked
def evaluated(expression: Expr) -> Expr:
    """Return the expression with its determinants multiplied out by rows, nothing expanded or cancelled."""
    return expression.replace(Determinant, lambda matrix: matrix.det(method="laplace"))


@checked
def rational(expression: Expr) -> Expr:
    """Return the expression as a factored fraction in lowest terms.

    Products of determinants stay products, so a gradient costs hardly more than a return; a Hessian entry is a
    sum of two such products and takes seconds once six symbols or more are free besides the payoffs.
    """
    if isinstance(expression, Determinant):
        return _factored_determinant(expression.arg)
    if isinstance(expression, sympy.Mul | sympy.Pow):
        return _signs_gathered(expression.func(*map(rational, expression.args)))
    if isinstance(expression, sympy.Add):
        return sympy.factor(sympy.together(sympy.Add(*map(rational, expression.args))))
    return expression


@functools.lru_cache(1024)
def _factored_determinant(matrix: ImmutableMatrix) -> Expr:
    return sympy.factor(matrix.det(method="laplace"))


def _signs_gathered(product: Expr) -> Expr:
    """Write (b − a) as −(a − b) wherever sympy would, so that such factors cancel."""
    gathered: Expr = Integer(1)
    for base, exponent in product.as_powers_dict().items():
        if base.is_Add and exponent.is_integer and base.could_extract_minus_sign():
            gathered *= (-1) ** exponent * (-base) ** exponent
        else:
            gathered *= base**exponent
    return gathered


@checked
def by_payoff(expression: Expr, payoffs: Iterable[Expr] = PAYOFFS) -> Expr:
    """Return a fraction with its numerator sorted by payoff, each coefficient factored."""
    numerator, denominator = sympy.fraction(sympy.together(expression))
    present = [x for x in payoffs if numerator.has(x)]
    return sympy.collect(sympy.expand(numerator), present, sympy.factor) / sympy.factor(denominator)


@checked
def simplest(expression: Expr, most_symbols: int = 6, most_operations: int = 150) -> Expr:
    """Return the form to print: the shortest fraction, or the determinants where fractions are no use.

    Args:
        expression: a form derived from a pairing.
        most_symbols: how many probabilities and discounts may be free in a fraction.
        most_operations: a longer sum is only put over its common denominator, its terms factored.

    Raises:
        ValueError: if one of the numbers is below 0.
    """
    for name, number in (("most_symbols", most_symbols), ("most_operations", most_operations)):
        if number < 0:
            raise ValueError(f"{name} must be 0 or more; got {number}")
    if len(expression.free_symbols - set(PAYOFFS)) > most_symbols:
        return expression
    terms = sympy.Add.make_args(expression)
    fraction = sympy.together(sympy.Add(*map(rational, terms)))
    if _vanishes(fraction):
        return Integer(0)
    if len(terms) > 1 and sympy.count_ops(fraction) > most_operations:
        return fraction
    return sympy.factor(fraction) if len(terms) > 1 else fraction


def _vanishes(fraction: Expr) -> bool:
    """Return whether a fraction is 0, by its value at a point whose coordinates satisfy no short equation."""
    symbols = sorted(fraction.free_symbols, key=str)
    point = {x: Rational(sympy.prime(100 + 7 * i), sympy.prime(300 + 11 * i)) for i, x in enumerate(symbols)}
    return bool(fraction.subs(point) == 0)


@checked
def latex(expression: Expr | MatrixBase) -> str:
    """Return LaTeX of an expression or a matrix, determinants in shorthand included."""

    def column(name: str) -> str:
        return COLUMN_LATEX.get(name, f"e_{{{name[2:]}}}" if name.startswith("e_") else name)

    names = {DISCOUNT: r"\gamma"}
    for symbol in expression.free_symbols:
        if symbol.name.startswith("|"):
            columns = r"\ ".join(column(part) for part in symbol.name.strip("|").split())
            names[symbol] = rf"\left|{columns}\right|"
    text: str = sympy.latex(expression, symbol_names=names)
    return text


@checked
def as_function(
    expressions: Sequence[Expr],
) -> Callable[[Sequence[Any], Sequence[Any], Any, Sequence[Any]], list[Any]]:
    """Return a function (p, q, γ, payoffs) → values of expressions in all the symbols.

    It is plain arithmetic with common subexpressions shared: numbers, numpy arrays and exact `Fraction`s all pass
    through, so it also serves as an oracle without rounding.
    """
    arguments = [list(P_SYMBOLS), list(Q_SYMBOLS), DISCOUNT, list(PAYOFFS)]
    function: Callable[..., list[Any]] = sympy.lambdify(
        arguments, [evaluated(x) for x in expressions], modules=[{}], cse=True
    )
    return function
