"""What the walk cannot read from annotations, for best replies and the strategies that have names."""

from collections.abc import Callable
from typing import Any

import numpy as np

import ipd_theory as ipd

Thunk = Callable[[], Any]

OWN: dict[str, dict[str, Thunk]] = {
    "replies.classification.classify": {"tables": lambda: ipd.strategies.all_pure(1)},
    "replies.exact.best_responses": {"discount": lambda: 0.9},
    "replies.witnesses.path": {
        "first": ipd.strategies.tit_for_tat,
        "second": ipd.strategies.win_stay_lose_shift,
    },
    "strategies.longer.memory_n": {"p": lambda: np.ones(4)},
}

INSIDE = {
    "replies.exact.solve": "takes a process that `exact.best_responses` has made of what it checked",
    **{
        f"replies.best.{name}": "takes what a computation under way has"
        for name in (
            *("roundings", "rounding_of_returns", "rates_to_compare", "at_rates", "without_offset"),
            *("policy_iteration", "race", "value_of_best_reply"),
        )
    },
    **{
        f"strategies.naming.{name}": "called by `named` with what it has read"
        for name in (
            *("extort", "generous", "equalizer", "linear"),
            *("all_or_none", "reactive_n", "self_reactive_n", "counting_n"),
        )
    },
}

MEANT: dict[str, str] = {}
