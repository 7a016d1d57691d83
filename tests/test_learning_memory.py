"""Rules, shaping and learning where players remember more: a table written longer is the same player."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import play, rules, shaping, views
from ipd_theory.learning import pool as pools
from ipd_theory.strategies import extend

GAME = ipd.games.axelrod()
SETTINGS = {"discount": 0.9, "learning_rate": 3.0, "num_inner_episodes": 3}


def pair(seed=0, memory=1):
    return [extend(x, memory) for x in jax.random.normal(jax.random.key(seed), (2, 5))]


def folded(longer):
    """Return the slope in memory one's contexts of what has one in those of a longer memory."""
    return longer @ jax.jacobian(lambda x: extend(x, 2))(jnp.zeros(5))


@pytest.mark.parametrize("normalized", [True, False])
def test_shaping_returns_and_slopes_are_those_of_memory_one(normalized):
    (x, y), (longer, _) = pair(), pair(memory=2)
    rate = 3.0 if normalized else 0.3
    settings = SETTINGS | {"normalized": normalized, "learning_rate": rate}
    want = shaping.shaping_return(GAME, x, y, **settings)
    np.testing.assert_allclose(shaping.shaping_return(GAME, longer, y, **settings), want, rtol=1e-12)
    slope = jax.grad(lambda x: shaping.shaping_return(GAME, x, y, **settings))
    np.testing.assert_allclose(folded(slope(longer)), slope(x), rtol=1e-10, atol=1e-12)


def test_a_learner_that_remembers_more_takes_the_steps_of_its_own_contexts():
    """Against finite differences of returns in 21 logits, walked by hand."""
    x, y = pair(1, 2)

    def earned(y, player):
        tables = (jax.nn.sigmoid(x), jax.nn.sigmoid(y))
        return float(ipd.expected_returns(GAME, *tables, discount=0.9)[player])

    returns, step = [], 1e-5
    for _ in range(3):
        returns.append(earned(y, 0))
        slopes = [(earned(y + d, 1) - earned(y - d, 1)) / (2 * step) for d in step * np.eye(21)]
        y = y + 3.0 * np.array(slopes)
    returns.append(earned(y, 0))
    got = shaping.shaping_return(GAME, x, pair(1, 2)[1], **SETTINGS)
    np.testing.assert_allclose(got, np.mean(returns), rtol=1e-7)


@pytest.mark.parametrize("rule", [rules.naive(), rules.lola_with_look_ahead(2.0), rules.sos(2.0)], ids=repr)
def test_directions_are_those_of_memory_one(rule):
    (x, y), (longer, _) = pair(2), pair(2, 2)
    want = play.direction(GAME, rule, x, y, discount=0.9)
    np.testing.assert_allclose(folded(play.direction(GAME, rule, longer, y, discount=0.9)), want, rtol=1e-9, atol=1e-12)


def test_two_players_of_memory_two_learn_by_the_gradients_of_their_returns():
    x, y = pair(3, 2)
    sgd = optax.sgd(2.0)
    out = play.learn(GAME, (rules.naive(),) * 2, x, y, discount=0.9, optimizers=(sgd, sgd), steps=2)

    def slopes(x, y):
        def earned(x, y):
            return ipd.expected_returns(GAME, jax.nn.sigmoid(x), jax.nn.sigmoid(y), discount=0.9)

        return jax.grad(lambda x: earned(x, y)[0])(x), jax.grad(lambda y: earned(x, y)[1])(y)

    for _ in range(2):
        d_x, d_y = slopes(x, y)
        x, y = x + 2.0 * d_x, y + 2.0 * d_y
    np.testing.assert_allclose(out.logits, jnp.stack([x, y]), rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="of the memory of logits"):
        play.learn(GAME, (rules.naive(),) * 2, x, jnp.zeros(5), discount=0.9, optimizers=(sgd, sgd), steps=2)


def test_players_who_remember_nothing_are_tables_whose_contexts_are_alike():
    x, y = jnp.array([0.3]), jnp.array([0.7])
    want = shaping.shaping_return(GAME, jnp.full(5, 0.3), y, **SETTINGS)
    np.testing.assert_allclose(shaping.shaping_return(GAME, x, y, **SETTINGS), want, rtol=1e-12)
    both = play.learn(GAME, (rules.naive(),) * 2, x, y, discount=0.9, optimizers=(optax.sgd(1.0),) * 2, steps=2)
    assert both.logits.shape == (2, 1)
    with pytest.raises(ValueError, match="logits has shape"):
        shaping.meta_mapg_return(
            GAME, x, y, (rules.naive(),) * 2, discount=0.9, learning_rates=(1.0, 1.0), num_inner_episodes=1
        )


SHORTER = {"inner_episodes": jnp.asarray(1), "shaping_weight": jnp.asarray(0.25), "num_agents": 1, "self_play": True}
TREMBLING = {"tremble": jnp.asarray(0.05), "sum_episodes": True, "num_agents": 3}
ROLES = {"roles": True, "normalized": False, "game": ipd.games.bimatrix([[3.0, 0], [5, 1]], [[2.0, 4], [-1, 0]])}


@pytest.mark.parametrize(
    "settings",
    [SHORTER, *(pytest.param(x, marks=pytest.mark.slow) for x in ({}, TREMBLING, ROLES))],
    ids=["shorter", "plain", "trembling", "roles"],
)
def test_a_pool_written_longer_is_the_same_pool(settings):
    """What agents ascend and earn, and the slopes folded into the contexts of memory one."""
    pool, longer = (
        pools.Pool(0.4, discount=0.9, num_inner_episodes=2, num_learners=2, memory=memory, **settings)
        for memory in (1, 2)
    )
    logits = jax.random.normal(jax.random.key(5), (pool.num_agents, 5))
    learners, delta = pools.draw_learners(pool, jax.random.key(6)), jnp.asarray(0.1)

    def ascended(pool, x):
        return pools.objective(pool, delta, x, jax.lax.stop_gradient(x), learners)

    wide = extend(logits, 2)
    np.testing.assert_allclose(ascended(longer, wide), ascended(pool, logits), rtol=1e-12)
    slopes = [jax.jit(jax.grad(lambda x, p=p: ascended(p, x).sum()))(x) for p, x in ((pool, logits), (longer, wide))]
    np.testing.assert_allclose(folded(slopes[1]), slopes[0], rtol=1e-9, atol=1e-12)
    for a, b in zip(
        *(pools.evaluate(p, x, jax.random.key(7)) for p, x in ((pool, logits), (longer, wide))), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    path = [pools.naive_path(p, x, learners) for p, x in ((pool, logits), (longer, wide))]
    np.testing.assert_allclose(path[1], path[0], rtol=1e-12)


def test_a_pool_of_memory_two_learns_to_earn_more():
    pool = pools.Pool(1.0, discount=0.9, num_inner_episodes=3, num_learners=4, num_agents=1, self_play=True, memory=2)
    state = pools.init(pool, jax.random.key(0))
    assert state.logits.shape == (1, 21)
    end, history = pools.train(pool, state, 200, 100)
    assert history.logits.shape == (3, 1, 21)
    judged = [float(pools.evaluate(pool, x.logits, jax.random.key(1)).against_naive[0]) for x in (state, end)]
    assert judged[0] + 0.1 < judged[1]
    with pytest.raises(ValueError, match=r"last axes must be \(1, 21\)"):
        pools.init(pool, jax.random.key(0), jnp.zeros((1, 5)))


def test_rules_that_read_values_say_that_they_read_memory_one():
    x, y = pair(4, 2)
    with pytest.raises(ValueError, match="memory one, whose values"):
        play.direction(GAME, rules.loqa(0.3), x, y, discount=0.9)
    with pytest.raises(ValueError, match="logits has shape"):
        views.checked_logits(any_memory=True, logits=jnp.zeros(7))
