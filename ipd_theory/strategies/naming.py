"""Strategies as people write them: a name, a name with numbers, or the table itself."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, zero_determinant
from ipd_theory._arguments import checked, did_you_mean
from ipd_theory.games import MatrixGame
from ipd_theory.strategies import classics, files, longer
from ipd_theory.strategies.tables import MAX_MEMORY, num_contexts

T = TypeVar("T")


def extort(game: MatrixGame, discount: ArrayLike, chi: float, phi: float | None = None) -> Array:
    """Without φ, in the middle of its range: Extort-2 and Extort-3 as published (Stewart & Plotkin 2012)."""
    low, high = _press_dyson_range(game, discount, chi, outcome=3, start=0.0)
    return zero_determinant.extortion(game, chi, (low + high) / 2 if phi is None else phi, discount)


def generous(game: MatrixGame, discount: ArrayLike, chi: float, phi: float | None = None) -> Array:
    """Without φ, at the end of its range: ZDGTFT-2 as published (Stewart & Plotkin 2012)."""
    _, high = _press_dyson_range(game, discount, chi, outcome=0, start=1.0)
    return zero_determinant.generous(game, chi, high if phi is None else phi, discount)


def equalizer(game: MatrixGame, discount: ArrayLike, payoff: float, phi: float | None = None) -> Array:
    """Without φ, in the middle of its range."""
    low, high = zero_determinant.phi_range(game, 0.0, payoff, discount, 1.0)
    return zero_determinant.equalizer(game, payoff, (low + high) / 2 if phi is None else phi, discount)


def linear(
    game: MatrixGame, discount: ArrayLike, slope: float, baseline: float, phi: float | None = None, start: float = 0.0
) -> Array:
    """Without φ, in the middle of its range."""
    low, high = zero_determinant.phi_range(game, slope, baseline, discount, start)
    return zero_determinant.linear(game, slope, baseline, (low + high) / 2 if phi is None else phi, discount, start)


def _press_dyson_range(
    game: MatrixGame, discount: ArrayLike, chi: float, outcome: int, start: float
) -> tuple[Array, Array]:
    """Return the range of φ as Press & Dyson scale it: per (P − S), of A − l less χ times B − l."""
    factor = _checks.number("chi", chi, 1)
    own = game.outcome_payoffs[..., 0, :]
    low, high = zero_determinant.phi_range(game, 1 / factor, own[..., outcome], discount, start)
    unit = (own[..., 3] - own[..., 1]) / factor
    return low * unit, high * unit


def all_or_none(k: float = 1.0) -> Array:
    """k as a number that was read."""
    if k != int(k):
        raise ValueError(f"k must be 1, 2 or 3; got {k:g}")
    return longer.all_or_none(int(k))


def reactive_n(*p: float) -> Array:
    """The responses to the other's last n actions, one by one."""
    return classics.reactive_n(jnp.asarray(p))


def self_reactive_n(*p: float) -> Array:
    """The responses to one's own last n actions, one by one."""
    return classics.self_reactive_n(jnp.asarray(p))


def counting_n(*r: float) -> Array:
    """The responses to 0, 1, …, n cooperations of the other, one by one."""
    return classics.counting_n(jnp.asarray(r))


TABLES: dict[str, Callable[..., Array]] = {
    "ALLC": classics.always_cooperate,
    "ALLD": classics.always_defect,
    "FBF": classics.firm_but_fair,
    "GRIM": classics.grim,
    "GTFT": classics.generous_tit_for_tat,
    "RANDOM": classics.random,
    "STFT": classics.suspicious_tit_for_tat,
    "TFT": classics.tit_for_tat,
    "WSLS": classics.win_stay_lose_shift,
    "ALT": classics.alternator,
    "ATFT": classics.anti_tit_for_tat,
    "TF2T": longer.tit_for_two_tats,
    "GTF2T": longer.generous_tit_for_two_tats,
    "TF3T": longer.tit_for_three_tats,
    "2TFT": longer.two_tits_for_tat,
    "2TF2T": longer.two_tits_for_two_tats,
    "HTFT": longer.hard_tit_for_tat,
    "AON": all_or_none,
    "TFT-ATFT": longer.tft_atft,
    "CAPRI": longer.capri,
    "REACTIVE": classics.reactive,
    "MEMORY_ONE": classics.memory_one,
    "REACTIVE_N": reactive_n,
    "SELF_REACTIVE_N": self_reactive_n,
    "COUNTING_N": counting_n,
}
ZERO_DETERMINANT: dict[str, Callable[..., Array]] = {
    "EXTORT": extort,
    "GENEROUS": generous,
    "EQUALIZER": equalizer,
    "LINEAR": linear,
}
OTHER_NAMES = {"PAVLOV": "WSLS", "BULLY": "ATFT", "EXTORTION": "EXTORT", "ZDGTFT": "GENEROUS", "EQUALISER": "EQUALIZER"}


@checked
def named(text: str, *, game: MatrixGame | None = None, discount: ArrayLike = 1.0) -> Float[Array, " h"]:
    """Return the strategy [h] that a text names.

    Args:
        text: a name, short or in full, in any case (`TFT`, `tit-for-tat`); a name with numbers (`gtft(0.3)`,
            `extort(3)`, `equalizer(2, 1/4)`, `random(p=0.9)`; `extort-3` is `extort(3)`); all entries of a table with
            commas between them (`1,1,0,1,1/3`; 5 of them for memory one, 21 for memory two); or a file that holds one
            of these (`mine.json`, see `files.read`).
        game: the game in which a zero-determinant strategy enforces its line.
        discount: γ in (0, 1], under which it does.

    Raises:
        ValueError: listing what there is, if the text names nothing; or if an entry is no probability, numbers are
            missing, or a zero-determinant strategy is asked for without a game.
    """
    if files.is_file_name(text):
        held = files.read(text)
        if not isinstance(held, str):
            raise ValueError(f"strategy {text!r} is an automaton; it must be a table here")
        return in_file(text, functools.partial(named, held, game=game, discount=discount))
    written = text.strip()
    if "(" not in written and ("," in written or files.NUMBER.fullmatch(written)):
        return _entries(text)
    read = _read(text, _labels())
    if read is None:
        near = did_you_mean(_squeezed(written.partition("(")[0]), _labels())
        kinds, makers = ", ".join(files.SUFFIXES), listed(TABLES | _without_game())
        give = f"{near} Give" if near else "; give"
        raise ValueError(f"strategy {text!r} is not known{give} all entries of a table, a file ({kinds}), or {makers}")
    label, arguments = read
    if label in TABLES:
        return _called(text, label, TABLES[label], arguments)
    if game is None:
        raise ValueError(f"strategy {text!r} is a zero-determinant strategy, which needs a game")
    return _called(text, label, functools.partial(ZERO_DETERMINANT[label], game, discount), arguments)


def _squeezed(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).upper()


def _labels() -> dict[str, str]:
    """Return the label for each name, all without spaces, dashes and lower case."""
    short = {_squeezed(label): label for label in (*TABLES, *ZERO_DETERMINANT)}
    full = {_squeezed(make.__name__): label for label, make in TABLES.items()}
    labels = full | OTHER_NAMES | short
    return labels | {f"ZD{name}": label for name, label in labels.items() if label in ZERO_DETERMINANT}


def _read(text: str, labels: Mapping[str, str]) -> tuple[str, list[str]] | None:
    """Return the label of a text's name and its arguments as they are written; None if it has no label."""
    name, bracket, rest = text.strip().partition("(")
    arguments = [part.strip() for part in rest.removesuffix(")").split(",")] if rest.strip(" )") else []
    stem = _squeezed(name)
    if not bracket and stem not in labels and (numbered := re.fullmatch(r"(.*?)(\d+)", stem)):
        stem, arguments = numbered[1], [numbered[2]]
    if stem not in labels or (bracket and not rest.endswith(")")):
        return None
    return labels[stem], arguments


def _without_game() -> dict[str, Callable[..., Array]]:
    return {label: functools.partial(make, None, None) for label, make in ZERO_DETERMINANT.items()}


def _signature(make: Callable[..., Any]) -> str:
    """Return a maker's arguments as one writes them, optional ones with a mark; nothing if it has none."""
    parameters = inspect.signature(make).parameters.values()
    marks = ["…" if p.kind is p.VAR_POSITIONAL else "?" * (p.default is not p.empty) for p in parameters]
    listed = ", ".join(p.name + mark for p, mark in zip(parameters, marks, strict=True))
    return f"({listed})" if listed else ""


def _called(text: str, label: str, make: Callable[..., T], arguments: list[str]) -> T:
    positional = [_number(text, part) for part in arguments if "=" not in part]
    pairs = [part.partition("=") for part in arguments if "=" in part]
    by_name = {name.strip(): _number(text, value) for name, _, value in pairs}
    try:
        bound = inspect.signature(make).bind(*positional, **by_name)
    except TypeError as error:
        raise ValueError(f"strategy {text!r}: {error}; write {label}{_signature(make)}, ? for optional") from None
    for name, parameter in inspect.signature(make).parameters.items():
        if parameter.annotation is int and bound.arguments.get(name, 0.5) % 1 == 0:
            bound.arguments[name] = int(bound.arguments[name])
    try:
        return make(*bound.args, **bound.kwargs)
    except (TypeError, ValueError) as error:
        raise ValueError(f"strategy {text!r}: {error}") from None


def _number(text: str, part: str) -> float:
    try:
        return float(Fraction(part.strip()))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f"strategy {text!r} holds {part.strip()!r}, which is not a number") from None


def _entries(text: str) -> Array:
    numbers = [_number(text, part) for part in text.split(",")]
    lengths = [num_contexts(memory) for memory in range(MAX_MEMORY + 1)]
    if len(numbers) not in lengths:
        allowed = ", ".join(f"{h} (memory {memory})" for memory, h in enumerate(lengths))
        raise ValueError(f"strategy {text!r} has {len(numbers)} entries; it must have one of {allowed}")
    return _checks.probabilities(f"strategy {text!r}", jnp.asarray(numbers, float))


def made(text: str, makers: Mapping[str, Callable[..., T]]) -> T | None:
    """Return what one of the makers, by label, makes of `NAME` or `NAME(number, …)`; None if the text names none.

    Raises:
        ValueError: if it names one, and the numbers are not what that takes.
    """
    read = _read(text, {_squeezed(label): label for label in makers})
    return None if read is None else _called(text, read[0], makers[read[0]], read[1])


def in_file(text: str, make: Callable[[], T]) -> T:
    """Return what is made of a file's contents, whose errors then name the file.

    Raises:
        ValueError: if it cannot be made.
    """
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise ValueError(f"strategy {text!r}: {error}") from None


def listed(makers: Mapping[str, Callable[..., Any]]) -> str:
    """Return the labels with the arguments of what they make, as one writes them."""
    return ", ".join(f"{label}{_signature(make)}" for label, make in makers.items())
