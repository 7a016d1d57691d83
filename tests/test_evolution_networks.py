"""Populations on networks against a plain program, node by node, and against what is published of them."""

from types import SimpleNamespace

import networkx
import numpy as np
import pytest

from ipd_theory.evolution import imitation, networks, on_networks


def plainly(
    graph: networkx.Graph, play: list[int], A: np.ndarray, chosen: np.ndarray, chances: np.ndarray
) -> list[int]:
    """One generation as the paper tells it, one node after another."""
    payoff = {x: sum(A[play[x]][play[y]] for y in graph[x]) for x in graph}
    D = max(*A.flat, 0) - min(*A.flat, 0)
    after = list(play)
    for x in graph:
        around = sorted(graph[x])
        y = around[int(chosen[x] * len(around))]
        if payoff[y] > payoff[x]:
            probability = (payoff[y] - payoff[x]) / (max(len(graph[x]), len(graph[y])) * D)
            assert probability <= 1
            if chances[x] < probability:
                after[x] = play[y]
    return after


def test_ten_generations_step_by_step(rng: np.random.Generator) -> None:
    graphs = [networkx.barabasi_albert_graph(40, 2, seed=3), networkx.random_regular_graph(3, 40, seed=4)]
    A = rng.normal(0.5, 1, (2, 3, 3))
    start = rng.integers(0, 3, (2, 40))
    made = [networks.network(np.array(g.edges()), 40) for g in graphs]
    shares = on_networks(made, A, start, 10, seed=5)
    draws, play = np.random.default_rng(5), start.tolist()
    for t in range(11):
        for run in range(2):
            np.testing.assert_allclose(shares[run, t], np.bincount(play[run], minlength=3) / 40)
        chosen, chances = draws.random(80).reshape(2, 40), draws.random(80).reshape(2, 40)
        play = [plainly(graphs[i], play[i], A[i], chosen[i], chances[i]) for i in range(2)]
    assert len(np.unique(shares[:, :, 0])) > 5


@pytest.mark.parametrize("kind", ["scale-free", "ring", "random-regular"])
def test_networks_are_those_asked_for(kind) -> None:
    made = networks.drawn(kind, 300, 4, 7)
    assert made.size == 300
    ends = np.repeat(np.arange(300), made.degrees)
    assert {(x, y) for x, y in zip(ends, made.neighbours, strict=True)} == {
        (y, x) for x, y in zip(ends, made.neighbours, strict=True)
    }
    if kind == "scale-free":
        assert abs(made.degrees.mean() - 4) < 0.05
        assert made.degrees.max() > 25
        assert made.degrees.min() >= 1
    else:
        assert (made.degrees == 4).all()
    if kind == "ring":
        assert set(made.neighbours[made.offsets[10] : made.offsets[11]]) == {8, 9, 11, 12}


def test_cooperation_lives_on_scale_free_networks_with_temptations_that_end_it_on_rings() -> None:
    """Santos & Pacheco 2005: at b = 1.4, S = 0, most cooperate on scale-free networks and nobody on a ring."""
    sizes = imitation.StudySize(nodes=400, runs=3, transient=500, measured=50)
    scale_free = imitation.cooperation("scale-free", [1.4], sizes)
    ring = imitation.cooperation("ring", [1.05, 1.4], sizes)
    assert scale_free.mean() > 0.85
    assert ring[0].mean() > 0.5
    assert ring[1].max() == 0


@pytest.mark.slow
def test_cooperation_falls_with_temptation_as_published() -> None:
    b = np.array([1.05, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0])
    found = {kind: imitation.cooperation(kind, b).mean(1) for kind in ("scale-free", "ring", "random-regular")}
    assert (found["scale-free"] > 0.65).all()  # never lost, as in the paper
    assert (found["scale-free"][:5] > 0.9).all()
    assert found["ring"][0] > 0.8
    assert (found["ring"][2:] == 0).all()
    assert (found["random-regular"][3:] < 0.05).all()


LINE = networks.network(np.array([[0, 1], [1, 2]]), 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: networks.network(np.array([[0, 1], [1, 2]]), 4), "links leaves node 3 without a neighbour"),
        (lambda: networks.network(np.array([[0, 1], [1, 0]]), 2), "links holds a pair twice"),
        (lambda: networks.network(np.array([[0, 0]]), 2), "links must join different nodes"),
        (lambda: networks.drawn("ring", 10, 3, 0), "degree must be even for a ring network"),
        (
            lambda: on_networks([LINE], np.eye(2), np.zeros((1, 2), int), 1),
            "A must have the batch",
        ),
        (
            lambda: on_networks([LINE], np.eye(2), np.full((1, 3), 2), 1),
            "start must hold strategies",
        ),
        (
            lambda: on_networks([SimpleNamespace()], np.eye(2), np.zeros((1, 3), int), 1),
            r"networks\[0\] must be a Network",
        ),
        (lambda: imitation.cooperation("ring", []), "temptations must be"),
    ],
)
def test_bad_input_is_named(call, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        call()
