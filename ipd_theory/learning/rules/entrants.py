"""Rules by name, as one writes them on a command line: `naive`, `lola(20)`, `lola-dice(3, 6)`, `mine.py:humble(0.3)`.

Each module of rules lists in its `BY_NAME` which names there are, and at which settings. What is not written is as the
rule's paper published it. Papers that add up payoffs Σ γ^t r state steps for such sums; a step of α on sums is
α/(1 − γ) on averages a step, which is what rules see here, so the published settings depend on the discount. An
assumed step is the step that a rule takes the other for making, whatever its own owner's is.

    look-ahead, lola, sos, extragradient, cgd   steps of 1 on sums                   Letcher et al. 2019
    lola-dice                                   one step of 0.3 on sums              Foerster et al. 2018, its code
    coala                                       steps of 5 on averages               Meulemans et al. 2025
    meta-value                                  steps of 1 on sums, γ 0.95 a step    Cooijmans et al. 2023
    loqa                                        β 1                                  Aghajohari et al. 2024
    advantage-alignment                         β 1                                  Duque et al. 2025

Ours are how far coala and meta-value look ahead (20 and 10 steps), the steps of hola (1 on sums) and of cola (0.03,
small enough for its iteration), and pola's penalties; consensus, sga and symplectic-surgery keep their defaults.
"""

import functools
import importlib
import math
import pkgutil
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ipd_theory import _checks, _places
from ipd_theory._arguments import checked, did_you_mean
from ipd_theory.learning import rules
from ipd_theory.learning.rules.base import OnSums, Published, Rule

# The twelve that are quick enough for a first look, at their published settings.
FIRST_TWELVE = (
    *("naive", "look-ahead", "lola-as-published", "lola", "lola-dice(3)", "sos", "extragradient", "hola"),
    *("loqa", "advantage-alignment", "coala", "meta-value"),
)


class Entrant(NamedTuple):
    """A rule that enters a tournament.

    Args:
        name: which heads its row; any word.
        rule: at all its settings, which it prints.
    """

    name: str
    rule: Rule


@functools.cache
def _by_name() -> dict[str, Published]:
    """Return what the modules of rules list in `BY_NAME`, in the order of the alphabet."""
    found: dict[str, Published] = {}
    for module in pkgutil.iter_modules(rules.__path__, f"{rules.__name__}."):
        listed: dict[str, Published] = getattr(importlib.import_module(module.name), "BY_NAME", {})
        for name in listed.keys() & found.keys():
            raise ValueError(f"BY_NAME of {module.name}: another rule is called {name}, too")
        found |= listed
    return dict(sorted(found.items()))


def names() -> tuple[str, ...]:
    """Return the names of all rules that may enter by name."""
    return tuple(_by_name())


@checked
def entrant(text: str, discount: float) -> Entrant:
    """Return the rule that `NAME`, `NAME(argument, …)` or `FILE.py:NAME(argument, …)` means.

    Args:
        text: e.g. `lola`, `lola(20)`, `meta-value(10, 5, 0.9)`, arguments as in `learning.rules`, and what is left out
            at the end as published; or a rule of one's own, `mine.py:humble(0.3)` or `my_module:humble`, where NAME is
            a `Rule` or what returns one. It enters as `humble(0.3)`.
        discount: γ in [0, 1] of the game that is to be played.

    Raises:
        ValueError: if the name is unknown, an argument is no number, out of range or too many, what is published
            for sums of payoffs would be needed at γ = 1, or what stands in a file is no rule.
    """
    _checks.number("discount", discount, 0.0, 1.0)
    matched = re.fullmatch(r"\s*(?:(?P<where>.+):)?(?P<name>[\w-]+)\s*(?:\((?P<written>[^()]*)\))?\s*", str(text))
    if matched is None or (matched["where"] is None and matched["name"] not in _by_name()):
        known = f"{', '.join(_by_name())}, or NAME(argument, …), FILE.py:NAME(…)"
        near = did_you_mean(str(text).partition("(")[0].strip(), _by_name().keys())
        raise ValueError(f"entrant {text!r} is no rule; the rules are {known}{near}")
    where, name, written = matched["where"], matched["name"], matched["written"]
    given = tuple(_number(text, part) for part in written.split(",")) if (written or "").strip() else ()
    if where is not None:
        enters = name if written is None else f"{name}({written})"
        return Entrant(enters, _own(text, _places.load(f"{where}:{name}"), written is None, given))
    published = _by_name()[name]
    if len(given) > len(published.settings):
        raise ValueError(f"{text!r}: {name} takes {len(published.settings)} arguments or fewer; got {len(given)}")
    rest = published.settings[len(given) :]
    arguments = given + tuple(x.on_averages(discount) if isinstance(x, OnSums) else x for x in rest)
    if any(math.isnan(x) for x in arguments):
        raise ValueError(f"{text!r}: at discount 1 no step on sums exists; write the step, as in {name}(…)")
    return Entrant(str(text).strip(), _made(text, published.make, arguments))


def _own(text: str, found: Any, bare: bool, given: tuple[int | float, ...]) -> Rule:
    """Return the rule that somebody's own thing is, or makes of the numbers given."""
    if isinstance(found, Rule) and bare:
        return found
    if isinstance(found, Rule) or not callable(found):
        wrong = "it is a rule already, without arguments" if isinstance(found, Rule) else f"it is {found!r}"
        raise ValueError(f"{text!r}: a rule, or a function that returns one, must stand there; {wrong}")
    made = _made(text, found, given)
    if not isinstance(made, Rule):
        raise ValueError(
            f"{text!r}: it must return a rule, as learning.rules.ascent(name, field) makes of a direction; got {made!r}"
        )
    return made


def _made(text: str, make: Callable[..., Any], arguments: tuple[int | float, ...]) -> Any:
    try:
        return make(*arguments)
    except Exception as wrong:  # whatever somebody's own function raises
        said = str(wrong) if isinstance(wrong, TypeError | ValueError) else f"{type(wrong).__name__}: {wrong}"
        raise ValueError(f"{text!r}: {said}".split("\n")[0]) from wrong


def _number(text: str, part: str) -> int | float:
    for kind in (int, float):
        try:
            value = kind(part)
        except ValueError:
            continue
        if math.isfinite(value):
            return value
    raise ValueError(f"{text!r}: every argument must be a finite number; got {part.strip()!r}")
