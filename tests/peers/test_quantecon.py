"""The limit of means against QuantEcon's stationary distributions, which it finds by elimination as well (GTH)."""

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata
from ipd_theory.automata import Automaton
from tests import automata_by_hand as by_hand

quantecon = pytest.importorskip("quantecon")

SWAP = [0, 2, 1, 3]


def chain(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The transition matrix over CC, CD, DC, DD of two memory-one strategies."""
    mine, theirs = p[1:], q[1:][SWAP]
    return np.stack([mine * theirs, mine * (1 - theirs), (1 - mine) * theirs, (1 - mine) * (1 - theirs)], -1)


def test_limits_of_means_are_stationary_distributions(rng: np.random.Generator) -> None:
    pairs = rng.random((200, 2, 5)) ** rng.choice([0.2, 1, 5, 25], (200, 1, 1))  # some close to 0 or 1
    found = ipd.state_occupancy(pairs[:, 0], pairs[:, 1], discount=1.0)
    expected = [quantecon.MarkovChain(chain(p, q)).stationary_distributions[0] for p, q in pairs]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-300)


def test_pairs_that_end_where_they_began_stay_in_a_recurrent_class() -> None:
    """Where there are several stationary distributions the start decides which; each is one of QuantEcon's."""
    tft = np.array([1.0, 1.0, 0.0, 1.0, 0.0])
    listed = quantecon.MarkovChain(chain(tft, tft)).stationary_distributions
    assert len(listed) == 3
    for mine, theirs in ((1.0, 1.0), (1.0, 0.0), (0.0, 0.0)):
        pair = [np.array([start, *tft[1:]]) for start in (mine, theirs)]
        found = np.asarray(ipd.state_occupancy(*pair, discount=1.0))
        assert min(np.abs(found - one).max() for one in listed) < 1e-12


def test_longer_memories_and_automata(rng: np.random.Generator) -> None:
    p, q = rng.random((2, 21))
    contexts = ipd.strategies.contexts(2)
    full = contexts[5:]
    moves = np.zeros((16, 16))
    for i, context in enumerate(full):
        mirrored = "·".join(outcome[::-1] for outcome in context.split("·"))
        a, b = p[contexts.index(context)], q[contexts.index(mirrored)]
        for outcome, chance in (("CC", a * b), ("CD", a * (1 - b)), ("DC", (1 - a) * b), ("DD", (1 - a) * (1 - b))):
            moves[i, full.index(f"{context.split('·')[1]}·{outcome}")] = chance
    expected = quantecon.MarkovChain(moves).stationary_distributions[0]
    found = np.asarray(ipd.state_occupancy(p, q, discount=1.0))
    np.testing.assert_allclose(found[4:], expected, rtol=1e-10)

    pair = [Automaton(rng.random(n), rng.dirichlet(np.ones(n), (n, 4))) for n in (3, 4)]
    chain_of_pairs, _, _ = by_hand.chain(ipd.games.axelrod(), *pair)
    expected = quantecon.MarkovChain(chain_of_pairs).stationary_distributions[0]
    shares = np.asarray(automata.occupancy(*pair, discount=1.0))
    np.testing.assert_allclose(shares.reshape(-1), expected, rtol=1e-10)


def test_games_there_and_back(rng: np.random.Generator) -> None:
    from ipd_theory.adapters import quantecon as adapter

    for game in (ipd.games.chicken(), ipd.games.public_goods(3, 2.0), ipd.games.battle_of_the_sexes()):
        assert adapter.from_quantecon(adapter.to_quantecon(game)) == game
    ours = ipd.games.public_goods(3, 2.0)
    theirs = adapter.to_quantecon(ours)
    for actions in np.ndindex(2, 2, 2):
        np.testing.assert_array_equal(theirs[actions], ours.payoffs[(slice(None), *actions)])
    with pytest.raises(ValueError, match=r"cells has shape \(3, 3, 2\)"):
        adapter.from_quantecon(quantecon.game_theory.NormalFormGame((3, 3)))
