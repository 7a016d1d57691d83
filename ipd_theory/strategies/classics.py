"""Strategies with names: the classic ones, and the families that they belong to."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.strategies.tables import MAX_MEMORY


@checked
def memory_one(start: ArrayLike, cc: ArrayLike, cd: ArrayLike, dc: ArrayLike, dd: ArrayLike) -> Float[Array, "... 5"]:
    """Return [..., 5] from the cooperation probabilities [...] at the start and after CC, CD, DC, DD.

    Raises:
        ValueError: naming the argument, if a probability leaves [0, 1].
    """
    named = {"start": start, "cc": cc, "cd": cd, "dc": dc, "dd": dd}
    columns = [_checks.hold_probabilities(name, _checks.floating(x)) for name, x in named.items()]
    xp: Any = jnp if any(isinstance(x, jax.Array) for x in columns) else np
    default = jnp.result_type(float)
    return jnp.asarray(xp.stack(xp.broadcast_arrays(*(x.astype(default) for x in columns)), -1))


@checked
def reactive(start: ArrayLike, p: ArrayLike, q: ArrayLike) -> Float[Array, "... 5"]:
    """Return [..., 5]: cooperate with probability p [...] after the other's C and q [...] after its D.

    Raises:
        ValueError: naming the argument, if a probability leaves [0, 1].
    """
    named = {"start": start, "p": p, "q": q}
    start, p, q = (_checks.hold_probabilities(name, _checks.floating(x)) for name, x in named.items())
    return memory_one(start, p, q, p, q)


def _last_actions(memory: int, player: int) -> Int[np.ndarray, " h"]:
    """Return what a player (0 oneself, 1 the other) last did in each context [h], as a number.

    Its digits are the last `memory` actions, oldest first, 0 for C and 1 for D; rounds not yet played count as C.
    """
    numbers = [np.zeros(1, int)]
    for _ in range(memory):
        acted = np.array([0, 0, 1, 1] if player == 0 else [0, 1, 0, 1])
        numbers.append((2 * numbers[-1][:, None] + acted).reshape(-1))
    return np.concatenate(numbers)


def _remembered(name: str, responses: Array, lengths: dict[int, int]) -> int:
    allowed = tuple(lengths)
    _checks.last_axis(name, responses, allowed, f"for memory {', '.join(map(str, lengths.values()))}")
    return lengths[responses.shape[-1]]


_POWERS = {2**memory: memory for memory in range(1, MAX_MEMORY + 1)}


@checked
def reactive_n(p: Float[ArrayLike, "... responses"]) -> Float[Array, "... h"]:
    """Return the strategy [..., h] that looks only at what the other did in the last n rounds, n = 1, 2 or 3.

    Args:
        p: [..., 2^n] probability to cooperate after the other's last n actions, oldest first, C before D (CC, CD, DC,
            DD for n = 2); rounds not yet played count as C.

    Raises:
        ValueError: if the last axis is not 2, 4 or 8 long, or a probability leaves [0, 1].
    """
    responses = _checks.probabilities("p", p)
    return responses[..., _last_actions(_remembered("p", responses, _POWERS), 1)]


@checked
def self_reactive_n(p: Float[ArrayLike, "... responses"]) -> Float[Array, "... h"]:
    """Return the strategy [..., h] that looks only at what it did itself in the last n rounds; p as in `reactive_n`.

    Against a reactive strategy some best reply is of this kind (Glynatsi, Akin, Nowak & Hilbe 2024).
    """
    responses = _checks.probabilities("p", p)
    return responses[..., _last_actions(_remembered("p", responses, _POWERS), 0)]


@checked
def counting_n(r: Float[ArrayLike, "... counts"]) -> Float[Array, "... h"]:
    """Return the strategy [..., h] that counts how often the other cooperated in the last n rounds, n = 1, 2 or 3.

    Args:
        r: [..., n + 1] probability to cooperate after 0, 1, …, n cooperations; rounds not yet played count as C.

    Raises:
        ValueError: if the last axis is not 2, 3 or 4 long, or a probability leaves [0, 1].
    """
    responses = _checks.probabilities("r", r)
    n = _remembered("r", responses, {memory + 1: memory for memory in range(1, MAX_MEMORY + 1)})
    defections = np.array([bin(number).count("1") for number in _last_actions(n, 1)])
    return responses[..., n - defections]


@checked
def random(p: ArrayLike = 0.5) -> Float[Array, "... 5"]:
    """Return [..., 5]: cooperate with probability p [...] whatever happened.

    Raises:
        ValueError: if a probability leaves [0, 1].
    """
    p = _checks.hold_probabilities("p", _checks.floating(p))
    return memory_one(p, p, p, p, p)


def always_cooperate() -> Float[Array, "5"]:
    """Return ALLC [5]."""
    return random(1.0)


def always_defect() -> Float[Array, "5"]:
    """Return ALLD [5]."""
    return random(0.0)


def tit_for_tat() -> Float[Array, "5"]:
    """Return TFT [5]: cooperate, then do what the other did."""
    return reactive(1.0, 1.0, 0.0)


def suspicious_tit_for_tat() -> Float[Array, "5"]:
    """Return STFT [5]: tit for tat that opens with defection."""
    return reactive(0.0, 1.0, 0.0)


def anti_tit_for_tat() -> Float[Array, "5"]:
    """Return ATFT [5]: defect, then do the opposite of what the other did; also called bully (Nachbar 1992)."""
    return reactive(0.0, 0.0, 1.0)


def alternator() -> Float[Array, "5"]:
    """Return ALT [5]: cooperate and defect in turn, whatever the other does."""
    return memory_one(1.0, 0.0, 0.0, 1.0, 1.0)


@checked
def generous_tit_for_tat(q: ArrayLike = 1 / 3) -> Float[Array, "... 5"]:
    """Return GTFT [..., 5]: tit for tat that forgives a defection with probability q [...], which lies in [0, 1]."""
    return reactive(1.0, 1.0, q)


def win_stay_lose_shift() -> Float[Array, "5"]:
    """Return WSLS [5], Pavlov: cooperate exactly after CC and DD (Nowak & Sigmund 1993)."""
    return memory_one(1.0, 1.0, 0.0, 0.0, 1.0)


def grim() -> Float[Array, "5"]:
    """Return GRIM [5]: cooperate as long as both do, defect otherwise.

    Played without error it never forgives. It remembers one round only, so that a pair of trembling GRIMs is back at
    cooperation as soon as both have cooperated once by mistake.
    """
    return memory_one(1.0, 1.0, 0.0, 0.0, 0.0)


def firm_but_fair() -> Float[Array, "5"]:
    """Return FBF [5]: cooperate except after having been the sucker (Frean 1994)."""
    return memory_one(1.0, 1.0, 0.0, 1.0, 1.0)
