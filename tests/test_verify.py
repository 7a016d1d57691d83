"""`ipd-theory verify`: right estimators pass, every mutant of them fails, by enumeration and by sampling."""

import dataclasses
import itertools
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ipd_theory.sampling import claims, enumeration, estimators
from ipd_theory.sampling.estimators import ESTIMATORS, Estimator, _batch_mean, _current, _future

N = 400_000


def _shifted(rewards):
    """Own rewards to the end of the inner episode and one step beyond it, and those after that step."""
    first_of_next = rewards * 0
    first_of_next = jnp.concatenate([rewards[..., 1:, :1] + 0 * rewards[..., 1:, :], first_of_next[..., -1:, :]], -2)
    return _current(rewards) + first_of_next, _future(rewards) - first_of_next


def _batch_size(rewards):
    return rewards.shape[-3]


def shifted_coala(r):
    now, later = _shifted(r)
    return now / _batch_size(r) + _batch_mean(later)


def shifted_m_fos(r):
    now, later = _shifted(r)
    return now + _batch_mean(later)


COALA, FULL, UNAWARE, M_FOS = ESTIMATORS
MUTANTS = {
    "COALA-PG without 1/B now": (COALA, lambda r: _current(r) + _batch_mean(_future(r))),
    "COALA-PG without 1/B later": (
        COALA,
        lambda r: _current(r) / _batch_size(r) + _batch_size(r) * _batch_mean(_future(r)),
    ),
    "COALA-PG, boundary one step late": (COALA, shifted_coala),
    "COALA-PG cut at inner dones": (COALA, lambda r: _current(r) / _batch_size(r)),
    "COALA-PG averaged over the batch": (COALA, lambda r: estimators.coala_pg(r) / _batch_size(r)),
    "full without 1/B": (FULL, lambda r: _batch_size(r) * estimators.full(r)),
    "full from the next step on": (FULL, lambda r: estimators.full(r) - _batch_mean(r)),
    "full cut at inner dones": (FULL, lambda r: _batch_mean(_current(r))),
    "full averaged over the batch": (FULL, lambda r: estimators.full(r) / _batch_size(r)),
    "batch-unaware without 1/B": (UNAWARE, lambda r: _batch_size(r) * estimators.batch_unaware(r)),
    "batch-unaware from the next step on": (UNAWARE, lambda r: estimators.batch_unaware(r) - r / _batch_size(r)),
    "batch-unaware cut at inner dones": (UNAWARE, lambda r: _current(r) / _batch_size(r)),
    "batch-unaware averaged over the batch": (UNAWARE, lambda r: estimators.batch_unaware(r) / _batch_size(r)),
    "M-FOS without 1/B": (M_FOS, lambda r: _current(r) + _batch_size(r) * _batch_mean(_future(r))),
    "M-FOS cut at inner dones": (M_FOS, _current),
    "M-FOS averaged over the batch": (M_FOS, lambda r: estimators.m_fos(r) / _batch_size(r)),
}


@pytest.fixture(scope="module", name="tried")
def _tried():
    """Without and with memory across inner episodes."""
    return list(itertools.islice(claims.trials(), 2))


@pytest.fixture(scope="module", name="problem")
def _problem(tried):
    return tried[0]


@pytest.fixture(scope="module", name="verdicts")
def _verdicts(tried):
    """All mutants, and the originals, on the same play."""
    claims = [*ESTIMATORS, *(dataclasses.replace(claim, label=name, weights=w) for name, (claim, w) in MUTANTS.items())]
    verdicts = claims.verify(claims, tried, N, jax.random.key(0))
    return {(v.estimator, v.problem): v for v in verdicts}


@pytest.fixture(scope="module", name="listed")
def _listed(tried):
    return [enumeration.enumerate_meta_episodes(problem.pomdp) for problem in tried]


@pytest.mark.parametrize("claim", ESTIMATORS, ids=lambda c: c.name)
def test_right_estimators_pass(claim, tried, verdicts):
    for problem in tried:
        verdict = verdicts[claim.label, problem.name]
        assert verdict.exact_holds is not False
        assert verdict.sampled_holds is not False
        assert (verdict.exact_holds is None) == (claim is UNAWARE and problem.pomdp.remember_across_episodes)


@pytest.mark.parametrize("name", MUTANTS)
def test_enumeration_catches_every_mutant(name, tried, verdicts):
    errors = [verdicts[name, p.name].error for p in tried if verdicts[name, p.name].exact_holds is False]
    assert errors
    assert max(errors) > 1e-4


def power(claim, problem, everything, num_meta_episodes, z_limit):
    """The chance that sampling rejects a claim, from the exact mean and variance of the estimator."""
    pomdp, logits = problem.pomdp, problem.ego_logits
    exact = enumeration.moments(everything, logits, claim(everything.episodes.ego.rewards))
    truth = enumeration.true_gradient(everything, logits)
    off = np.abs(exact.mean - claim.claim.mean(truth.current, truth.shaping, pomdp.batch_size))
    standard_error = np.maximum(np.sqrt(np.diag(exact.covariance) / num_meta_episodes), 1e-12)
    return stats.norm.sf(z_limit - (off / standard_error).max())


@pytest.mark.parametrize("name", MUTANTS)
def test_sampling_catches_every_mutant_at_the_stated_power(name, tried, listed, verdicts):
    """Where the claim applies, the power is computed beforehand: 99 % somewhere, and there the run must reject."""
    claim, weights = MUTANTS[name]
    powers = []
    for problem, everything in zip(tried, listed, strict=True):
        verdict = verdicts[name, problem.name]
        if verdict.claim != "none":
            powers.append(power(dataclasses.replace(claim, weights=weights), problem, everything, N, verdict.z_limit))
            assert not verdict.sampled_holds or powers[-1] < claims.POWER
    assert max(powers) >= claims.POWER


def test_a_late_boundary_leaves_the_mean_of_m_fos_alone_without_memory(tried, listed):
    """Own or mean rewards of the next episode have the same mean then; with memory the mutant is wrong, and caught."""
    claim, num_meta_episodes = dataclasses.replace(M_FOS, weights=shifted_m_fos), 700_000
    [harmless] = claims.verify([claim], tried[:1], 20_000, jax.random.key(1))
    assert harmless.exact_holds
    [wrong] = claims.verify([claim], tried[1:], num_meta_episodes, jax.random.key(1))
    assert wrong.exact_holds is False
    assert power(claim, tried[1], listed[1], num_meta_episodes, wrong.z_limit) >= claims.POWER
    assert wrong.sampled_holds is False


def test_numbers_in_a_verdict_are_what_they_say(problem, verdicts):
    v = verdicts["batch-unaware", problem.name]
    everything = enumeration.enumerate_meta_episodes(problem.pomdp)
    truth = enumeration.true_gradient(everything, problem.ego_logits)
    exact = enumeration.moments(
        problem.pomdp, everything, problem.ego_logits, estimators.batch_unaware(everything.episodes.ego.rewards)
    )
    half = np.linalg.norm(truth.shaping) / 2  # B = 2: half of the shaping gradient is missing, half of it is there
    np.testing.assert_allclose(v.bias, half / np.linalg.norm(truth.total), rtol=1e-9)
    sd = np.sqrt(np.trace(exact.covariance))
    np.testing.assert_allclose(v.shaping_to_noise, half / sd, rtol=1e-9)
    np.testing.assert_allclose(v.noise, sd / np.linalg.norm(exact.mean), rtol=1e-9)


def test_sampling_rejects_a_true_claim_as_seldom_as_stated(problem):
    """Repeated with α = 5 % for one estimator of 5 components: rejections are binomial with at most that rate."""
    limit, runs = stats.norm.isf(0.05 / 10), 100
    exact = enumeration.enumerate_meta_episodes(problem.pomdp)
    truth = np.asarray(enumeration.true_gradient(exact, problem.ego_logits).total)
    rejected = 0
    for key in jax.random.split(jax.random.key(5), runs):
        [(mean, error)] = claims.sample(key, problem, [estimators.coala_pg], 4000)
        rejected += np.abs((mean - truth) / error).max() > limit
    assert stats.binom.sf(rejected - 1, runs, 0.05) > 1e-4  # false-alarm rate of this test


def test_fractions_tell_the_estimators_apart():
    found = {claim.label: claims.exactly_unbiased(claim) for claim in ESTIMATORS}
    assert found == {"COALA-PG": True, "full": True, "batch-unaware": False, "M-FOS": False}


def run(*arguments):
    command = [sys.executable, "-c", "from ipd_theory.cli import main; main()", "verify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_fails_a_wrong_estimator_and_reports_it(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "def mine(rewards):\n"
        "    now = rewards[..., ::-1].cumsum(-1)[..., ::-1]\n"
        "    return now / rewards.shape[-3]\n"
        "def favours_the_first(rewards):\n"
        "    import jax.numpy as jnp\n"
        "    from ipd_theory.sampling import estimators\n"
        "    first = (jnp.arange(rewards.shape[-3]) == 0)[:, None, None]\n"
        "    return estimators.coala_pg(rewards) + jnp.where(first, rewards, -rewards)\n"
    )
    done = run("--estimator", f"{mine}:mine", "--json", "--meta-episodes", "20000")
    assert done.returncode == 1, done.stderr
    out = json.loads(done.stdout)
    assert not out["holds"]
    assert not any(v["exact_holds"] for v in out["verdicts"])
    assert out["equal_in_fractions"] == {f"{mine}:mine": False}
    assert "a claim fails" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--estimator", "nowhere.py:f"], "there is no file 'nowhere.py'"),
        (["--estimator", f"{__file__}:nothing"], "defines no function 'nothing'"),
        (["--meta-episodes", "10"], "must be 1000 or more"),
    ],
)
def test_bad_arguments_end_with_one_line(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert not done.stdout


def test_an_estimator_of_another_shape_is_named(problem):
    claim = Estimator("flat", lambda r: r.sum(-1))
    with pytest.raises(ValueError, match="flat returns float64"):
        claims.verify([claim], [problem], 1000, jax.random.key(0))


def test_an_estimator_that_prefers_a_trajectory_is_still_judged_exactly(problem):
    """Unequal shares are unbiased in the mean of the batch; multisets would misjudge them."""

    def leaning(rewards):
        lean = 0.5 * jnp.cos(jnp.pi * jnp.arange(2.0))[:, None, None]
        return estimators.coala_pg(rewards) + lean * _future(rewards).mean(-3, keepdims=True)

    assert not claims.treats_trajectories_alike(leaning, problem.pomdp.shape)
    [verdict] = claims.verify([Estimator("leaning", leaning)], [problem], 20_000, jax.random.key(0))
    assert verdict.exact_holds
    assert verdict.sampled_holds
