"""Returns against automata, published numbers, simulation-free oracles and float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ipd_theory as ipd
from ipd_theory import games, strategies
from tests.strategies_for_tests import discount, tables

AXELROD = games.axelrod()
AXELROD_PAYOFFS = np.array([[3.0, 0.0, 5.0, 1.0], [3.0, 5.0, 0.0, 1.0]])
SWAP = [0, 1, 3, 2, 4]
# Inside jit the error surfaces as either, by whether the call is dispatched asynchronously.
REFUSED = (ValueError, jax.errors.JaxRuntimeError)


def follow(p, q):
    """The outcomes that two automata run through before their cycle, and in it."""
    path, seen, state = [], {}, 0
    while state not in seen:
        seen[state] = len(path)
        state = 1 + 2 * int(p[state] == 0) + int(q[SWAP[state]] == 0)
        path.append(state - 1)
    return path[: seen[state]], path[seen[state] :]


def automata_occupancy(p, q, gamma):
    head, cycle = follow(p, q)
    share = np.zeros(4)
    if gamma == 1.0:
        np.add.at(share, cycle, 1.0)
        return share / len(cycle)
    weights = (1 - gamma) * gamma ** np.arange(len(head) + len(cycle))
    np.add.at(share, head, weights[: len(head)])
    np.add.at(share, cycle, weights[len(head) :] / (1 - gamma ** len(cycle)))
    return share


@pytest.mark.parametrize("gamma", [1.0, 0.95, 0.5, 0.0])
def test_every_pair_of_pure_strategies_is_two_automata(gamma):
    pure = np.asarray(strategies.all_pure())
    expected = np.array([[automata_occupancy(p, q, gamma) for q in pure] for p in pure])
    occupancy = np.asarray(ipd.state_occupancy(pure[:, None], pure, discount=gamma))
    returns = ipd.expected_returns(AXELROD, pure[:, None], pure, discount=gamma)
    if gamma == 1.0:  # to the last bit, where the vanishing 1 − γ = 1e-200 counts as zero
        np.testing.assert_array_equal(np.where(occupancy < 1e-199, 0.0, occupancy), expected)
        np.testing.assert_array_max_ulp(
            np.where(returns < 1e-198, 0.0, returns), expected @ AXELROD_PAYOFFS.T, maxulp=1
        )
    np.testing.assert_allclose(occupancy, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(returns, expected @ AXELROD_PAYOFFS.T, rtol=0, atol=1e-12)


def direct(p, q, gamma):
    """Occupancy by numpy's dense solve, for γ well below 1."""
    rows = np.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    start, M = rows[0], rows[1:]
    return np.linalg.solve(np.eye(4) - gamma * M.T, (1 - gamma) * start)


@given(tables(2, 5), st.floats(0, 0.99))
def test_occupancy_equals_a_dense_solve(pair, gamma):
    p, q = pair
    occupancy = ipd.state_occupancy(p, q, discount=jnp.asarray(gamma))
    np.testing.assert_allclose(occupancy, direct(p, q[SWAP], gamma), atol=1e-12)
    assert float(occupancy.sum()) == pytest.approx(1.0, abs=1e-14)


def test_reactive_strategies_have_their_published_returns():
    returns = ipd.expected_returns(
        AXELROD, strategies.reactive(0.5, 0.9, 0.3), strategies.reactive(0.2, 0.7, 0.1), discount=1.0
    )
    np.testing.assert_allclose(returns, [497 / 256, 657 / 256], rtol=1e-15)


def test_lola_payoffs():
    game = ipd.prisoners_dilemma(R=-1.0, S=-3.0, T=0.0, P=-2.0)
    tft, alld = strategies.tit_for_tat(), strategies.always_defect()

    def returns(p, q):
        return ipd.expected_returns(game, p, q, discount=0.96)

    np.testing.assert_allclose(returns(tft, tft), [-1, -1], atol=1e-14)
    np.testing.assert_allclose(returns(alld, alld), [-2, -2], atol=1e-14)
    np.testing.assert_allclose(returns(tft, alld), [-2.04, -1.92], atol=1e-13)


@pytest.mark.parametrize(
    ("strategy", "value", "slope"),
    [
        (strategies.tit_for_tat, 9 / 4, 0.0),
        (strategies.win_stay_lose_shift, 3.0, -5.0),
        (lambda: strategies.memory_one(1.0, 1.0, 1 / 8, 1.0, 1 / 4), 3.0, -8.0),
        (strategies.always_cooperate, 3.0, -1.0),
    ],
)
def test_self_play_with_trembling_hands(strategy, value, slope):
    """Tremble ε: TFT 9/4 for every ε; WSLS 3 − 5ε, ZD-GTFT-2 3 − 8ε, ALLC 3 − ε, up to O(ε²)."""

    def payoff(error):
        table = strategies.tremble(strategy(), error)
        return ipd.expected_returns(AXELROD, table, table, discount=1.0)[0]

    assert float(payoff(1e-9)) == pytest.approx(value, abs=1e-7)
    assert float(jax.grad(payoff)(1e-6)) == pytest.approx(slope, abs=2e-3)
    if strategy is strategies.tit_for_tat:
        np.testing.assert_allclose(jax.vmap(payoff)(jnp.linspace(0.01, 0.99, 9)), 9 / 4)


@given(tables(2000, 5), tables(2000, 5), discount)
@settings(max_examples=40)
def test_float32_is_as_good_as_float64_and_nothing_is_ever_lost(p, q, gamma):
    """Corners, reducible chains and γ up to 1 included: finite, inside the payoffs, the players' views agreeing."""
    p, q, gamma = p.astype(np.float32), q.astype(np.float32), np.float64(gamma)
    fine = ipd.expected_returns(AXELROD, p.astype(float), q.astype(float), discount=gamma)
    coarse = ipd.expected_returns(AXELROD, p, q, discount=gamma)
    mirrored = ipd.expected_returns(AXELROD, q, p, discount=gamma)
    assert coarse.dtype == jnp.float32
    for returns in (fine, coarse):
        assert np.isfinite(returns).all()
        assert (returns >= 0).all()
        assert (returns <= 5 + 1e-5).all()
    np.testing.assert_allclose(coarse, mirrored[:, ::-1], atol=5e-6)
    for dtype in (float, np.float32):
        gradient = ipd.return_gradient(AXELROD, p.astype(dtype), q.astype(dtype), discount=gamma)
        assert np.isfinite(gradient).all() if gamma < 1 else not np.isnan(gradient).any()
    if gamma < 1:  # float32's own discount; the limit of means jumps where a chain becomes reducible
        np.testing.assert_allclose(coarse, fine, atol=5e-6)


@pytest.mark.parametrize("delta", [0.5, 0.05, 1e-3, 1e-6, 1e-10])
def test_float32_keeps_six_digits_close_to_the_corners(delta, rng):
    """Strategies within 1e-7 of deterministic, 1 − γ from 0.5 to 1e-10; payoffs of order 1."""
    n, game = 20_000, ipd.prisoners_dilemma()
    corner = rng.integers(0, 2, (2, n, 5)) + np.array(-1e-7)
    p, q = np.abs(corner * rng.choice([0.0, 0.3, 1.0], (2, n, 5))).clip(0, 1).astype(np.float32)
    fine = ipd.expected_returns(game, p.astype(float), q.astype(float), discount=1 - delta)
    coarse = ipd.expected_returns(game, p, q, discount=1 - delta)
    np.testing.assert_allclose(coarse, fine, rtol=0, atol=1e-6)


@given(tables(8, 21), tables(8, 5), st.floats(0, 0.999))
@settings(max_examples=20)
def test_one_strategy_written_with_more_memory_is_the_same_strategy(p, q, gamma):
    short = ipd.expected_returns(AXELROD, p[:, :5], q, discount=gamma)
    for memory in (2, 3):
        long = ipd.expected_returns(AXELROD, strategies.extend(p[:, :5], memory), q, discount=gamma)
        np.testing.assert_allclose(long, short, atol=1e-11)
    two = ipd.expected_returns(AXELROD, p, q, discount=gamma)
    three = ipd.expected_returns(AXELROD, strategies.extend(p, 3), q, discount=gamma)
    np.testing.assert_allclose(three, two, atol=1e-11)


def exact_walk(tables_, memory, gamma, horizon, payoffs):
    """Discounted payoffs by following every history with its probability."""
    players = len(tables_)
    names = strategies.contexts(memory, players)
    histories, total, mass = {(): 1.0}, np.zeros(players), 0.0
    for t in range(horizon):
        onward: dict[tuple, float] = {}
        for history, weight in histories.items():
            chances = []
            for i, table in enumerate(tables_):
                view = ["".join([o[i], *(a for j, a in enumerate(o) if j != i)]) for o in history[-memory:]]
                chances.append(table[names.index("·".join(view) or "start")])
            for actions in itertools.product("CD", repeat=players):
                chance = weight * np.prod([c if a == "C" else 1 - c for c, a in zip(chances, actions, strict=True)])
                total += gamma**t * chance * payoffs[(slice(None), *("CD".index(a) for a in actions))]
                kept = (*history, "".join(actions))[-memory:]
                onward[kept] = onward.get(kept, 0.0) + chance
        histories, mass = onward, mass + gamma**t
    return total / mass


@pytest.mark.parametrize(
    ("memory", "players", "horizon"), [(1, 2, 1), (1, 2, 7), (2, 2, 1), (2, 2, 6), (3, 2, 5), (1, 3, 4)]
)
@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_finite_games_by_following_every_history(memory, players, horizon, gamma, rng):
    game = games.public_goods(players, 1.5) if players == 3 else AXELROD
    all_tables = rng.random((players, strategies.num_contexts(memory, players)))
    expected = exact_walk(all_tables, memory, gamma, horizon, np.asarray(game.payoffs))
    got = ipd.expected_returns(game, *all_tables, discount=gamma, horizon=horizon)
    np.testing.assert_allclose(got, expected, atol=1e-13)
    mass = (gamma ** np.arange(horizon)).sum()
    total = ipd.expected_returns(game, *all_tables, discount=gamma, horizon=horizon, normalized=False)
    np.testing.assert_allclose(total, expected * mass, atol=1e-12)


@pytest.mark.parametrize(("memory", "players"), [(1, 2), (2, 2), (3, 2), (1, 3), (2, 3)])
def test_the_infinite_game_is_the_limit_of_finite_ones(memory, players, rng):
    game = games.public_goods(players, 1.5) if players == 3 else AXELROD
    all_tables = rng.random((players, strategies.num_contexts(memory, players)))
    infinite = ipd.expected_returns(game, *all_tables, discount=0.8)
    finite = ipd.expected_returns(game, *all_tables, discount=0.8, horizon=180)
    np.testing.assert_allclose(infinite, finite, atol=1e-13)
    np.testing.assert_allclose(
        ipd.state_occupancy(*all_tables, discount=0.8),
        ipd.state_occupancy(*all_tables, discount=0.8, horizon=180),
        atol=1e-13,
    )


def test_tit_for_two_tats_and_two_tits_for_tat_against_alternation():
    """Against CDCD…, TF2T always cooperates and 2TFT, once provoked, never again."""
    alternate = strategies.memory_one(1.0, 0.0, 0.0, 1.0, 1.0)
    patient = ipd.expected_returns(AXELROD, strategies.tit_for_two_tats(), alternate, discount=1.0)
    np.testing.assert_allclose(patient, [1.5, 4.0], atol=1e-14)
    strict = ipd.expected_returns(AXELROD, strategies.two_tits_for_tat(), alternate, discount=1.0)
    np.testing.assert_allclose(strict, [3.0, 0.5], atol=1e-14)


def test_un_normalised_returns_are_sums(rng):
    p, q = rng.random((2, 5))
    average = ipd.expected_returns(AXELROD, p, q, discount=0.9)
    np.testing.assert_allclose(ipd.expected_returns(AXELROD, p, q, discount=0.9, normalized=False), average * 10)
    means, sums = (
        ipd.expected_returns(AXELROD, p, q, discount=0.9, horizon=3, normalized=normalized)
        for normalized in (True, False)
    )
    np.testing.assert_allclose(sums, means * (1 + 0.9 + 0.81))
    with pytest.raises(ValueError, match=r"discount holds 1\.0, where un-normalised returns are infinite"):
        ipd.expected_returns(AXELROD, p, q, discount=1.0, normalized=False)


def test_batches_broadcast_over_everything(rng):
    p, q = rng.random((4, 1, 1, 5)), rng.random((3, 1, 5))
    gammas = np.array([0.5, 0.9])
    returns = ipd.expected_returns(AXELROD, p, q, discount=gammas)
    assert returns.shape == (4, 3, 2, 2)
    single = ipd.expected_returns(AXELROD, p[2, 0, 0], q[1, 0], discount=0.9)
    np.testing.assert_allclose(returns[2, 1, 1], single, rtol=1e-15)
    several = ipd.prisoners_dilemma(T=jnp.array([2.0, 3.0]))
    assert ipd.expected_returns(several, p, q, discount=0.9).shape == (4, 3, 2, 2)
    assert ipd.return_gradient(several, p, q, discount=0.9, wrt=1).shape == (4, 3, 2, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: ipd.expected_returns(AXELROD, p + 1, p, discount=0.9), r"strategies\[0\] holds 1\.5; every entry"),
        (lambda p: ipd.expected_returns(AXELROD, p, p * np.nan, discount=0.9), r"strategies\[1\] holds nan"),
        (lambda p: ipd.expected_returns(AXELROD, p, p - 1, discount=0.9), r"strategies\[1\] holds -0\.5"),
        (lambda p: ipd.expected_returns(AXELROD, p[:4], p, discount=0.9), r"strategies\[0\] has shape \(4,\)"),
        (lambda p: ipd.expected_returns(AXELROD, p, p, discount=1.1), r"discount holds 1\.1"),
        (lambda p: ipd.expected_returns(AXELROD, p, p, discount=float("nan")), "discount holds nan"),
        (lambda p: ipd.expected_returns(AXELROD, p, p), "discount is None; give a discount"),
        (lambda p: ipd.expected_returns(AXELROD, p, p, horizon=0), "horizon must be a whole number, from 1 to"),
        (lambda p: ipd.expected_returns(AXELROD, p, p, p, discount=0.9), "got 3 of them; the game has 2 players"),
        (lambda p: ipd.return_gradient(AXELROD, p, p, discount=0.9, player=2), "player must be one of 0, 1; got 2"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.full(5, 0.5))


def test_bad_input_is_named_inside_jit_and_under_differentiation():
    def payoff(p, gamma):
        return ipd.expected_returns(AXELROD, p, p, discount=gamma)[0]

    good, bad = jnp.full(5, 0.5), jnp.full(5, 0.5).at[2].set(1.25)
    compiled = jax.jit(jax.value_and_grad(payoff))
    assert jnp.isfinite(compiled(good, 0.9)[0])
    with pytest.raises(REFUSED, match=r"strategies\[[01]\] holds 1\.25; every entry must lie in \[0, 1\]"):
        jax.block_until_ready(compiled(bad, 0.9))
    with pytest.raises(REFUSED, match=r"discount holds -0\.5"):
        jax.block_until_ready(compiled(good, -0.5))
    with pytest.raises(REFUSED, match=r"strategies\[[01]\] holds 1\.25"):
        jax.block_until_ready(jax.vmap(payoff, (0, None))(jnp.stack([good, bad]), 0.9))
