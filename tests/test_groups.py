"""Learning, shaping and pools among more than two players: two of them are the two-player code, to rounding."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import encounters, groups, naive_path, play, rules, shaping
from ipd_theory.learning import pool as pools

GAME = ipd.games.public_goods(3, 1.8)
UNEVEN = ipd.MatrixGame(jnp.round(jax.random.normal(jax.random.key(9), (3, 2, 2, 2)), 1), num_players=3)
SETTINGS = {"discount": 0.9, "learning_rate": 3.0, "num_inner_episodes": 2}
AMONG_MANY = [
    rules.naive(),
    rules.look_ahead(3.0),
    rules.lola_as_published(2.0),
    rules.lola_with_look_ahead(2.0),
    rules.lola_dice(2, 2.0),
    rules.coala(2, 2.0),
    rules.meta_value(2, 1.0, 0.9),
    rules.mixture((rules.naive(), rules.still()), (0.5, 0.5)),
]


def logits_of(seed, count=3, contexts=9):
    return list(jax.random.normal(jax.random.key(seed), (count, contexts)))


def earned(game, *logits):
    return ipd.expected_returns(game, *(jax.nn.sigmoid(x) for x in logits), discount=0.9)


def slope(game, logits, of, by):
    """What player `of` earns, differentiated in the parameters of player `by`; of others those at hand."""
    return jax.grad(lambda x: earned(game, *logits[:by], x, *logits[by + 1 :])[of])(logits[by])


@pytest.mark.parametrize(
    "rule",
    [x if i in (0, 3, 5) else pytest.param(x, marks=pytest.mark.slow) for i, x in enumerate(AMONG_MANY)],
    ids=repr,
)
def test_a_group_of_two_is_a_pair(rule):
    x, y = logits_of(0, 2, 5)
    game = ipd.games.bimatrix([[3.0, 0], [5, 1]], [[2.0, 4], [-1, 0]])
    view = groups.group_game(game, 0.9, np.dtype(float))
    want = play.direction(game, rule, x, y, discount=0.9)
    np.testing.assert_allclose(play._direction_in_group(view, (x, y), rule=rule), want, rtol=1e-12, atol=1e-14)


def test_two_who_learn_in_a_group_learn_as_a_pair():
    game, (x, y) = ipd.games.axelrod(), logits_of(1, 2, 5)
    settings = {"which": (0, 1), "optimizers": play.checked_optimizers((optax.sgd(2.0),) * 2, 2), "steps": 3}
    pair = play.learn(
        game, AMONG_MANY[:2], x, y, discount=0.9, optimizers=(optax.sgd(2.0),) * 2, steps=3, normalized=False
    )
    view = groups.group_game(game, 0.9, np.dtype(float), normalized=False)
    group = play._learn_in_group(view, (x, y), distinct=tuple(AMONG_MANY[:2]), every=(1, 1), **settings)
    np.testing.assert_allclose(group.logits, pair.logits, rtol=1e-12)
    np.testing.assert_allclose(group.returns, pair.returns, rtol=1e-12)


def test_shaping_returns_of_three_are_those_walked_by_hand():
    """Each learner's steps by its own slope, against finite differences; two learners at once."""
    x, *learners = logits_of(2)
    returns = []
    for _ in range(3):
        returns.append(float(earned(UNEVEN, x, *learners)[0]))
        steps = []
        for j in (1, 2):
            moved = [
                [
                    earned(UNEVEN, x, *(y + sign * d * (k == j) for k, y in enumerate(learners, 1)))[j]
                    for sign in (1, -1)
                ]
                for d in 1e-5 * np.eye(9)
            ]
            steps.append(3.0 * np.array([(up - down) / 2e-5 for up, down in moved]))
        learners = [y + step for y, step in zip(learners, steps, strict=True)]
    got = shaping.shaping_return(UNEVEN, *logits_of(2), **SETTINGS)
    np.testing.assert_allclose(got, np.mean(returns), rtol=1e-7)


def test_a_third_player_who_is_always_the_same_changes_nothing():
    """It contributes whatever happens and nobody's payoff minds: the first two shape each other as in their game."""
    two, (x, y) = ipd.games.axelrod(), logits_of(3, 2, 5)
    payoffs = jnp.concatenate([jnp.stack([two.payoffs] * 2, -1), jnp.ones((1, 2, 2, 2))])
    three = ipd.MatrixGame(payoffs, num_players=3)
    spread = [jnp.concatenate([z[:1], jnp.repeat(z[1:], 2)]) for z in (x, y)]  # after CCC, CCD, CDC, …
    third = jnp.full(9, 50.0)
    want = shaping.shaping_return(two, x, y, **SETTINGS)
    np.testing.assert_allclose(shaping.shaping_return(three, *spread, third, **SETTINGS), want, rtol=1e-12)
    rule = rules.lola_with_look_ahead(2.0)
    pair = play.direction(two, rule, x, y, discount=0.9)
    met = play.direction(three, rule, *spread, third, discount=0.9)[np.array([0, 1, 3, 5, 7])]
    np.testing.assert_allclose(met, pair, rtol=1e-10, atol=1e-14)


def lola_of_three(game, logits, step, looking_ahead):
    """Player 1's direction of Foerster et al. 2018 among n players, from second derivatives of every return."""
    direction = slope(game, logits, 0, 0)
    for j in (1, 2):
        wish, climb = slope(game, logits, 0, j), slope(game, logits, j, j)

        def mixed(of, j=j):
            return jax.jacobian(lambda y: slope(game, [*logits[:j], y, *logits[j + 1 :]], of, 0))(logits[j])

        direction = direction + step * mixed(j) @ wish
        if looking_ahead:
            direction = direction + step * mixed(0) @ climb
    return direction


@pytest.mark.parametrize("ahead", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_lola_among_three_turns_each_of_the_others(ahead):
    rule = rules.lola_with_look_ahead(2.0) if ahead else rules.lola_as_published(2.0)
    logits = logits_of(5)
    got = play.direction(UNEVEN, rule, *logits, discount=0.9)
    np.testing.assert_allclose(got, lola_of_three(UNEVEN, logits, 2.0, ahead), rtol=1e-9, atol=1e-12)


def test_coala_among_three_ascends_the_shaping_return_through_all_steps():
    logits = logits_of(6)
    got = play.direction(UNEVEN, rules.coala(2, 3.0), *logits, discount=0.9)
    want = jax.grad(lambda x: shaping.shaping_return(UNEVEN, x, *logits[1:], **SETTINGS))(logits[0])
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_three_naive_learners_follow_their_own_slopes():
    logits, sgd = logits_of(7), optax.sgd(2.0)
    out = play.learn(
        UNEVEN, (rules.naive(),) * 3, *logits, discount=0.9, optimizers=(sgd,) * 3, steps=2, every=(1, 1, 2)
    )
    for t in range(2):
        slopes = [slope(UNEVEN, logits, i, i) for i in range(3)]
        logits = [x + 2.0 * d * float(i < 2 or t == 0) for i, (x, d) in enumerate(zip(logits, slopes, strict=True))]
    np.testing.assert_allclose(out.logits, jnp.stack(logits), rtol=1e-10)
    np.testing.assert_allclose(out.returns[-1], earned(UNEVEN, *logits), rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("n", [4, 5])
def test_among_four_and_five_each_climbs_its_own_return(n):
    game, logits = ipd.games.public_goods(n, 2.0), logits_of(n, n, 1 + 2**n)
    got = play.direction(game, rules.naive(), *logits, discount=0.9)
    np.testing.assert_allclose(got, slope(game, logits, 0, 0), rtol=1e-9, atol=1e-14)
    settings = {"discount": 0.9, "learning_rate": 3.0, "num_inner_episodes": 1}
    after = [logits[0], *(logits[j] + 3.0 * slope(game, logits, j, j) for j in range(1, n))]
    want = (earned(game, *logits)[0] + earned(game, *after)[0]) / 2
    np.testing.assert_allclose(shaping.shaping_return(game, *logits, **settings), want, rtol=1e-12)


def test_rules_for_two_and_wrong_numbers_of_players_are_refused():
    logits, sgd = logits_of(8), (optax.sgd(1.0),) * 3
    with pytest.raises(ValueError, match=r"rules\[1\] must be a rule for more than two players.*sos"):
        play.learn(GAME, (rules.naive(), rules.sos(1.0), rules.naive()), *logits, discount=0.9, optimizers=sgd, steps=1)
    with pytest.raises(ValueError, match="more_logits must be 1, for there are 3 players; got 0"):
        play.direction(GAME, rules.naive(), *logits[:2], discount=0.9)
    with pytest.raises(ValueError, match="more_learners must be 1, for the game has 3 players; got 0"):
        shaping.shaping_return(GAME, *logits[:2], **SETTINGS)
    with pytest.raises(ValueError, match=r"more_learners\[0\] has shape \(5,\)"):
        shaping.shaping_return(GAME, *logits[:2], jnp.zeros(5), **SETTINGS)
    with pytest.raises(TypeError, match="view must be of a game for two"):
        groups.group_game(GAME, 0.9, np.dtype(float)).seats()[1].swapped().swapped()
    with pytest.raises(ValueError, match="num_agents must be 3 or more"):
        pools.Pool(0.5, game=GAME)
    for bad in ({"game": UNEVEN}, {"game": GAME, "roles": True}):
        with pytest.raises(ValueError, match="game must be for two players, or else symmetric and without roles"):
            pools.Pool(0.5, num_agents=3, **bad)


SHORTER = {"inner_episodes": jnp.asarray(1), "shaping_weight": jnp.asarray(0.25), "tremble": jnp.asarray(0.05)}


@pytest.mark.parametrize("self_play", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_pool_of_pairs_is_a_pool_of_groups_of_two(self_play):
    pool = pools.Pool(
        0.4, discount=0.9, num_inner_episodes=2, num_learners=2, num_agents=3, self_play=self_play, **SHORTER
    )
    logits = jax.random.normal(jax.random.key(0), (3, 5))
    learners, settings = (
        pools.draw_learners(pool, jax.random.key(1)),
        pools._with_learners(pool, logits, jnp.asarray(0.1)),
    )
    weight = pool.shaping_weight[..., None, None]

    def in_pairs(x):
        return pools._terms(pool, x, logits, learners, jnp.asarray(0.1))

    def in_groups(x):
        seated = (x, logits, learners[..., None, :], self_play, weight, settings | {"logits": x[..., None, :]})
        return [encounters.group_return(k, *seated) for k in (0, 1)]

    for one, two in zip(in_pairs(logits), in_groups(logits), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-12)
    one, two = (jax.jacobian(lambda x, f=f: jnp.stack(f(x)).sum(-1))(logits) for f in (in_pairs, in_groups))
    np.testing.assert_allclose(two, one, rtol=1e-10, atol=1e-13)


def test_seats_are_naive_learners_with_the_probability_p_naive():
    """The objective of agent 1 of four, group by group and with the returns that `shaping_return` gives."""
    pool = pools.Pool(
        0.3, discount=0.9, learning_rate=3.0, num_inner_episodes=2, num_learners=1, num_agents=4, game=GAME
    )
    logits = jax.random.normal(jax.random.key(2), (4, 9))
    learners = pools.draw_learners(pool, jax.random.key(3))
    assert learners.shape == (4, 1, 2, 9)
    ego, (first, second) = logits[1], learners[1, 0]
    others = [logits[j] for j in (0, 2, 3)]
    alone = shaping.shaping_return(GAME, ego, first, second, **SETTINGS)
    agents = np.mean([earned(GAME, ego, *pair)[0] for pair in itertools.combinations(others, 2)])

    def beside(other):
        """With one other agent, who stands still, and one learner in the third seat."""
        returns, y = [], first
        for _ in range(3):
            returns.append(earned(GAME, ego, other, y)[0])
            y = y + 3.0 * slope(GAME, [ego, other, y], 2, 2)
        return np.mean(returns)

    want = 0.3**2 * alone + 2 * 0.3 * 0.7 * np.mean([beside(x) for x in others]) + 0.7**2 * agents
    got = pools.objective(pool, jnp.asarray(0.1), logits, logits, learners)[1]
    np.testing.assert_allclose(got, want, rtol=1e-10)
    judged = pools.evaluate(pool, logits, jax.random.key(4))
    np.testing.assert_allclose(judged.among_meta[1], agents, rtol=1e-10)
    np.testing.assert_allclose(judged.self_play[1], earned(GAME, ego, ego, ego)[0], rtol=1e-10)
    path = pools.naive_path(pool, logits, learners)
    np.testing.assert_allclose(path[..., 0].mean((0, 2))[1], alone, rtol=1e-10)
    np.testing.assert_allclose(path[0, 1, 0], earned(GAME, ego, first, second), rtol=1e-10)


def test_a_pool_of_three_learns_to_earn_more_from_naive_learners():
    settings = {"num_inner_episodes": 3, "num_learners": 2, "num_agents": 1, "self_play": True, "game": GAME}
    pool = pools.Pool(1.0, discount=0.9, optimizer=optax.sgd(5.0), **settings)
    state = pools.init(pool, jax.random.key(0))
    end, history = pools.train(pool, state, 60, 60)
    assert history.logits.shape == (2, 1, 9)
    judge = dataclasses.replace(pool, num_learners=16)
    judged = [float(pools.evaluate(judge, x.logits, jax.random.key(1)).against_naive[0]) for x in (state, end)]
    assert judged[0] + 0.02 < judged[1]


def test_memory_one_in_columns_and_in_tables_walk_the_same_path():
    """Both layouts of one loop, where M differs over the pairs and actions tremble."""
    x, y = jax.random.normal(jax.random.key(10), (2, 4, 5))
    payoffs, delta, rate = ipd.games.axelrod().outcome_payoffs, jnp.asarray(0.1), jnp.asarray(2.0)
    settings = {"steps_taken": jnp.array([0, 1, 3, 2]), "tremble": jnp.asarray(0.1)}
    columns = naive_path.naive_path_returns(x, y, payoffs, delta, rate, 3, **settings)
    tables = naive_path.group_path_returns((x,), (y,), payoffs, delta, rate, 3, **settings)
    np.testing.assert_allclose(tables, columns, rtol=1e-12)
    assert (columns[1:, 0] == columns[:1, 0]).all()
