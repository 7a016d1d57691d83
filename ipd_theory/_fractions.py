"""Numbers as the fractions that were meant: 0.1 is 1/10."""

from fractions import Fraction
from typing import Any

import numpy as np


def fraction(x: Any) -> Fraction:
    """Return a number as the simplest fraction that rounds to it; fractions and whole numbers as they are.

    Raises:
        ValueError: if it is no finite number.
    """
    if isinstance(x, Fraction):
        return x
    try:
        written = Fraction(str(x))
    except ValueError as error:
        raise ValueError(f"{x!r} is not a finite number") from error
    simple = written.limit_denominator(10**6)
    return simple if isinstance(x, float | np.floating) and type(x)(float(simple)) == x else written
