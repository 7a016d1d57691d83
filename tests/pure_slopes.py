"""Slopes of the limit of means between pure strategies by following play, in fractions and without a chain."""

from collections.abc import Sequence
from fractions import Fraction
from math import inf

SWAP = (0, 1, 3, 2, 4)
Branch = tuple[bool, Fraction, int]


def _followed(outcome: int, tables: Sequence[Sequence[int]], payoffs: Sequence[Fraction], context: int) -> Branch:
    """Return whether play from this outcome on comes to the context, and what it earns until then in how many steps.

    Play that never comes there goes round for ever: what one round earns, in how many steps.
    """
    seen: list[int] = []
    while outcome not in seen:
        seen.append(outcome)
        if outcome + 1 == context:
            return True, sum((payoffs[x] for x in seen), Fraction(0)), len(seen)
        outcome = _next(outcome + 1, tables)
    around = seen[seen.index(outcome) :]
    return False, sum((payoffs[x] for x in around), Fraction(0)), len(around)


def _next(context: int, tables: Sequence[Sequence[int]]) -> int:
    return 3 - 2 * tables[0][context] - tables[1][SWAP[context]]


def slope(tables: Sequence[Sequence[int]], payoffs: Sequence[Fraction], wrt: int, entry: int) -> Fraction | float:
    """Return the slope of player 1's limit of means in one probability, moved into [0, 1]; infinite at a jump.

    With probability ε the action of the context is the other one. Both ways of going on are followed: back to the
    context, or away for good.

    Args:
        tables: two pure strategies of memory one, each in its own view.
        payoffs: player 1's after CC, CD, DC, DD.
        wrt, entry: whose probability, and which.
    """
    changed = [list(table) for table in tables]
    changed[wrt][entry] = 1 - changed[wrt][entry]
    context, sign = entry if wrt == 0 else SWAP[entry], 1 - 2 * tables[wrt][entry]
    if context and not _followed(_next(0, tables), tables, payoffs, context)[0]:
        return Fraction(0)
    (back, earned, steps), (other_back, other_earned, other_steps) = (
        _followed(_next(context, x), tables, payoffs, context) for x in (tables, changed)
    )
    if back and other_back:
        return sign * (other_earned - Fraction(earned, steps) * other_steps) / steps
    gain = Fraction(other_earned, other_steps) - Fraction(earned, steps)
    if back:  # the first error is the last: however rare, play is away
        return sign * gain * inf if gain else Fraction(0)
    return Fraction(0) if other_back else sign * gain
