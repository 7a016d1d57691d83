"""Agents that learn from sampled experience: sequence models, meta-episodes and their training."""

from ipd_theory._lazy import loading

__getattr__, __dir__ = loading(__name__)
