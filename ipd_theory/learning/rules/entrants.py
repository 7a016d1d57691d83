"""Rules by name, as one writes them on a command line: `naive`, `lola(20)`, `lola-dice(3, 6)`.

What is not written is at the setting its paper published. Papers that add up payoffs Σ γ^t r state steps for such
sums; a step of α on sums is α/(1 − γ) on averages a step, which is what rules see here, so the published settings
depend on the discount. An assumed step is the step that a rule takes the other for making, whatever its own owner's is.

    look-ahead, lola, sos, extragradient, cgd   steps of 1 on sums                   Letcher et al. 2019
    lola-dice                                   one step of 0.3 on sums              Foerster et al. 2018, its code
    coala                                       steps of 5 on averages               Meulemans et al. 2025
    meta-value                                  steps of 1 on sums, γ 0.95 a step    Cooijmans et al. 2023
    loqa                                        β 1                                  Aghajohari et al. 2024
    advantage-alignment                         β 1                                  Duque et al. 2025

Ours are how far coala and meta-value look ahead (20 and 10 steps), the steps of hola (1 on sums) and of cola (0.03,
small enough for its iteration), and pola's penalties; consensus, sga and symplectic-surgery keep their defaults.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.learning.rules import anticipation, gradients, proximal, q_aware
from ipd_theory.learning.rules.base import Rule

# The twelve that are quick enough for a first look, at their published settings.
FIRST_TWELVE = (
    *("naive", "look-ahead", "lola-as-published", "lola", "lola-dice(3)", "sos", "extragradient", "hola"),
    *("loqa", "advantage-alignment", "coala", "meta-value"),
)


class Entrant(NamedTuple):
    """A rule that enters a tournament.

    Args:
        name: as it was written, which heads its row.
        rule: at all its settings, which it prints.
    """

    name: str
    rule: Rule


class _Kind(NamedTuple):
    make: Callable[..., Rule]
    published: tuple[Any, ...]


def _kinds(discount: float) -> dict[str, _Kind]:
    one = round(1 / (1 - discount), 9) if discount < 1 else math.nan  # a step of 1 on sums
    return {
        "naive": _Kind(gradients.naive, ()),
        "look-ahead": _Kind(gradients.look_ahead, (one,)),
        "lola-as-published": _Kind(gradients.lola_as_published, (one,)),
        "lola": _Kind(gradients.lola_with_look_ahead, (one,)),
        "lola-dice": _Kind(anticipation.lola_dice, (1, round(0.3 * one, 9))),
        "sos": _Kind(gradients.sos, (one, 0.5, 0.1)),
        "extragradient": _Kind(gradients.extragradient, (one,)),
        "hola": _Kind(anticipation.hola, (2, one)),
        "loqa": _Kind(q_aware.loqa, (1.0,)),
        "advantage-alignment": _Kind(q_aware.advantage_alignment, (1.0,)),
        "coala": _Kind(anticipation.coala, (20, 5.0)),
        "meta-value": _Kind(anticipation.meta_value, (10, one, 0.95)),
        "consensus": _Kind(gradients.consensus, (1.0,)),
        "sga": _Kind(gradients.sga, (0.1,)),
        "cgd": _Kind(gradients.cgd, (one,)),
        "symplectic-surgery": _Kind(gradients.symplectic_surgery, (0.1,)),
        "cola": _Kind(anticipation.cola, (round(0.03 * one, 9),)),
        "pola": _Kind(proximal.pola, (1.0, 1.0)),
    }


def names() -> tuple[str, ...]:
    """Return the names of all rules that may enter."""
    return tuple(_kinds(0.0))


@checked
def entrant(text: str, discount: float) -> Entrant:
    """Return the rule that `NAME` or `NAME(argument, …)` means.

    Args:
        text: e.g. `lola`, `lola(20)`, `meta-value(10, 5, 0.9)`; arguments as in `learning.rules`, and what is left out
            at the end is as published.
        discount: γ in [0, 1] of the game that is to be played.

    Raises:
        ValueError: if the name is unknown, an argument is no number, out of range or too many, or what is published
            for sums of payoffs would be needed at γ = 1.
    """
    _checks.number("discount", discount, 0.0, 1.0)
    kinds = _kinds(discount)
    matched = re.fullmatch(r"\s*([\w-]+)\s*(?:\((.*)\))?\s*", str(text))
    name = matched.group(1) if matched else ""
    if matched is None or name not in kinds:
        raise ValueError(f"entrant {text!r} is no rule; the rules are {', '.join(kinds)}, or NAME(argument, …)")
    kind, written = kinds[name], (matched.group(2) or "").strip()
    given = tuple(_number(text, part) for part in written.split(",")) if written else ()
    if len(given) > len(kind.published):
        raise ValueError(f"{text!r}: {name} takes {len(kind.published)} arguments or fewer; got {len(given)}")
    arguments = given + kind.published[len(given) :]
    if discount == 1 and any(math.isnan(x) for x in arguments):
        raise ValueError(f"{text!r}: at discount 1 no step on sums exists; write the step, as in {name}(…)")
    try:
        return Entrant(str(text).strip(), kind.make(*arguments))
    except (TypeError, ValueError) as wrong:
        raise ValueError(f"{text!r}: {wrong}") from None


def _number(text: str, part: str) -> int | float:
    for kind in (int, float):
        try:
            value = kind(part)
        except ValueError:
            continue
        if math.isfinite(value):
            return value
    raise ValueError(f"{text!r}: every argument must be a finite number; got {part.strip()!r}")
