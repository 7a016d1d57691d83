"""Every learning rule of the field, exact, on one interface: see `base` for what a rule is."""

from typing import TYPE_CHECKING

from ipd_theory._lazy import loading

if TYPE_CHECKING:
    from ipd_theory.learning.rules.anticipation import coala as coala
    from ipd_theory.learning.rules.anticipation import cola as cola
    from ipd_theory.learning.rules.anticipation import hola as hola
    from ipd_theory.learning.rules.anticipation import lola_dice as lola_dice
    from ipd_theory.learning.rules.anticipation import meta_value as meta_value
    from ipd_theory.learning.rules.anticipation import path_gradient as path_gradient
    from ipd_theory.learning.rules.base import Ascent as Ascent
    from ipd_theory.learning.rules.base import Info as Info
    from ipd_theory.learning.rules.base import Problem as Problem
    from ipd_theory.learning.rules.base import Rule as Rule
    from ipd_theory.learning.rules.base import ascent as ascent
    from ipd_theory.learning.rules.base import mixture as mixture
    from ipd_theory.learning.rules.base import still as still
    from ipd_theory.learning.rules.gradients import cgd as cgd
    from ipd_theory.learning.rules.gradients import consensus as consensus
    from ipd_theory.learning.rules.gradients import extragradient as extragradient
    from ipd_theory.learning.rules.gradients import lola_as_published as lola_as_published
    from ipd_theory.learning.rules.gradients import lola_with_look_ahead as lola_with_look_ahead
    from ipd_theory.learning.rules.gradients import look_ahead as look_ahead
    from ipd_theory.learning.rules.gradients import naive as naive
    from ipd_theory.learning.rules.gradients import sga as sga
    from ipd_theory.learning.rules.gradients import sos as sos
    from ipd_theory.learning.rules.gradients import symplectic_surgery as symplectic_surgery
    from ipd_theory.learning.rules.proximal import pola as pola
    from ipd_theory.learning.rules.q_aware import advantage_alignment as advantage_alignment
    from ipd_theory.learning.rules.q_aware import loqa as loqa

_HOMES = {
    "Ascent": "base",
    "Info": "base",
    "Problem": "base",
    "Rule": "base",
    "advantage_alignment": "q_aware",
    "ascent": "base",
    "cgd": "gradients",
    "coala": "anticipation",
    "cola": "anticipation",
    "consensus": "gradients",
    "extragradient": "gradients",
    "hola": "anticipation",
    "lola_as_published": "gradients",
    "lola_dice": "anticipation",
    "lola_with_look_ahead": "gradients",
    "look_ahead": "gradients",
    "loqa": "q_aware",
    "meta_value": "anticipation",
    "mixture": "base",
    "naive": "gradients",
    "path_gradient": "anticipation",
    "pola": "proximal",
    "sga": "gradients",
    "sos": "gradients",
    "still": "base",
    "symplectic_surgery": "gradients",
}
__getattr__, __dir__ = loading(__name__, _HOMES)
