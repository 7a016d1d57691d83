"""Networks: who has whom for neighbours, given by their links or drawn at random."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import ArrayLike, Int

from ipd_theory import _checks
from ipd_theory._arguments import checked

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
