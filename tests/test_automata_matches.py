"""What automata earn, gradients and finite games, against trees of play and solves written by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, strategies
from ipd_theory.automata import Automaton
from tests import automata_by_hand as by_hand

GAME = ipd.games.axelrod()
PAYOFF = {"CC": (3, 3), "CD": (0, 5), "DC": (5, 0), "DD": (1, 1)}
OUTCOMES = list(PAYOFF)


def some(rng: np.random.Generator, n: int) -> Automaton:
    return Automaton(rng.random(n), rng.dirichlet(np.ones(n), (n, 4)), rng.dirichlet(np.ones(n)))


def mixed(automaton: Automaton, part: str, index: tuple[int, ...], state: int, share: float) -> Automaton:
    """The automaton with one row of `moves` or `start` moved by a share towards a state."""
    arrays = {name: np.array(getattr(automaton, name)) for name in ("cooperate", "moves", "start")}
    arrays[part][index] += share * (np.eye(automaton.num_states)[state] - arrays[part][index])
    return Automaton(**arrays)


@pytest.mark.parametrize("wrt", [0, 1])
def test_gradients_in_output_and_transition_probabilities(rng: np.random.Generator, wrt: int) -> None:
    pair = [some(rng, 2), some(rng, 3)]
    step = 1e-6
    for player in (0, 1):
        found = automata.return_gradient(GAME, *pair, discount=0.9, player=player, wrt=wrt)

        def slope(up: Automaton, down: Automaton, player: int = player) -> float:
            changed = [[x if i == wrt else pair[i] for i in (0, 1)] for x in (up, down)]
            high, low = (by_hand.returns(GAME, *two, 0.9)[player] for two in changed)
            return (high - low) / (2 * step)

        own = pair[wrt]
        for state in range(own.num_states):
            up, down = (Automaton(own.cooperate.at[state].add(d), own.moves, own.start) for d in (step, -step))
            assert float(found.cooperate[state]) == pytest.approx(slope(up, down), abs=1e-8)
            moved = [mixed(own, "start", (), state, d) for d in (step, -step)]
            assert float(found.start[state]) == pytest.approx(slope(*moved), abs=1e-8)
            for index in itertools.product(range(own.num_states), range(4)):
                moved = [mixed(own, "moves", index, state, d) for d in (step, -step)]
                assert float(found.moves[(*index, state)]) == pytest.approx(slope(*moved), abs=1e-8)


def test_gradients_at_the_limit_of_means_are_those_of_nearly_one(rng: np.random.Generator) -> None:
    pair = some(rng, 2), some(rng, 3)
    limit, near = (automata.return_gradient(GAME, *pair, discount=d) for d in (1.0, 1 - 1e-9))
    np.testing.assert_allclose(limit.cooperate, near.cooperate, atol=1e-7)
    np.testing.assert_allclose(limit.moves, near.moves, atol=1e-7)
    np.testing.assert_allclose(limit.start, 0, atol=1e-12)


def by_tree(
    first: Automaton, second: Automaton, horizon: int, discount: float, misses: tuple[float, float]
) -> np.ndarray:
    """Both players' mean payoffs over all courses of play and of what each player sees of it.

    `misses` are the chances that a player takes the other's C for a D, and its D for a C.
    """
    total = np.zeros(2)

    def go(step: int, chance: float, s: int, t: int) -> None:
        if step == horizon or chance == 0:
            return
        for mine, theirs in itertools.product("CD", repeat=2):
            p, q = float(first.cooperate[s]), float(second.cooperate[t])
            here = chance * (p if mine == "C" else 1 - p) * (q if theirs == "C" else 1 - q)
            total[:] += here * discount**step * np.array(PAYOFF[mine + theirs])
            for seen_by_1, seen_by_2 in itertools.product("CD", repeat=2):
                seen = here
                for truth, view in ((theirs, seen_by_1), (mine, seen_by_2)):
                    miss = misses["CD".index(truth)]
                    seen *= 1 - miss if truth == view else miss
                rows = (
                    first.moves[s, OUTCOMES.index(mine + seen_by_1)],
                    second.moves[t, OUTCOMES.index(theirs + seen_by_2)],
                )
                for s2, t2 in itertools.product(*(range(len(row)) for row in rows)):
                    go(step + 1, seen * float(rows[0][s2] * rows[1][t2]), s2, t2)

    go(0, 1.0, 0, 0)
    return total / sum(discount**step for step in range(horizon))


@pytest.mark.parametrize("misses", [(0.1, 0.1), (0.3, 0.0), (0.0, 0.2)])
@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_private_misperception_by_all_courses_of_play(misses: tuple[float, float], discount: float) -> None:
    pair = automata.grim(), automata.forgiver()
    blind = [automata.with_errors(x, missing_cooperation=misses[0], missing_defection=misses[1]) for x in pair]
    found = automata.expected_returns(GAME, *blind, discount=discount, horizon=4)
    np.testing.assert_allclose(found, by_tree(*pair, 4, discount, misses), atol=1e-12)
    if misses[0] == misses[1]:
        alike = [automata.with_errors(x, perceiving=misses[0]) for x in pair]
        np.testing.assert_array_equal(found, automata.expected_returns(GAME, *alike, discount=discount, horizon=4))


def test_one_sided_slips() -> None:
    """Only who means to cooperate slips: always defect never does, and always cooperate does so often."""
    table = automata.of_table(strategies.memory_one(1.0, 1.0, 1.0, 1.0, 1.0))
    slipping = automata.with_errors(table, defecting=0.2)
    mean = automata.expected_returns(GAME, slipping, automata.of_table(np.zeros(5)), discount=0.9)
    np.testing.assert_allclose(mean, [0.2 * 1, 0.8 * 5 + 0.2 * 1], atol=1e-12)
    np.testing.assert_array_equal(automata.with_errors(automata.grim(), cooperating=0.3).cooperate, [1.0, 0.3])


def test_misperception_cannot_be_told_from_a_table_with_its_own_memory(rng: np.random.Generator) -> None:
    """Against who plays regardless, one who misperceives a reactive table earns as the table mixed over its views."""
    p, q, miss = 0.9, 0.2, 0.15
    seeing = automata.with_errors(automata.of_table(strategies.reactive(1.0, p, q)), perceiving=miss)
    mixture = strategies.reactive(1.0, (1 - miss) * p + miss * q, (1 - miss) * q + miss * p)
    for other in (strategies.random(0.3), strategies.win_stay_lose_shift()):
        found = automata.expected_returns(GAME, seeing, automata.of_table(other), discount=0.8)
        np.testing.assert_allclose(found, ipd.expected_returns(GAME, mixture, other, discount=0.8), atol=1e-12)


def test_finite_games_and_occupancies_of_tables(rng: np.random.Generator) -> None:
    p, q = rng.random(5), rng.random(5)
    pair = automata.of_table(p), automata.of_table(q)
    found = automata.expected_returns(GAME, *pair, horizon=7)
    np.testing.assert_allclose(found, ipd.expected_returns(GAME, p, q, horizon=7), atol=1e-12)
    shares = automata.occupancy(*pair, discount=0.9)
    assert float(shares.sum()) == pytest.approx(1.0)
    # The last step's outcome is the state, and counts one step later.
    expected = 0.9 * np.asarray(ipd.state_occupancy(p, q, discount=0.9))
    np.testing.assert_allclose([shares[1, 1], shares[2, 3], shares[3, 2], shares[4, 4]], expected, atol=1e-12)


def test_sure_automata_earn_what_their_cycle_pays(rng: np.random.Generator) -> None:
    """The limit of means of play without chance, followed round by round until pairs of states come again."""
    machines = [
        Automaton(rng.integers(0, 2, 3).astype(float), np.eye(3)[rng.integers(0, 3, (3, 4))]) for _ in range(24)
    ]
    first, second = (jax.tree.map(lambda *x: jnp.stack(x), *half) for half in (machines[:12], machines[12:]))
    found = {d: np.asarray(automata.expected_returns(GAME, first, second, discount=d)) for d in (0.0, 1.0)}
    once = automata.expected_returns(GAME, first, second, horizon=1)
    for i, (mine, theirs) in enumerate(zip(machines[:12], machines[12:], strict=True)):
        s, t, seen, paid = 0, 0, [], []
        while (s, t) not in seen:
            seen.append((s, t))
            a, b = 1 - int(mine.cooperate[s]), 1 - int(theirs.cooperate[t])
            paid.append(PAYOFF["CD"[a] + "CD"[b]])
            s, t = int(mine.moves[s, 2 * a + b].argmax()), int(theirs.moves[t, 2 * b + a].argmax())
        np.testing.assert_allclose(found[1.0][i], np.mean(paid[seen.index((s, t)) :], 0), atol=1e-12)
        np.testing.assert_array_equal(found[0.0][i], paid[0])
        np.testing.assert_array_equal(once[i], paid[0])


def test_batches_and_dtypes_fit(rng: np.random.Generator) -> None:
    errors = np.array([0.0, 0.1, 0.2])
    batch = automata.with_errors(automata.grim(), defecting=errors)
    found = automata.expected_returns(GAME, batch, automata.forgiver(), discount=np.array([[0.5], [1.0]]))
    assert found.shape == (2, 3, 2)
    alone = automata.with_errors(automata.grim(), defecting=0.2)
    np.testing.assert_allclose(
        found[1, 2], automata.expected_returns(GAME, alone, automata.forgiver(), discount=1.0), atol=1e-12
    )
    single = jax.tree.map(lambda x: x.astype(jnp.float32), automata.grim())
    assert automata.expected_returns(GAME, single, single, discount=0.9).dtype == jnp.float32
    with pytest.raises(ValueError, match=r"batch axes must broadcast.*discount \(2,\), first \(3,\)"):
        automata.expected_returns(GAME, batch, automata.grim(), discount=[0.5, 0.6])
    with pytest.raises(ValueError, match=r"missing_defection holds 1\.5"):
        automata.with_errors(automata.grim(), missing_defection=1.5)
    with pytest.raises(ValueError, match="give a discount in"):
        automata.expected_returns(GAME, automata.grim(), automata.grim())
