"""Pictures of what the library returns: maps of phases, games between learning rules."""

from ipd_theory._lazy import loading

__getattr__, __dir__ = loading(__name__)
