"""What the walk cannot read from annotations, for the rooms of evolution."""

from collections.abc import Callable
from typing import Any

import numpy as np

Thunk = Callable[[], Any]

OWN: dict[str, dict[str, Thunk]] = {
    "evolution.invasions.stationary": {"rates": lambda: np.ones((2, 2))},
}

INSIDE = {
    "evolution.birth_death.square": "the check itself, shared inside the room",
    "evolution.birth_death.check_population": "the check itself, shared inside the room",
}

MEANT: dict[str, str] = {}
