r"""Populations on networks: everybody plays its neighbours and imitates those that earn more.

In a generation each node x plays one game with each of its k_x neighbours and earns their sum, P_x. Then all at once
choose one neighbour evenly, y, and where P_y > P_x take over its strategy with probability

    (P_y − P_x) / (max(k_x, k_y) · D),     D = max(payoffs, 0) − min(payoffs, 0).

On scale-free networks few nodes have most of the links; a cooperator there is soon among cooperators, a defector among
defectors, so that cooperation lives with temptations at which it is gone where all have the same number of neighbours.

Runs are independent: they are computed at once as one network without links between them, each with payoffs of its own.

Sources: Santos & Pacheco 2005; Santos, Pacheco & Lenaerts 2006.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float, Int
from scipy.sparse import csr_array

from ipd_theory import _checks
from ipd_theory._arguments import checked, hold_fields
from ipd_theory.evolution.birth_death import square
from ipd_theory.evolution.networks import Kind, Network, drawn, united


def generation(
    play: Int[np.ndarray, " nodes"],
    among: Network,
    payoffs: Float[np.ndarray, "nodes n n"],
    chosen: Float[np.ndarray, " nodes"],
    chances: Float[np.ndarray, " nodes"],
    range_of_payoffs: Float[np.ndarray, " nodes"],
) -> Int[np.ndarray, " nodes"]:
    """Return everybody's next strategy.

    Args:
        play: everybody's strategy, 0 to n − 1.
        among: the network.
        payoffs: of row against column, as each node's run has them.
        chosen: in [0, 1), which of its neighbours each node looks at: that in the place chosen · k of its list.
        chances: in [0, 1): below the probability to imitate, it does.
        range_of_payoffs: D of each node's run.
    """
    n, nodes = payoffs.shape[-1], np.arange(play.size)
    links = csr_array((np.ones(among.neighbours.size), among.neighbours, among.offsets), (play.size, play.size))
    met = links @ (play[:, None] == np.arange(n)).astype(float)
    earned = (payoffs[nodes, play] * met).sum(-1)
    other = among.neighbours[among.offsets[:-1] + (chosen * among.degrees).astype(int)]
    most_links = np.maximum(among.degrees, among.degrees[other])
    imitates = chances * most_links * range_of_payoffs < earned[other] - earned
    return np.where(imitates, play[other], play)


@checked
def on_networks(
    networks: Sequence[Any],
    A: Float[ArrayLike, "... _ _"],
    start: Int[ArrayLike, "_ _"],
    generations: int,
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Float[np.ndarray, "runs t n"]:
    """Return the shares [runs, generations + 1, n] of n strategies in populations on networks.

    Args:
        networks: one for each run, all of one size.
        A: [n, n] payoff of row against column, or [runs, n, n].
        start: [runs, nodes] the strategy that each node begins with, 0 to n − 1.
        generations: how many follow.
        seed: of who looks at whom and imitates.
        progress: called with the fraction of generations that are done, 0 to 1.

    Raises:
        ValueError: if shapes do not fit, or a strategy is none of those of A.
    """
    payoffs, first = square("A", A), np.asarray(start)
    if not isinstance(networks, Sequence):
        raise TypeError(f"networks must be a list of them, one for each run; got {networks!r}")
    n, runs = payoffs.shape[-1], len(networks)
    _checks.whole("generations", generations, 0)
    _checks.whole("seed", seed, 0)
    for i, one in enumerate(networks):
        _checks.instance(f"networks[{i}]", one, Network)
    if runs == 0 or len({one.size for one in networks}) != 1:
        raise ValueError("networks must be one or more of one size")
    if payoffs.shape[:-2] not in ((), (runs,)) or first.shape != (runs, networks[0].size):
        raise ValueError(
            f"A must have the batch axes () or ({runs},) and start the shape ({runs}, {networks[0].size}) for these "
            f"networks; got {payoffs.shape[:-2]} and {first.shape}"
        )
    if first.min() < 0 or first.max() >= n:
        raise ValueError(f"start must hold strategies from 0 to {n - 1}; got {first.min()} to {first.max()}")
    among, rng = united(networks), np.random.default_rng(seed)
    each = np.broadcast_to(payoffs, (runs, n, n)).repeat(networks[0].size, 0)
    width = np.maximum(each.max((-2, -1)), 0) - np.minimum(each.min((-2, -1)), 0)
    shares, play = np.empty((generations + 1, runs, n)), first.ravel()
    for t in range(generations + 1):
        if t:
            play = generation(play, among, each, rng.random(play.size), rng.random(play.size), width)
            if progress is not None:
                progress(t / generations)
        shares[t] = (play.reshape(runs, -1, 1) == np.arange(n)).mean(1)
    return np.moveaxis(shares, 0, 1)


@dataclass(frozen=True)
class StudySize:
    """How large a study of networks is.

    Args:
        nodes: of each network.
        degree: neighbours a node.
        runs: networks, each with its own start, half of the nodes cooperating.
        transient: generations before anything is measured.
        measured: generations over which cooperation is averaged.
    """

    nodes: int = 1000
    degree: int = 4
    runs: int = 5
    transient: int = 1500
    measured: int = 200

    def __post_init__(self) -> None:
        hold_fields(self)
        for name, least in (("nodes", 3), ("degree", 2), ("runs", 1), ("transient", 0), ("measured", 1)):
            _checks.whole(name, getattr(self, name), least)


QUICK = StudySize()
PAPER = StudySize(nodes=10_000, runs=100, transient=10_000, measured=1000)


@checked
def cooperation(
    kind: Kind, temptations: Float[ArrayLike, " _"], sizes: StudySize = QUICK, *, sucker: float = 0.0, seed: int = 0
) -> Float[np.ndarray, "b runs"]:
    """Return the share of cooperators at the end, for each temptation and run; R = 1 and P = 0.

    Args:
        kind: of network.
        temptations: [b] T of the stage game; with S = 0 and 1 < T ≤ 2 the weak prisoner's dilemma.
        sizes: QUICK takes seconds for a handful of temptations, PAPER hours.
        sucker: S of the stage game.
        seed: of networks, starts and imitation.

    Raises:
        ValueError: if an argument is out of range.
    """
    T = np.atleast_1d(np.asarray(temptations, float))
    if T.ndim != 1 or T.size == 0 or not np.isfinite(T).all():
        raise ValueError(f"temptations must be one finite number or more; got {temptations}")
    _checks.number("sucker", sucker)
    made = [drawn(kind, sizes.nodes, sizes.degree, seed + i) for i in range(sizes.runs)]
    rng = np.random.default_rng(seed)
    starts = rng.permuted(np.tile(np.arange(sizes.nodes) % 2, (sizes.runs, 1)), axis=1)
    A = np.array([[[1.0, sucker], [b, 0.0]] for b in T])
    shares = on_networks(
        made * len(T),
        A.repeat(sizes.runs, 0),
        np.tile(starts, (len(T), 1)),
        sizes.transient + sizes.measured,
        seed=seed,
    )
    return shares[:, -sizes.measured :, 0].mean(-1).reshape(len(T), sizes.runs)
