"""Cooperation phase diagrams: sweeps over settings, what became of each pool, and where phases end."""

from ipd_theory._lazy import loading

__getattr__, __dir__ = loading(__name__)
