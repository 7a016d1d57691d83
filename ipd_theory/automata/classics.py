"""Automata with names."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from ipd_theory._arguments import checked
from ipd_theory.automata.base import Automaton

OWN, OTHER = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])  # actions in CC, CD, DC, DD: 0 C, 1 D


def _of_states(cooperate: list[float], after: Callable[[int, int, int], int]) -> Automaton:
    """Return the automaton that goes from state s to after(s, own action, other's action), 0 C and 1 D."""
    n = len(cooperate)
    onward = [[after(s, int(own), int(other)) for own, other in zip(OWN, OTHER, strict=True)] for s in range(n)]
    return Automaton(jnp.asarray(cooperate), jnp.eye(n)[np.array(onward)])


def grim() -> Automaton:
    """Return the real GRIM, two states: cooperate until anyone has defected, then defect for good, come what may."""
    return _of_states([1.0, 0.0], lambda s, own, other: int(s or own or other))


def grudger() -> Automaton:
    """Return the grudger, two states: cooperate until the other has defected, then defect for good.

    It forgives itself: its own slips change nothing.
    """
    return _of_states([1.0, 0.0], lambda s, own, other: int(s or other))


@checked
def davis(rounds: int = 10) -> Automaton:
    """Return Davis' entry to Axelrod's tournament: cooperate for some rounds, then be a grudger who forgets nothing.

    Args:
        rounds: of cooperation whatever happens, 1 or more.

    Raises:
        ValueError: if there is none.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more; got {rounds}")
    # State 2k + g: k rounds were played (as many as matter), and g is 1 once the other has defected.
    meant = [float(not (s % 2 and s // 2 == rounds)) for s in range(2 * rounds + 2)]
    return _of_states(meant, lambda s, own, other: 2 * min(s // 2 + 1, rounds) + int(s % 2 or other))


def forgiver() -> Automaton:
    """Return the forgiver, two states: answer a defection with one defection, then cooperate whatever came of it.

    Zagorsky, Reiter, Chatterjee & Nowak 2013.
    """
    return _of_states([1.0, 0.0], lambda s, own, other: int(not s and other))


@checked
def punishment(length: int) -> Automaton:
    """Return the strategy that answers any defection with `length` rounds of defection, then starts anew.

    Args:
        length: of the punishment, in rounds, 1 or more.

    Raises:
        ValueError: if it is less than one.
    """
    if length < 1:
        raise ValueError(f"length must be 1 or more rounds; got {length}")
    meant = [1.0, *[0.0] * length]
    return _of_states(meant, lambda s, own, other: (s + 1) % (length + 1) if s else int(own or other))


def contrite_tit_for_tat() -> Automaton:
    """Return contrite tit for tat, four states: defect only when in good standing against one who is not.

    Who cooperates is in good standing, and who defects from good standing against one in bad standing keeps it
    (Sugden 1986; Boyd 1989).
    """
    standings = [(mine, theirs) for mine in (True, False) for theirs in (True, False)]

    def after(state: int, own: int, other: int) -> int:
        mine, theirs = standings[state]
        return standings.index((not own or (mine and not theirs), not other or (theirs and not mine)))

    return _of_states([float(not (mine and not theirs)) for mine, theirs in standings], after)


# A prober opens as it likes, then takes advantage of who lets it, and is tit for tat to who does not. Its states are
# the rounds of the opening, each with whether all it looks at has been as it hopes, then exploit, C and D.
def _probing(opening: str, hoped: dict[int, int], exploit: float) -> Automaton:
    """Return a prober that exploits (with this probability to cooperate) if the other acts as hoped, by round."""
    rounds = len(opening)
    mellow, friend = 2 * rounds, 2 * rounds + 1  # and one more, for after a defection
    meant = [float(action == "C") for action in opening for _ in (0, 1)]

    def after(state: int, own: int, other: int) -> int:
        if state >= mellow:
            return mellow if state == mellow else friend + other
        step, so_far = divmod(state, 2)
        hopeful = so_far == 0 and hoped.get(step, other) == other
        if step + 1 < rounds:
            return 2 * (step + 1) + int(not hopeful)
        return mellow if hopeful else friend + other

    return _of_states([*meant, exploit, 1.0, 0.0], after)


def prober() -> Automaton:
    """Return the prober: D, C, C, then defect for good if the other cooperated in rounds 2 and 3, else tit for tat."""
    return _probing("DCC", {1: 0, 2: 0}, 0.0)


def prober_2() -> Automaton:
    """Return prober 2: D, C, C, then cooperate for good if the other played D, C in rounds 2, 3, else tit for tat."""
    return _probing("DCC", {1: 1, 2: 0}, 1.0)


def prober_3() -> Automaton:
    """Return prober 3: D, C, then defect for good if the other cooperated in round 2, else tit for tat."""
    return _probing("DC", {1: 0}, 0.0)


def hard_prober() -> Automaton:
    """Return the hard prober: D, D, C, C, then defect for good if the other cooperated in rounds 2 and 3."""
    return _probing("DDCC", {1: 0, 2: 0}, 0.0)
