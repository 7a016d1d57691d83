"""Every learning rule of the field, exact, on one interface: see `base` for what a rule is."""

from ipd_theory.learning.rules.anticipation import coala, cola, hola, lola_dice, meta_value, path_gradient
from ipd_theory.learning.rules.base import Ascent, Info, Problem, Rule, ascent, mixture, still
from ipd_theory.learning.rules.gradients import (
    cgd,
    consensus,
    extragradient,
    lola_as_published,
    lola_with_look_ahead,
    look_ahead,
    naive,
    sga,
    sos,
    symplectic_surgery,
)
from ipd_theory.learning.rules.proximal import pola
from ipd_theory.learning.rules.q_aware import advantage_alignment, loqa

__all__ = [
    "Ascent",
    "Info",
    "Problem",
    "Rule",
    "advantage_alignment",
    "ascent",
    "cgd",
    "coala",
    "cola",
    "consensus",
    "extragradient",
    "hola",
    "lola_as_published",
    "lola_dice",
    "lola_with_look_ahead",
    "look_ahead",
    "loqa",
    "meta_value",
    "mixture",
    "naive",
    "path_gradient",
    "pola",
    "sga",
    "sos",
    "still",
    "symplectic_surgery",
]
