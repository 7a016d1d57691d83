"""How much of what could be gained agents gain: against one problem at a time, and nobody above what is said."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import bounds, pool_efficiency, shaping
from ipd_theory.learning import pool as pools
from ipd_theory.phases.drift import sobol_learners

LEARNERS = sobol_learners(2)
RATES, DISCOUNTS = np.array([1.0, 13.0, 200.0]), np.array([0.5, 0.99, 0.9])


@pytest.fixture(scope="module")
def trained():
    """Three settings, two pools each that met naive learners alone, and what ascent finds there."""
    settings = {"learning_rate": RATES[:, None], "discount": DISCOUNTS[:, None], "num_inner_episodes": 3}
    pool = pools.Pool(1.0, **settings, num_learners=4, optimizer=optax.adam(0.05))
    state = pools.init(pool, jnp.broadcast_to(jax.random.split(jax.random.key(0), 2), (3, 2)))
    state = pools.advance(pool, jnp.asarray(1 - DISCOUNTS[:, None]), state, 400)
    return pool, state.logits, pool_efficiency.shares_of(pool, state.logits, LEARNERS)


def test_all_at_once_find_what_each_alone_finds(trained):
    """By another method of ascent; and each of the three numbers by the return of one shaping agent."""
    _, logits, shares = trained
    for i, (rate, discount) in enumerate(zip(RATES, DISCOUNTS, strict=True)):
        alone = {"discount": discount, "learning_rate": rate, "num_inner_episodes": 3}
        best = bounds.fixed_policy(ipd.prisoners_dilemma(), LEARNERS, **alone, starts=4)
        np.testing.assert_allclose(shares.bound[i], best.value, atol=1e-6)
        policies = [logits[i], np.full((2, 2, 5), -40.0), jax.scipy.special.logit(shares.policy[i])]
        for policy, said in zip(policies, (shares.value, shares.defection, shares.bound), strict=True):
            finite = np.clip(policy, -40.0, 40.0)[..., None, :]
            earned = shaping.shaping_return(ipd.prisoners_dilemma(), finite, LEARNERS, **alone).mean(-1)
            np.testing.assert_allclose(said[i], earned, atol=1e-12)


def test_no_agent_of_a_pool_is_above_the_bounds(trained):
    """Trained against learners, pools come near the best policy where they are led; a proved ceiling lies higher."""
    _, _, shares = trained
    assert (shares.value <= shares.bound + 1e-9).all()
    assert (shares.defection <= shares.bound + 1e-12).all()
    assert 0.9 < np.nanmax(shares.efficiency) <= 1 + 1e-9
    np.testing.assert_array_equal(np.isnan(shares.efficiency), shares.bound - shares.defection < 1e-9)
    for i, (rate, discount) in enumerate(zip(RATES, DISCOUNTS, strict=True)):
        alone = {"discount": discount, "learning_rate": rate, "num_inner_episodes": 3}
        assert shares.bound[i].max() <= bounds.ceiling(ipd.prisoners_dilemma(), LEARNERS, **alone)


def test_roles_trembles_and_lengths_of_paths():
    """In a game of two sides player 2's bound is its own; learners of one pool take one step, of the other three."""
    game = ipd.games.bimatrix([[1.0, -1.0], [2.0, 0.0]], [[2.0, 3.0], [-2.0, 0.0]])
    tremble, std = jnp.array([0.0, 0.05]), jnp.array([1.0, 0.5])
    settings = {"game": game, "roles": True, "num_agents": 3, "num_inner_episodes": 3, "learning_rate": 20.0}
    pool = pools.Pool(
        0.5,
        **settings,
        inner_episodes=jnp.array([1, 3]),
        tremble=tremble,
        learner_std=std,
        shaping_weight=jnp.array(0.1),
    )
    logits = jax.random.normal(jax.random.key(1), (4, 2, 3, 5))  # four pools each
    shares = pool_efficiency.shares_of(pool, logits, LEARNERS)
    assert shares.value.shape == shares.bound.shape == (4, 2, 3)
    assert shares.policy.shape == (4, 2, 3, 5)
    np.testing.assert_array_equal(shares.bound[..., 0], shares.bound[..., 2])
    assert (shares.value <= shares.bound).all()
    for role, own in enumerate((game, ipd.games.bimatrix(*(np.asarray(game.payoffs[i]).T for i in (1, 0))))):
        best = bounds.fixed_policy(own, LEARNERS, discount=0.95, learning_rate=20.0, num_inner_episodes=1, starts=4)
        np.testing.assert_allclose(shares.bound[0, 0, role], best.value, atol=1e-6)
    walked = pools.naive_path(pool, logits[0], jnp.broadcast_to(std[:, None, None, None] * LEARNERS, (2, 3, 4, 5)))
    np.testing.assert_allclose(shares.value[0, 1], walked[..., 0].mean((0, -1))[1], rtol=1e-12)


@pytest.mark.slow
def test_a_longer_memory_is_held_to_a_longer_memorys_bound():
    """Well above random policies of its own kind."""
    pool = pools.Pool(1.0, num_inner_episodes=1, memory=2)
    logits = jax.random.normal(jax.random.key(2), (2, 21))
    shares = pool_efficiency.shares_of(pool, logits, LEARNERS[:1], starts=2, steps=20)
    assert shares.policy.shape == (2, 21)
    assert (shares.value + 0.1 < shares.bound).all()
    assert (shares.defection <= shares.bound).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": jnp.zeros((2, 4))}, "logits has shape"),
        ({"learners": jnp.zeros(5)}, "learners must be"),
        ({"learners": jnp.zeros((0, 5))}, "learners must be"),
        ({"learners": jnp.zeros((3, 4))}, "learners has shape"),
        ({"starts": 1}, "starts must"),
        ({"steps": -1}, "steps must"),
        ({"seed": -1}, "seed must"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"pool": pools.Pool(1.0), "logits": jnp.zeros((2, 5)), "learners": LEARNERS} | change
    with pytest.raises(ValueError, match=message):
        pool_efficiency.shares_of(**arguments)
