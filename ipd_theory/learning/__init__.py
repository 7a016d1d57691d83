"""Agents that learn by exact gradients: rules, shaping, pools."""

from ipd_theory._lazy import loading

__getattr__, __dir__ = loading(__name__)
