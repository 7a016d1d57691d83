r"""Populations on networks: everybody plays its neighbours and imitates those that earn more.

In a generation each node x plays one game with each of its k_x neighbours and earns their sum, P_x. Then all at once
choose one neighbour evenly, y, and where P_y > P_x take over its strategy with probability

    (P_y − P_x) / (max(k_x, k_y) · D),     D = max(payoffs, 0) − min(payoffs, 0).

On scale-free networks few nodes have most of the links; a cooperator there is soon among cooperators, a defector among
defectors, so that cooperation lives with temptations at which it is gone where all have the same number of neighbours.

Runs are independent: they are computed at once as one network without links between them, each with payoffs of its own.

Sources: Santos & Pacheco 2005; Santos, Pacheco & Lenaerts 2006.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import ArrayLike, Float, Int
from scipy.sparse import csr_array

from ipd_theory import _checks
from ipd_theory._arguments import checked, hold_fields
from ipd_theory.evolution.birth_death import square

Kind = Literal["scale-free", "ring", "random-regular"]


@dataclass(frozen=True, eq=False)
class Network:
    """Who has whom for neighbours.

    Args:
        neighbours: [links] the neighbours of node 0, then those of node 1, …
        offsets: [nodes + 1] where each node's begin, and the end.
    """

    neighbours: Int[np.ndarray, " links"]
    offsets: Int[np.ndarray, " nodes1"]

    @functools.cached_property
    def degrees(self) -> Int[np.ndarray, " nodes"]:
        """How many neighbours each node has."""
        return np.diff(self.offsets)

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return len(self.offsets) - 1


@checked
def network(links: Int[ArrayLike, "_ _"], size: int) -> Network:
    """Return the network of these links, which go both ways.

    Args:
        links: [m, 2] pairs of different nodes, each pair once.
        size: how many nodes there are; every one has a neighbour.

    Raises:
        ValueError: if a link goes to no node or back to its own, is there twice, or a node has no neighbour.
    """
    pairs = np.asarray(links)
    _checks.whole("size", size, 2)
    if pairs.ndim != 2 or pairs.shape[-1] != 2 or len(pairs) == 0:
        raise ValueError(f"links must be m by 2, pairs of nodes; got the shape {pairs.shape}")
    if pairs.min() < 0 or pairs.max() >= size or (pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError(f"links must join different nodes from 0 to {size - 1}; got {pairs.min()} to {pairs.max()}")
    both = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    if len(both) != 2 * len(pairs):
        raise ValueError("links holds a pair twice")
    degrees = np.bincount(both[:, 0], minlength=size)
    if degrees.min() == 0:
        raise ValueError(f"links leaves node {degrees.argmin()} without a neighbour")
    return Network(both[:, 1], np.concatenate([[0], np.cumsum(degrees)]))


@checked
def drawn(kind: Kind, size: int, degree: int, seed: int) -> Network:
    """Return a network with `degree` neighbours a node, on average or exactly.

    Args:
        kind: grown by preferential attachment (Barabási & Albert 1999), a ring whose nodes know the nearest, or
            regular at random.
        size: how many nodes.
        degree: even for the first two; below `size`.
        seed: of the draw; a ring has none.

    Raises:
        ValueError: if an argument is out of range.
    """
    import networkx  # takes a third of a second

    _checks.whole("size", size, 3)
    _checks.whole("degree", degree, 2, size - 1)
    _checks.whole("seed", seed, 0)
    if degree % 2 and (kind != "random-regular" or size % 2):
        raise ValueError(f"degree must be even for a {kind} network of {size} nodes; got {degree}")
    makers: dict[str, Callable[[], Any]] = {
        "scale-free": lambda: networkx.barabasi_albert_graph(size, degree // 2, seed=seed),
        "ring": lambda: networkx.watts_strogatz_graph(size, degree, 0.0),
        "random-regular": lambda: networkx.random_regular_graph(degree, size, seed=seed),
    }
    return network(np.array(makers[kind]().edges()), size)


def united(networks: Sequence[Network]) -> Network:
    """Return all networks beside each other as one."""
    nodes = np.concatenate([[0], np.cumsum([one.size for one in networks])])
    links = np.concatenate([[0], np.cumsum([one.neighbours.size for one in networks])])
    neighbours = [one.neighbours + first for one, first in zip(networks, nodes, strict=False)]
    offsets = [one.offsets[:-1] + first for one, first in zip(networks, links, strict=False)]
    return Network(np.concatenate(neighbours), np.concatenate([*offsets, links[-1:]]))


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
class Sizes:
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


QUICK = Sizes()
PAPER = Sizes(nodes=10_000, runs=100, transient=10_000, measured=1000)


@checked
def cooperation(
    kind: Kind, temptations: Float[ArrayLike, " _"], sizes: Sizes = QUICK, *, sucker: float = 0.0, seed: int = 0
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
