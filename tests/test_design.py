"""The best weight and the best baseline: nothing near them is better, and sampled errors are those foretold."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.cells import cell_len
from scipy import optimize, stats

from ipd_theory import cli, games
from ipd_theory.sampling import claims, design, enumeration, estimators, learners, trials
from ipd_theory.sampling.shaping_pomdp import estimates, play

EGO = jnp.array([[0.4, 1.0, -0.5, 0.3, -0.8]])


def small(shape=(2, 2, 2), remember=False, ego=EGO, game=None):
    game = games.axelrod() if game is None else game
    one = trials.trial("small", game, learners.reinforce(0.5), shape, ego_logits=ego, remember_across_episodes=remember)
    return one, enumeration.enumerate_meta_episodes(one.pomdp)


CASES = {
    "2 2 2": small(),
    "memory": small((2, 2, 1), True, jnp.concatenate([EGO, -EGO])),
    "one trajectory": small((1, 3, 1), True),
    "one episode": small((2, 1, 2)),
    "one step": small((3, 2, 1), game=games.chicken()),
}


@pytest.fixture(params=CASES, name="case")
def _case(request):
    return CASES[request.param]


def error_by_hand(everything, ego, weights, n):
    """‖mean − ∇J̄‖² + tr Cov / n from the moments of the whole estimate."""
    mean, covariance = enumeration.moments(everything, ego, weights)
    truth = enumeration.true_gradient(everything, ego).total
    return float(((mean - truth) ** 2).sum() + jnp.trace(covariance) / n)


@pytest.mark.parametrize("n", [1, 30])
def test_errors_are_those_of_the_whole_estimate(case, n):
    problem, everything = case
    moments = design.term_moments(everything, problem.ego_logits)
    for weight in (0.0, 0.3, 1.0, float(moments.best_weight(n))):
        w = design.with_weight(weight)(everything.episodes.ego.rewards)
        expected = error_by_hand(everything, problem.ego_logits, w, n)
        np.testing.assert_allclose(moments.mean_squared_error(weight, n), expected, rtol=1e-9)
    truth = enumeration.true_gradient(everything, problem.ego_logits)
    np.testing.assert_allclose(moments.current, truth.current, atol=1e-12)
    np.testing.assert_allclose(moments.shaping, truth.shaping, atol=1e-12)


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_a_search_finds_no_better_weight(case, n):
    problem, everything = case
    moments = design.term_moments(everything, problem.ego_logits)
    found = optimize.minimize_scalar(lambda a: float(moments.mean_squared_error(a, n)), (-1.0, 2.0), tol=1e-12)
    best = float(moments.best_weight(n))
    if problem.pomdp.num_inner_episodes == 1:
        assert best == 1.0
    else:
        assert best == pytest.approx(found.x, abs=1e-6)
        assert moments.mean_squared_error(best, n) < moments.mean_squared_error(1.0, n)


def test_the_best_weight_tends_to_one():
    problem, everything = CASES["2 2 2"]
    moments = design.term_moments(everything, problem.ego_logits)
    gaps = [abs(1 - float(moments.best_weight(10**k))) for k in (0, 3, 6, 9)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-4


@pytest.mark.parametrize("estimator", [estimators.coala_pg, estimators.m_fos], ids=lambda e: e.name)
def test_no_other_baseline_has_less_variance(case, estimator):
    problem, everything = case
    seen = trials.ego_play(problem, everything.episodes)

    def spread(baseline):
        w = design.with_baseline(estimator, baseline).on(seen)
        mean, covariance = enumeration.moments(everything, problem.ego_logits, w)
        return mean, jnp.trace(covariance)

    weights = estimator.on(seen)
    best = design.best_baseline(everything, problem.ego_logits, weights)
    slope = jax.grad(lambda b: spread(b)[1])(best)
    plain = enumeration.moments(everything, problem.ego_logits, weights)
    np.testing.assert_allclose(slope, 0, atol=1e-9 * float(jnp.trace(plain.covariance)))
    mean, variance = spread(best)
    np.testing.assert_allclose(mean, plain.mean, atol=1e-11)  # no bias
    assert variance < jnp.trace(plain.covariance)
    for seed in range(5):
        other = best + 0.3 * jax.random.normal(jax.random.key(seed), best.shape)
        assert spread(other)[1] > variance


@pytest.mark.parametrize("n", [1, 100])
def test_weight_and_baseline_are_the_best_together(case, n):
    """The error's slope in both vanishes there; it is convex in them."""
    problem, everything = case
    ego, rewards = problem.ego_logits, everything.episodes.ego.rewards
    truth, contexts = enumeration.true_gradient(everything, ego).total, everything.episodes.ego.contexts
    now = enumeration.current_part(estimators.coala_pg)(rewards)
    later = estimators.coala_pg(rewards) - now

    def error(weight, baseline):
        M, T, _ = baseline.shape
        w = now + weight * later - baseline[jnp.arange(M)[:, None], jnp.arange(T), contexts]
        mean, covariance = enumeration.moments(everything, ego, w)
        return ((mean - truth) ** 2).sum() + jnp.trace(covariance) / n

    terms = design.term_moments(everything, ego, less_baselines=True)
    weight = terms.best_weight(n)
    baseline = design.best_baseline(everything, ego, now + weight * later)
    value, slopes = jax.value_and_grad(error, (0, 1))(weight, baseline)
    np.testing.assert_allclose(terms.mean_squared_error(weight, n), value, rtol=1e-9)
    for slope in slopes:
        np.testing.assert_allclose(slope, 0, atol=1e-9 * float(value))


def test_the_table_says_what_the_moments_say():
    problem, everything = CASES["2 2 2"]
    found = design.designed(problem, (1, 50))
    weights = estimators.m_fos(everything.episodes.ego.rewards) / 2
    truth = float(jnp.linalg.norm(enumeration.true_gradient(everything, EGO).total))
    covariance = enumeration.moments(everything, EGO, weights).covariance
    assert found.noise["M-FOS"] == pytest.approx(float(jnp.trace(covariance)) ** 0.5 / truth)
    less = design.with_baseline(
        estimators.coala_pg, design.best_baseline(everything, EGO, estimators.coala_pg(everything.episodes.ego.rewards))
    ).on(trials.ego_play(problem, everything.episodes))
    wanted = [error_by_hand(everything, EGO, less, n) ** 0.5 / truth for n in (1, 50)]
    np.testing.assert_allclose(found.errors["COALA-PG"], wanted, rtol=1e-9)
    assert (found.best_error < found.errors["COALA-PG"]).all()
    with pytest.raises(ValueError, match="gradient zero"):
        design.designed(small(game=games.symmetric_game(0.0, 0.0, 0.0, 0.0))[0])


def test_contexts_that_never_come_have_no_baseline():
    problem, everything = CASES["2 2 2"]
    weights = estimators.coala_pg(everything.episodes.ego.rewards)
    best = design.best_baseline(everything, problem.ego_logits, weights)
    assert (best[:, 0, 1:] == 0).all()  # an inner episode begins with the empty history
    assert (best[:, 1, 0] == 0).all()
    assert (best[:, 0, 0] != 0).all()


def test_sampled_errors_are_those_foretold():
    """Mean squared errors of 2,000 estimates over n = 10 meta-episodes, at a false-alarm rate of 1e-4 each."""
    problem, everything = CASES["2 2 2"]
    moments, n, repeats = design.term_moments(everything, problem.ego_logits), 10, 2000
    truth = enumeration.true_gradient(everything, problem.ego_logits).total
    played = play(jax.random.key(0), problem.pomdp, problem.ego_logits, n * repeats)
    limit = stats.norm.isf(0.5e-4)
    errors = {}
    for weight in (1.0, float(moments.best_weight(n))):
        g = estimates(played, problem.ego_logits, design.with_weight(weight)(played.ego.rewards))
        squared = ((g.reshape(repeats, n, -1).mean(1) - truth) ** 2).sum(-1)
        errors[weight] = float(squared.mean())
        deviation = (errors[weight] - float(moments.mean_squared_error(weight, n))) * repeats**0.5 / squared.std()
        assert abs(deviation) < limit
    assert min(errors, key=errors.__getitem__) != 1.0


def test_designed_estimators_hold_to_their_claims():
    problem, everything = CASES["memory"]
    weights = estimators.coala_pg(everything.episodes.ego.rewards)
    baseline = design.best_baseline(everything, problem.ego_logits, weights)
    held = [design.with_baseline(estimators.coala_pg, baseline), design.with_weight(0.25)]
    verdicts = claims.verify(held, [problem], 20_000, jax.random.key(1))
    assert [v.reason for v in verdicts] == ["", ""]
    assert verdicts[0].bias < 1e-12
    assert verdicts[1].bias > 0.01


@pytest.mark.parametrize("name", ["weight", "num_meta_episodes"])
def test_bad_arguments_are_named(name):
    moments = design.term_moments(CASES["one step"][1], EGO)
    with pytest.raises(ValueError, match=name):
        moments.mean_squared_error(**({"weight": 1.0} | {name: float("nan") if name == "weight" else 0}))


def test_the_command_prints_it(capsys):
    cli.main(["verify", "--design", "--game", "axelrod", "--length", "1", "--json"])
    [one] = json.loads(capsys.readouterr().out)["designs"]
    assert one["num_meta_episodes"][0] == 1
    assert one["best_error"][0] < one["errors"]["COALA-PG"][0]
    cli.main(["verify", "--design", "--game", "axelrod", "--length", "1"])
    assert max(map(cell_len, capsys.readouterr().out.splitlines())) <= 80
