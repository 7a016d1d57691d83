"""Who enters: strategies by name, and the line-ups of two published tournaments.

Axelrod's first tournament (1980) had fourteen entries and RANDOM. Seven of the fifteen are tables or small automata
and play here exactly, as the Axelrod library reads their descriptions. The others test how random their opponent is,
count without end, or lean on the number of the round; `adapters.axelrod` plays them.

Stewart & Plotkin (2012) let two zero-determinant strategies meet seventeen others, of whom all but two, which count
without end (HARD_MAJO) and look for cycles (CALC), are exact here. Where the paper does not say how an entry plays,
this follows what the Axelrod library does.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ipd_theory import automata, strategies
from ipd_theory._arguments import checked
from ipd_theory.automata import Automaton
from ipd_theory.games import MatrixGame

Maker = Callable[[], Array | Automaton]


def joss() -> Array:
    """Return Joss' entry: tit for tat that defects one time in ten where it would cooperate."""
    return strategies.reactive(1.0, 0.9, 0.0)


def grofman() -> Array:
    """Return Grofman's entry: cooperate after equal actions, after others with probability 2/7."""
    return strategies.memory_one(1.0, 1.0, 2 / 7, 2 / 7, 1.0)


NYDEGGER_DEFECTS = (1, 6, 7, 17, 22, 23, 26, 29, 30, 31, 33, 38, 39, 45, 49, 54, 55, 58, 61)


def nydegger() -> Array:
    """Return Nydegger's entry [85]: tit for tat for three rounds, then by a score of the last three outcomes.

    A round in which both, only the other, or only it defected counts 3, 2 or 1; the last one 16 times, the one before
    4 times. In the third round it defects if it alone cooperated in the first and it alone defected in the second.
    """
    worth = {"CC": 0, "DC": 1, "CD": 2, "DD": 3}
    table = []
    for context in strategies.contexts(3):
        rounds = [] if context == "start" else context.split("·")
        score = sum(worth[outcome] * 4**age for age, outcome in enumerate(rounds))  # the oldest counts least
        if len(rounds) == 3:
            table.append(float(score not in NYDEGGER_DEFECTS))
        elif len(rounds) == 2:
            table.append(float(rounds[1][1] == "C" and [r[1] for r in rounds] != ["D", "C"]))
        else:
            table.append(float(not rounds or rounds[0][1] == "C"))
    return jnp.asarray(table)


def _zero_determinant(*probabilities: float) -> Maker:
    return lambda: strategies.memory_one(1.0, *probabilities)


LINE_UPS: dict[str, dict[str, Maker]] = {
    "axelrod-1980": {
        "TFT": strategies.tit_for_tat,
        "NYDEGGER": nydegger,
        "GROFMAN": grofman,
        "FRIEDMAN": automata.grudger,
        "DAVIS": automata.davis,
        "JOSS": joss,
        "RANDOM": strategies.random,
    },
    "stewart-plotkin": {
        "ALLC": strategies.always_cooperate,
        "ALLD": strategies.always_defect,
        "EXTORT-2": _zero_determinant(8 / 9, 1 / 2, 1 / 3, 0.0),
        "ZDGTFT-2": _zero_determinant(1.0, 1 / 8, 1.0, 1 / 4),
        "TFT": strategies.tit_for_tat,
        "GTFT": strategies.generous_tit_for_tat,
        "TF2T": strategies.tit_for_two_tats,
        "HARD_TFT": strategies.hard_tit_for_tat,
        "HARD_TF2T": strategies.two_tits_for_two_tats,
        "HARD_JOSS": joss,
        "WSLS": strategies.win_stay_lose_shift,
        "GRIM": automata.grudger,
        "RANDOM": strategies.random,
        "PROBE": automata.prober,
        "PROBE2": automata.prober_2,
        "PROBE3": automata.prober_3,
        "HARD_PROBE": automata.hard_prober,
    },
}
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "axelrod-1980": (
        *("Tideman & Chieruzzi", "Shubik", "Stein & Rapoport", "Graaskamp", "Downing", "Feld", "Tullock"),
        "name withheld",
    ),
    "stewart-plotkin": ("HARD_MAJO", "CALC"),
}


@checked
def line_up(
    texts: Sequence[str], *, game: MatrixGame | None = None, discount: ArrayLike = 1.0
) -> dict[str, Array | Automaton]:
    """Return strategies by name: those that texts name, and all of a line-up where a text names one.

    Args:
        texts: names as `automata.named` reads them, and `axelrod-1980` or `stewart-plotkin`.
        game: in which zero-determinant strategies enforce their line.
        discount: under which they do.

    Raises:
        ValueError: if a text names nothing, or a strategy is entered twice under one name.
    """
    if isinstance(texts, str) or not np.iterable(texts) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"texts must be a list of names; got {texts!r}")
    entered: dict[str, Array | Automaton] = {}
    for text in texts:
        makers = LINE_UPS.get(text.strip().lower())
        more = {n: m() for n, m in makers.items()} if makers else {text: _named(text, game, discount)}
        twice = sorted(more.keys() & entered.keys())
        if twice:
            raise ValueError(f"texts must name each strategy once; {twice[0]} stands there twice")
        entered |= more
    return entered


def _named(text: str, game: MatrixGame | None, discount: ArrayLike) -> Array | Automaton:
    try:
        return automata.named(text, game=game, discount=discount)
    except ValueError as error:
        more = f"; or a line-up: {', '.join(LINE_UPS)}" if "is not known" in str(error) else ""
        raise ValueError(f"{error}{more}") from None
