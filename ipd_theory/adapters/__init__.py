"""Games and strategies to and from other packages: `nashpy`, `quantecon`, `pygambit`, `axelrod`, each a module."""

from ipd_theory._lazy import loading

__getattr__, __dir__ = loading(__name__)
