"""Strategies of the literature that look back two or three rounds, or at several players.

Rounds not yet played count as mutual cooperation: a strategy that is described by the last n outcomes opens as if it
came from a long peace.
"""

import itertools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.strategies.tables import MAX_MEMORY, contexts, num_contexts

_CAPRI_COOPERATES = {  # own and the other's last three actions, the oldest first (Murase & Baek 2020, table 1)
    "cooperate at mutual cooperation": ("CCC CCC",),
    "accept punishment": ("CCD CCC", "CDC CCD", "DCC CDC", "CCC DCC"),
    "punish once, then forgive": ("CCD CDC", "CDC DCC", "DCC CCC"),
    "recover cooperation": ("DDD DDC", "DDC DCC", "DDC DDD", "DCC DDC", "DDC DDC", "DCC DCC"),
}


@checked
def memory_n(p: Float[ArrayLike, "... outcomes"]) -> Float[Array, "... h"]:
    """Return the strategy [..., h] with these responses to the last n outcomes, n = 1, 2 or 3.

    Args:
        p: [..., 4^n] probability to cooperate after the last n outcomes, oldest first, each in the order CC, CD, DC,
            DD, own action first; rounds not yet played count as CC.

    Raises:
        ValueError: if the last axis is not 4, 16 or 64 long, or a probability leaves [0, 1].
    """
    responses = _checks.probabilities("p", p)
    lengths = tuple(4**memory for memory in range(1, MAX_MEMORY + 1))
    _checks.last_axis("p", responses, lengths, f"for memory 1 to {MAX_MEMORY}")
    memory = lengths.index(responses.shape[-1]) + 1
    return responses[..., np.concatenate([np.arange(4**length) for length in range(memory + 1)])]


def _by_history(memory: int, cooperates: Callable[[str, str], bool]) -> Array:
    """Return the table that a rule makes, given one's own and the other's last actions as words, oldest first."""
    rounds = [() if context == "start" else tuple(context.split("·")) for context in contexts(memory)]
    full = [("CC",) * (memory - len(history)) + history for history in rounds]
    answers = [cooperates("".join(o[0] for o in h), "".join(o[1] for o in h)) for h in full]
    return jnp.asarray(answers, float)


def tit_for_two_tats() -> Float[Array, "21"]:
    """Return TF2T [21], memory two: defect only after two defections of the other in a row."""
    return _by_history(2, lambda own, other: other != "DD")


def two_tits_for_tat() -> Float[Array, "21"]:
    """Return 2TFT [21], memory two: defect twice after each defection of the other."""
    return _by_history(2, lambda own, other: other == "CC")


def tit_for_three_tats() -> Float[Array, "85"]:
    """Return TF3T [85], memory three: defect only after three defections of the other in a row."""
    return _by_history(3, lambda own, other: other != "DDD")


def two_tits_for_two_tats() -> Float[Array, "85"]:
    """Return 2TF2T [85], memory three: defect twice after two defections of the other in a row.

    Source: Fudenberg, Rand & Dreber 2012.
    """
    return _by_history(3, lambda own, other: "DD" not in other)


def hard_tit_for_tat() -> Float[Array, "85"]:
    """Return HTFT [85], memory three: defect three times after each defection of the other."""
    return _by_history(3, lambda own, other: other == "CCC")


@checked
def generous_tit_for_two_tats(q: ArrayLike = 1 / 3) -> Float[Array, "... 21"]:
    """Return GTF2T [..., 21]: tit for two tats that forgives both with probability q [...], which lies in [0, 1]."""
    forgiven = _checks.probabilities("q", q)[..., None]
    table = tit_for_two_tats().astype(forgiven.dtype)
    return table + (1 - table) * forgiven


@checked
def all_or_none(k: int = 1) -> Float[Array, " h"]:
    """Return AON_k [h]: cooperate exactly if both did the same in each of the last k rounds, k = 1, 2 or 3.

    A mistake is answered by k rounds of mutual defection, then all is forgotten; AON_1 is win-stay, lose-shift.

    Raises:
        ValueError: if k is not 1, 2 or 3. (Hilbe, Martinez-Vaquero, Chatterjee & Nowak 2017.)
    """
    return _by_history(_checks.whole("k", k, 1, MAX_MEMORY), lambda own, other: own == other)


def tft_atft() -> Float[Array, "21"]:
    """Return TFT-ATFT [21], memory two: tit for tat that does the opposite of the other's move after its own mistake.

    A last move that tit for tat would not have made is taken for a mistake. Tit for tat is resumed once both have
    cooperated, or the other has defected twice against two cooperations. Source: Yi, Baek & Choi 2017.
    """

    def cooperates(own: str, other: str) -> bool:
        mistaken = own[1] != other[0] and (own[1], other[1]) != ("C", "C") and (own, other) != ("CC", "DD")
        return (other[1] == "C") != mistaken

    return _by_history(2, cooperates)


def capri() -> Float[Array, "85"]:
    """Return CAPRI [85], memory three, a friendly rival that recovers from mistakes.

    Cooperate at mutual cooperation; Accept punishment; Punish, once; Recover; In all other cases defect. Source: Murase
    & Baek 2020, table 1.
    """
    listed = set(itertools.chain.from_iterable(_CAPRI_COOPERATES.values()))
    return _by_history(3, lambda own, other: f"{own} {other}" in listed)


@checked
def proportional_tit_for_tat(num_players: int = 2) -> Float[Array, " h"]:
    """Return proportional tit for tat [h] among n players: cooperate as often as the others did in the last round.

    The probability is the share of the others that cooperated; the first move is cooperation. In a public goods game
    it makes everyone earn the same in the long run (Hilbe, Wu, Traulsen & Nowak 2014).

    Raises:
        ValueError: if there are fewer than two players.
    """
    others = _checks.whole("num_players", num_players, 2) - 1
    num_contexts(1, num_players)
    shares = [c[1:].count("C") / others if c != "start" else 1.0 for c in contexts(1, num_players)]
    return jnp.asarray(shares)
