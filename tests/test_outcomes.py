"""Outcomes: hand-made populations get their names, measures are held against other functions of the package."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import equilibria, strategies, zero_determinant
from ipd_theory.learning import pool as pools
from ipd_theory.phases import outcomes
from ipd_theory.phases.outcomes import Outcome

GAME, DISCOUNT = ipd.prisoners_dilemma(), 0.95
POPULATIONS = {
    "TFT": (strategies.tit_for_tat(), Outcome.COOPERATION, True),
    "GTFT": (strategies.generous_tit_for_tat(0.2), Outcome.COOPERATION, True),
    "WSLS": (strategies.win_stay_lose_shift(), Outcome.COOPERATION, False),
    "GRIM": (strategies.grim(), Outcome.COOPERATION, False),
    "generous": (zero_determinant.generous(GAME, 2.0, 0.1, DISCOUNT), Outcome.COOPERATION, None),
    "ALLC": (strategies.always_cooperate(), Outcome.EXPLOITABLE, False),
    "ALLD": (strategies.always_defect(), Outcome.DEFECTION, False),
    "extortion 2": (zero_determinant.extortion(GAME, 2.0, 0.1, DISCOUNT), Outcome.EXTORTION, False),
    "extortion 3": (zero_determinant.extortion(GAME, 3.0, 0.1, DISCOUNT), Outcome.EXTORTION, False),
    "equalizer": (zero_determinant.equalizer(GAME, 0.5, 0.2, DISCOUNT, 0.5), Outcome.OTHER, False),
    "coin": (strategies.random(), Outcome.OTHER, False),
}


def logits_of(tables):
    p = jnp.clip(jnp.stack([jnp.broadcast_to(x, 5) for x in tables]), 1e-6, 1 - 1e-6)
    return jnp.log(p) - jnp.log1p(-p)


@pytest.fixture(scope="module")
def measured():
    """Each population is two copies of one strategy; M = 20 steps of size 5, as in the paper's analytic setting."""
    logits = logits_of([table for table, _, _ in POPULATIONS.values()])[:, None].repeat(2, 1)
    n = len(POPULATIONS)
    pool = pools.Pool(jnp.full(n, 0.5), discount=DISCOUNT, num_learners=64)
    keys = jnp.broadcast_to(jax.random.key(5), n)
    measures = outcomes.measure(pool, jnp.full(n, 1 - DISCOUNT), logits, keys)
    return jax.tree.map(np.asarray, measures), np.asarray(logits)


def test_hand_made_populations_get_their_names(measured):
    measures, _ = measured
    named = outcomes.classify(measures, 1.0, 0.0)
    for name, got, (_, wanted, _) in zip(POPULATIONS, named, POPULATIONS.values(), strict=True):
        assert Outcome(got) == wanted, (name, Outcome(got).name, [float(x[0]) for x in measures])


def test_who_shapes_learners_and_leaves_them_as_much_is_no_extortioner(measured):
    measures, _ = measured
    assert "other" not in Outcome(outcomes.classify(measures, 1.0, 0.0)[list(POPULATIONS).index("extortion 2")]).name
    fair = measures._replace(of_learned=measures.against_learned)
    assert outcomes.classify(fair, 1.0, 0.0)[list(POPULATIONS).index("extortion 2")] == Outcome.OTHER


def test_the_units_of_player_2_change_no_outcome(measured):
    """Every second agent, and the learners of every first, earn in player 2's money: 100 more, and a third as much."""
    measures, _ = measured
    second = np.array([False, True])
    own = ("against_naive", "against_learned", "defector_learned", "among_meta", "self_play")
    paid = {name: np.where(second, 100 + x / 3, x) for name, x in measures._asdict().items() if name in own}
    learners = {name: np.where(second, x, 100 + x / 3) for name, x in measures._asdict().items() if name[:3] == "of_"}
    gap = np.where(second, measures.gap / 3, measures.gap)
    in_two_units = measures._replace(**paid, **learners, gap=gap)
    named = outcomes.classify(in_two_units, 1.0, 0.0, player_2=(100 + 1 / 3, 100.0))
    np.testing.assert_array_equal(named, outcomes.classify(measures, 1.0, 0.0))


def test_only_strategies_like_tit_for_tat_are_called_so(measured):
    """Four of these earn what tit for tat earns against its own copy."""
    like = outcomes.tit_for_tat_like(*measured)
    for name, got, (_, _, wanted) in zip(POPULATIONS, like, POPULATIONS.values(), strict=True):
        assert wanted is None or got.tolist() == [wanted] * 2, name


def test_measures_are_those_of_the_package(measured):
    measures, logits = measured
    for i in range(len(POPULATIONS)):
        table = jax.nn.sigmoid(logits[i, 0])
        own = ipd.expected_returns(GAME, table, table, discount=DISCOUNT)[0]
        reply = equilibria.best_response(GAME, table, discount=DISCOUNT).value
        np.testing.assert_allclose(measures.among_meta[i], own, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(measures.self_play[i], own, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(measures.gap[i], reply - own, rtol=1e-9, atol=1e-9)
        for name, other in (("with_cooperator", 1.0), ("with_defector", 0.0)):
            rate = ipd.state_occupancy(table, jnp.full(5, other), discount=DISCOUNT)[:2].sum()
            np.testing.assert_allclose(getattr(measures, name)[i], rate, rtol=1e-9, atol=1e-12)


def test_pools_of_unequal_agents_and_games_without_a_dilemma():
    """An exploiter beside its victim is neither cooperation nor defection; chicken's own equilibrium has a name."""
    pairs = jnp.stack([logits_of([strategies.always_defect(), strategies.always_cooperate()])] * 2)
    game = ipd.games.symmetric_game(R=1.0, S=jnp.array([-1.0, 0.9]), T=2.0, P=0.0)
    pool = pools.Pool(jnp.full(2, 0.5), num_inner_episodes=1, num_learners=4, tremble=jnp.array([0.0, 0.1]), game=game)
    keys = jnp.broadcast_to(jax.random.key(0), 2)
    measures = jax.tree.map(np.asarray, outcomes.measure(pool, jnp.full(2, 0.1), pairs, keys))
    np.testing.assert_allclose(measures.among_meta[0], [2.0, -1.0], atol=1e-5)
    # With trembles of 0.1 CC is met with probability 0.09, CD 0.01, DC 0.81, DD 0.09 by the defector.
    np.testing.assert_allclose(measures.among_meta[1], [0.09 + 0.009 + 1.62, 0.09 + 0.02 + 0.729], atol=1e-5)
    np.testing.assert_allclose(measures.mutual_cooperation[1], 0.09, atol=1e-5)
    # The defector replies best to its victim, which would gain S → P = 0 from defecting; in chicken both reply best.
    np.testing.assert_allclose(measures.gap, [[0.0, 1.0], [0.0, 0.0]], atol=1e-5)
    assert outcomes.classify(measures, 1.0, 0.0).tolist() == [Outcome.ANTI_COORDINATION] * 2


def test_without_a_reward_above_punishment_nothing_is_named(measured):
    with pytest.raises(ValueError, match="R must lie above P"):
        outcomes.classify(measured[0], 1.0, 1.0)
    many = outcomes.Measures(*(np.asarray(x)[:1].repeat(9, 0) for x in measured[0]))
    with pytest.raises(ValueError, match=r"got R=1, P=4$"):
        outcomes.classify(many, np.ones(9), np.arange(9) - 4.0 + 5 * (np.arange(9) == 3))
