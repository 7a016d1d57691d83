"""Learning-aware policy gradients estimated from samples, and the exact expectations they are held against."""

from ipd_theory._lazy import loading

__getattr__, __dir__ = loading(__name__)
