"""The fitted meta-value against cases known in closed form, and the published table it explains."""

import zlib
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import meta_value, rules
from ipd_theory.learning.meta_value import FitSettings, MetaValueNetwork
from ipd_theory.learning.play import direction, learn
from paper_figures.published import of_learned

GAME = ipd.prisoners_dilemma(R=-1.0, S=-3.0, T=0.0, P=-2.0)
SMALL = FitSettings(rounds=1, steps=4, stride=2, pairs=8, width=8, quantiles=3)


def test_lambda_targets_are_the_mixture_of_n_step_returns(rng):
    """(1 − λ) Σ_n λ^{n−1} G_n + λ^{N−1} G_N, G_n the n-step return with rewards (1 − γ)r."""
    T, gamma, lam = 5, np.array([0.3, 0.9]), 0.7
    r, v = rng.normal(size=(T, 2)), rng.normal(size=(T, 2, 4))
    got = meta_value.lambda_targets(*map(jnp.asarray, (r, v, gamma)), lam)
    for t in range(T):
        n_steps = []
        for n in range(1, T - t + 1):
            powers = gamma ** np.arange(n)[:, None]
            n_steps.append(((1 - gamma) * (powers * r[t : t + n]).sum(0))[:, None] + gamma[:, None] ** n * v[t + n - 1])
        weights = [(1 - lam) * lam**n for n in range(T - t - 1)] + [lam ** (T - t - 1)]
        np.testing.assert_allclose(got[t], sum(w * g for w, g in zip(weights, n_steps, strict=True)), rtol=1e-12)


def test_quantile_loss_is_the_double_sum(rng):
    predicted, target = (rng.normal(size=6).astype(np.float32) * 2 for _ in range(2))
    want = 0.0
    for i, q in enumerate(predicted):
        for x in target:
            u = abs(x - q)
            want += abs((i + 0.5) / 6 - (x < q)) * (u * u / 2 if u <= 1 else u - 0.5) / 6
    np.testing.assert_allclose(meta_value.quantile_loss(jnp.asarray(predicted), jnp.asarray(target)), want, rtol=1e-5)


def test_players_of_one_kind_are_exchangeable_and_others_told_apart():
    x = jax.random.normal(jax.random.key(0), (2, 5), np.float32)
    g = jnp.array([0.3, 0.8], np.float32)
    alike, apart = (MetaValueNetwork(SMALL, told_apart, jax.random.key(1)) for told_apart in (False, True))
    np.testing.assert_allclose(alike(x[::-1], g[::-1]), alike(x, g)[::-1], rtol=1e-5)
    np.testing.assert_allclose(alike(x, g), apart(x, g), rtol=1e-5)
    assert alike.role is None
    assert apart.role is not None


def test_where_nobody_moves_the_meta_value_is_the_return():
    """With a step of 0 every later pair of policies is the present one: V = J, whatever the discount."""
    settings = FitSettings(
        learning_rate=0.0,
        rounds=200,
        steps=8,
        stride=2,
        pairs=64,
        width=32,
        quantiles=4,
        network_rate=5e-3,
        target_rate=0.05,
    )
    network, losses = meta_value.fit_meta_value(
        GAME, rules.still(), discount=0.96, key=jax.random.key(2), settings=settings
    )
    assert losses[-10:].mean() < losses[:10].mean() / 5
    logits = jax.random.normal(jax.random.key(3), (256, 2, 5), np.float32)
    policies = jax.nn.sigmoid(logits)
    returns = ipd.expected_returns(GAME, policies[:, 0], policies[:, 1], discount=0.96)
    discounts = jax.random.uniform(jax.random.key(4), (256, 2), np.float32)
    error = jax.vmap(network)(logits, discounts).mean(-1) - returns
    assert jnp.sqrt((error**2).mean()) < 0.5 * returns.std()


@pytest.mark.parametrize("player", [0, 1])
def test_the_rule_ascends_foresight(player):
    x, y = jax.random.normal(jax.random.key(5), (2, 5))
    network = MetaValueNetwork(SMALL, True, jax.random.key(6))
    value = jax.jit(lambda pair: network(pair, jnp.full(2, 0.9, np.float32)))
    game = GAME if player == 0 else ipd.MatrixGame(jnp.swapaxes(GAME.payoffs[::-1], -1, -2))
    got = direction(game, meta_value.fitted_meta_value(network, 0.9, player), x, y, discount=0.96)

    def worth(x):
        pair = jnp.stack([x, y] if player == 0 else [y, x]).astype(np.float32)
        mine = ipd.expected_returns(game, *map(jax.nn.sigmoid, (x, y)), discount=0.96)[0]
        return 0.1 * mine + 0.9 * value(pair)[player].mean().astype(float)

    numeric = [(worth(x + e) - worth(x - e)) / 0.02 for e in 0.01 * jnp.eye(5)]
    np.testing.assert_allclose(got, numeric, atol=2e-3 * np.abs(numeric).max())


@pytest.mark.parametrize("change", [{"steps": 5}, {"rounds": 0}, {"width": 0}])
def test_bad_settings_are_one_clear_error(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        FitSettings(**{"steps": 4, "stride": 2, **change})


@pytest.mark.slow
def test_table_of_meta_value_learning():
    """Published, 10 networks of 1000 rounds: −0.551 and −1.999 against naive; ours after 150 of those rounds.

    A network differs from the next: the bound is 0.1 on either payoff, a fifth of what the exact rule is off by.
    """
    mine, naive = of_learned.meta_value_against_naive()
    np.testing.assert_allclose((mine.value, naive.value), (-0.551, -1.999), atol=0.1)


def fitted(cache, who, opponent, seed):
    """Return a network of full length; an interrupted test goes on with those that the same code left in the cache."""
    key = jax.random.key(seed)
    code = zlib.crc32(Path(meta_value.__file__).read_bytes())
    path = cache.mkdir("meta_value") / f"{who}-{seed}-{code:08x}.eqx"
    if not path.exists():
        network, _ = meta_value.fit_meta_value(GAME, opponent, discount=0.96, key=key)
        partial = path.with_suffix(".partial")
        eqx.tree_serialise_leaves(partial, network)
        partial.replace(path)
    return eqx.tree_deserialise_leaves(path, MetaValueNetwork(FitSettings(), opponent is not None, key))


def at_the_end(first, second):
    sgd = optax.sgd(25.0)
    logits = jax.random.normal(jax.random.key(77), (2, 128, 5))
    out = learn(GAME, (first, second), *logits, discount=0.96, optimizers=(sgd, sgd), steps=300)
    assert out.problems() == []
    return np.asarray(out.returns)[:, -1].mean(0)


@pytest.mark.slow
@pytest.mark.hours
def test_self_play_of_networks_of_full_length(pytestconfig):
    """Published −1.052, ten networks and pairs of them; ours over all pairs of three (24 minutes each on one core).

    Ours earn −1.070 ± 0.06, the error by leaving out one network at a time: they differ much more than matches do.
    A difference beyond 3.5 errors fails; so does a spread that would let everything agree.
    """
    seeds = range(3)
    players = [meta_value.fitted_meta_value(fitted(pytestconfig.cache, "self", None, s), 0.95) for s in seeds]
    earned = np.zeros((3, 3))
    for i in seeds:
        for j in range(i, 3):
            earned[i, j] = earned[j, i] = at_the_end(players[i], players[j]).mean()
    ours = of_learned.over_pairs(earned, with_itself=True)
    print(earned.round(4), ours)
    assert ours.error < 0.1
    assert abs(ours.value + 1.052) < 3.5 * ours.error
