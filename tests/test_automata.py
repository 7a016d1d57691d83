"""Automata against tables, simulation by hand, and published thresholds of punishment."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, replies, strategies
from ipd_theory.automata import Automaton

AXELROD = ipd.games.axelrod()


def test_successors_of_contexts_by_name() -> None:
    for memory, players in ((0, 2), (1, 2), (3, 2), (1, 3)):
        names = strategies.contexts(memory, players)
        outcomes = ["".join(x) for x in itertools.product("CD", repeat=players)]
        for context, after in zip(names, strategies.successors(memory, players), strict=True):
            history = [] if context == "start" else context.split("·")
            grown = ["·".join([*history, outcome][-memory:]) if memory else "start" for outcome in outcomes]
            assert [names[i] for i in after] == grown


@pytest.mark.parametrize("discount", [0.0, 0.9, 1.0])
def test_tables_as_automata_earn_the_same(rng: np.random.Generator, discount: float) -> None:
    p, q = rng.random((3, 5)), rng.random(21)
    first, second = automata.of_table(p), automata.of_table(q)
    found = automata.expected_returns(AXELROD, first, second, discount=discount)
    np.testing.assert_allclose(found, ipd.expected_returns(AXELROD, p, q, discount=discount), atol=1e-12)


def test_gradients_are_those_of_tables(rng: np.random.Generator) -> None:
    p, q = jnp.asarray(rng.random(5)), jnp.asarray(rng.random(5))

    def earned(table: jax.Array) -> jax.Array:
        pair = automata.of_table(table), automata.of_table(q)
        return automata.expected_returns(AXELROD, *pair, discount=0.9)[0]

    np.testing.assert_allclose(jax.grad(earned)(p), ipd.return_gradient(AXELROD, p, q, discount=0.9), atol=1e-12)


def played(first: Automaton, second: Automaton, rounds: int) -> list[str]:
    """The outcomes of two automata without chance, played by hand; the first defects by mistake in round 3."""
    s = t = 0
    outcomes = []
    for number in range(rounds):
        a = 1 - int(first.cooperate[s]) if number != 3 else 1
        b = 1 - int(second.cooperate[t])
        outcomes.append("CD"[a] + "CD"[b])
        s = int(first.moves[s, 2 * a + b].argmax())
        t = int(second.moves[t, 2 * b + a].argmax())
    return outcomes


def test_what_named_automata_do_after_a_mistake() -> None:
    contrite, grim = automata.contrite_tit_for_tat(), automata.grim()
    # Who erred takes one defection without answering it, and peace is back.
    assert played(contrite, contrite, 7) == ["CC", "CC", "CC", "DC", "CD", "CC", "CC"]
    assert played(grim, grim, 7) == ["CC", "CC", "CC", "DC", "DD", "DD", "DD"]
    two = automata.punishment(2)
    assert played(two, two, 8) == ["CC", "CC", "CC", "DC", "DD", "DD", "CC", "CC"]


def test_the_real_grim_never_forgives_under_noise_and_its_table_does() -> None:
    error = 0.01
    real = automata.with_errors(automata.grim(), defecting=error, cooperating=error)
    found = automata.expected_returns(AXELROD, real, real, discount=1.0)
    c = error  # each cooperates with probability ε once in the trap
    trapped = c * c * 3 + (1 - c) * c * 5 + (1 - c) * (1 - c) * 1
    np.testing.assert_allclose(found, [trapped, trapped], atol=1e-12)
    table = strategies.tremble(strategies.grim(), error)
    assert float(ipd.expected_returns(AXELROD, table, table, discount=1.0)[0]) > trapped


def test_two_periods_of_punishment_deter_from_half_of_root_three_less_one() -> None:
    """At R 3, S 0, T 4, P 1 cooperation is optimal against two-period punishment from (√3 − 1)/2 on."""
    game = ipd.games.prisoners_dilemma(R=3.0, S=0.0, T=4.0, P=1.0)
    threshold = (np.sqrt(3) - 1) / 2
    below, above = (
        automata.best_responses(game, automata.punishment(2), discount=threshold + d).optimal[0] for d in (-1e-6, 1e-6)
    )
    np.testing.assert_array_equal(below, [False, True])
    np.testing.assert_array_equal(above, [True, False])
    grim_game = ipd.games.prisoners_dilemma(R=3.0, S=-1.0, T=5.0, P=2.0)
    at = [
        bool(automata.best_responses(grim_game, automata.grim(), discount=2 / 3 + d).optimal[0, 0])
        for d in (-1e-6, 0.0, 1e-6)
    ]
    assert at == [False, True, True]


@pytest.mark.parametrize("discount", [0.8, 1.0])
def test_best_replies_to_tables_are_those_of_replies(rng: np.random.Generator, discount: float) -> None:
    q = rng.random((4, 5))
    found = automata.best_responses(AXELROD, automata.of_table(q), discount=discount)
    expected = replies.best_responses(AXELROD, q, discount=discount)
    np.testing.assert_allclose(found.value, expected.value, atol=1e-12)
    mine = np.array(strategies.view(1, 1))  # the automaton's states are contexts in its own view
    np.testing.assert_array_equal(found.optimal, expected.optimal[:, mine])


def test_errors_of_perception_move_as_if_the_other_had_done_the_opposite() -> None:
    blind = automata.with_errors(automata.of_table(strategies.tit_for_tat()), perceiving=1.0)
    anti = automata.of_table([1.0, 0.0, 1.0, 0.0, 1.0])
    other = automata.of_table(strategies.generous_tit_for_tat(0.2))
    found, expected = (automata.expected_returns(AXELROD, x, other, discount=0.9) for x in (blind, anti))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bad_automata_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have the last axes \(n,\), \(n, 4, n\)"):
        Automaton(np.array([1.0, 0.0]), np.ones((2, 4, 3)) / 3)
    with pytest.raises(ValueError, match="moves must add up to 1"):
        Automaton(np.ones(1), np.full((1, 4, 1), 0.5))
    with pytest.raises(ValueError, match="length must be 1 or more"):
        automata.punishment(0)
    with pytest.raises(TypeError, match=r"first must be an? Automaton; got .*did you mean grim"):
        automata.expected_returns(AXELROD, automata.grim, automata.grim(), discount=0.9)
