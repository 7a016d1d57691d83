"""Automata by name, in the words in which strategies are named everywhere."""

import functools
from collections.abc import Callable

from jaxtyping import Array, ArrayLike, Float

from ipd_theory import strategies
from ipd_theory._arguments import checked, did_you_mean
from ipd_theory.automata import classics
from ipd_theory.automata.base import Automaton
from ipd_theory.games import MatrixGame
from ipd_theory.strategies import files, naming

AUTOMATA: dict[str, Callable[..., Automaton]] = {
    "GRIM_AUTOMATON": classics.grim,
    "GRUDGER": classics.grudger,
    "PUNISH": classics.punishment,
    "CONTRITE_TFT": classics.contrite_tit_for_tat,
    "FORGIVER": classics.forgiver,
    "DAVIS": classics.davis,
    "PROBER": classics.prober,
    "PROBER_2": classics.prober_2,
    "PROBER_3": classics.prober_3,
    "HARD_PROBER": classics.hard_prober,
}


@checked
def named(text: str, *, game: MatrixGame | None = None, discount: ArrayLike = 1.0) -> Float[Array, " h"] | Automaton:
    """Return the strategy that a text names: an automaton, or a table [h] where `strategies.named` knows the name.

    Args:
        text: an automaton's name, in any case (`grim-automaton`, `punish(2)`, `contrite-tft`), or what
            `strategies.named` reads: other names, tables, and files, which may hold an automaton too.
        game, discount: as for `strategies.named`.

    Raises:
        ValueError: listing what there is, if the text names nothing; or as `strategies.named`.
    """
    if files.is_file_name(text):
        held = files.read(text)
        return naming.in_file(
            text,
            functools.partial(named, held, game=game, discount=discount)
            if isinstance(held, str)
            else functools.partial(Automaton, **held),
        )
    automaton = naming.made(text, AUTOMATA)
    if automaton is not None:
        return automaton
    try:
        return strategies.named(text, game=game, discount=discount)
    except ValueError as error:
        unknown = "is not known" in str(error)
        more = f", {naming.listed(AUTOMATA)}{did_you_mean(text.partition('(')[0].strip(), AUTOMATA.keys())}"
        raise ValueError(f"{error}{more if unknown else ''}") from None
