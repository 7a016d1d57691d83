"""`ipd-theory verify`: right estimators pass, every mutant of them fails, by enumeration and by sampling."""

import dataclasses
import itertools
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console
from scipy import stats

from ipd_theory.commands import console
from ipd_theory.commands import verify as command
from ipd_theory.sampling import claims, enumeration, estimators, trials
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
    return list(itertools.islice(trials.trials(), 2))


@pytest.fixture(scope="module", name="problem")
def _problem(tried):
    return tried[0]


@pytest.fixture(scope="module", name="verdicts")
def _verdicts(tried):
    """All mutants, and the originals, on the same play."""
    held = [*ESTIMATORS, *(dataclasses.replace(claim, label=name, weights=w) for name, (claim, w) in MUTANTS.items())]
    verdicts = claims.verify(held, tried, N, jax.random.key(0))
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


def test_numbers_in_a_verdict_are_what_they_say(problem, verdicts, tried):
    v = verdicts["batch-unaware", problem.name]
    components = len(verdicts) // len(tried) * sum(p.ego_logits.size for p in tried)
    assert v.z_limit == pytest.approx(stats.norm.isf(1e-3 / (2 * components)))  # one in a thousand for all together
    everything = enumeration.enumerate_meta_episodes(problem.pomdp)
    truth = enumeration.true_gradient(everything, problem.ego_logits)
    weights = estimators.batch_unaware(everything.episodes.ego.rewards)
    exact = enumeration.moments(everything, problem.ego_logits, weights)
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
    found = {claim.label: claims.unbiased_in_fractions(claim) for claim in ESTIMATORS}
    assert found == {"COALA-PG": True, "full": True, "batch-unaware": False, "M-FOS": False}


MINE = """
from ipd_theory.sampling.estimators import Claim, Estimator, advantages, coala_pg

def cut(rewards):
    now = rewards[..., ::-1].cumsum(-1)[..., ::-1]
    return now / rewards.shape[-3]

present = Estimator("present", cut, Claim("g_cur", lambda current, shaping, B: current))
critic = Estimator("critic", lambda seen: advantages(seen.rewards, seen.values, coala_pg), sees_all=True)
number = 3
"""


@pytest.fixture(scope="module", name="mine")
def _mine(tmp_path_factory):
    file = tmp_path_factory.mktemp("mine") / "mine.py"
    file.write_text(MINE)
    return file


def test_a_function_is_held_to_being_unbiased_and_a_record_to_what_it_claims(mine, capsys):
    """The same weights fail as one and stand as the other; both on a problem of one's own."""
    own = {"game": "chicken", "batch": 3, "length": 1, "ego": ("0.9,0.8,0.3,0.6,0.2",), "meta_episodes": 1000}
    with pytest.raises(SystemExit, match="1"):
        command.verify(estimator=(f"{mine}:cut", f"{mine}:present", f"{mine}:critic"), json=True, **own)
    out = json.loads(capsys.readouterr().out)
    cut, present, critic = out["verdicts"]
    assert not out["holds"]
    assert cut["exact_holds"] is False
    assert "exact mean is off" in cut["reason"]
    assert present["exact_holds"] is critic["exact_holds"] is True
    assert cut["problem"] == "chicken, reinforce, B M T = 3 2 1"
    assert out["equal_in_fractions"] == {f"{mine}:cut": False, "critic": None}
    np.testing.assert_allclose(
        np.linalg.norm(present["bias_vector"]), present["bias"] * np.linalg.norm(cut["gradient"])
    )
    np.testing.assert_allclose(critic["critical_batch"], critic["noise"] ** 2)
    assert np.abs(critic["bias_vector"]).max() < 1e-12 < np.abs(cut["bias_vector"]).max()


def test_a_problem_of_ones_own_is_the_one_asked_for(mine):
    own = command._own_problem("axelrod", (), "actor-critic", (2, 3, 1), ("TFT(0.1)",) * 0, True, 7)
    assert own.pomdp.shape == (2, 3, 1)
    assert own.ego_logits.shape == own.values.shape == (3, 5)
    chances = "0.1,0.2,0.3,0.4,0.5"
    own = command._own_problem("", (3.0, 0.0, 5.0, 1.0), "reinforce", (2, 1, 1), (chances,), False, 0)
    np.testing.assert_allclose(jax.nn.sigmoid(own.ego_logits), [[0.1, 0.2, 0.3, 0.4, 0.5]])
    np.testing.assert_array_equal(own.pomdp.game.payoffs[0], [[3, 0], [5, 1]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": ("nowhere.py:f",)}, "--estimator: 'nowhere.py:f': there is no file nowhere.py"),
        ({"estimator": ("{mine}:nothing",)}, "defines no nothing"),
        ({"estimator": ("{mine}:number",)}, "it must be a function of rewards or an Estimator; got 3"),
        ({"meta_episodes": 10}, "--meta-episodes must be 1000 or more"),
        ({"payoffs": (1.0, 2.0)}, "--payoffs must be four numbers R S T P, or eight; got 2"),
        ({"learner": "magic"}, "--learner must be reinforce, actor-critic or FILE:NAME; got 'magic'"),
        ({"ego": ("TFT",)}, "--ego must lie strictly between 0 and 1"),
        ({"batch": 9}, "meta-episodes to sum over"),
    ],
)
def test_bad_options_are_named(options, message, mine):
    if "estimator" in options:
        options = {"estimator": tuple(name.format(mine=mine) for name in options["estimator"])}
    with pytest.raises(ValueError, match=message):
        command.verify(**options)


COUNT = itertools.count()
UNUSABLE = {
    "it raises ZeroDivisionError: ": lambda r: 1 / 0,
    "it raises TypeError: .*missing 1 required positional argument: 'values'": lambda rewards, values: rewards,
    "it returns float64\\[8, 2, 2\\] for rewards \\[8, 2, 2, 1\\]": lambda r: r.sum(-1),
    "it returns complex128": lambda r: r.astype(complex),
    "it returns a NoneType": lambda r: None,
    "its weights hold inf in 32 of 32 places": lambda r: r + jnp.inf,
    "its weights hold nan": lambda r: jnp.where(r == 2.0, jnp.nan, r),  # payoffs alone are 2
    "it gives other weights when asked again": lambda r: r + next(COUNT),
}


@pytest.fixture(scope="module", name="small")
def _small():
    return trials.trial("small", trials.games.prisoners_dilemma(), trials.REINFORCE, (2, 2, 1))


@pytest.fixture(scope="module", name="refused")
def _refused(small):
    held = [Estimator(reason, weights) for reason, weights in UNUSABLE.items()]
    return claims.verify([*held, COALA], [small], 1000, jax.random.key(0))


@pytest.mark.parametrize("number", range(len(UNUSABLE)), ids=list(UNUSABLE))
def test_what_gives_no_weights_fails_and_the_verdict_says_why(number, refused):
    verdict = refused[number]
    assert verdict.exact_holds is verdict.sampled_holds is False
    assert re.match(verdict.estimator, verdict.reason), verdict.reason
    assert "\n" not in verdict.reason
    assert not refused[-1].reason  # and judges the others all the same


def test_no_number_is_cut_at_eighty_columns(refused, verdicts, monkeypatch, capsys):

    plain = Console(width=80, markup=False, highlight=False)
    monkeypatch.setattr(command, "results", plain)
    monkeypatch.setattr(console, "results", plain)
    command._print_verdicts([*list(verdicts.values())[:4], *refused[-1:]], {"COALA-PG": True, "mine": None})
    printed = capsys.readouterr().out
    assert max(map(cell_len, printed.splitlines())) <= 80
    for verdict in list(verdicts.values())[:4]:
        row = next(line for line in printed.splitlines() if f" {verdict.estimator} " in line)
        assert all(number in row for number in (f"{verdict.bias:.1e}", f"{verdict.noise:.1f}", f"{verdict.cosine:.3f}"))


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_verdicts_do_not_depend_on_the_units_of_payoffs(scale, small):
    """A learner in other units learns alike if its step is in the inverse ones."""
    game = trials.games.MatrixGame(small.pomdp.game.payoffs * scale)
    scaled = trials.trial("scaled", game, trials.learners.reinforce(2.0 / scale), (2, 2, 1))
    [one], [two] = (claims.verify([M_FOS], [t], 1000, jax.random.key(0)) for t in (small, scaled))
    assert two.exact_holds
    np.testing.assert_allclose([two.bias, two.noise, two.z], [one.bias, one.noise, one.z], rtol=1e-6)


def test_a_game_without_a_gradient_is_judged():
    flat = trials.trial("flat", trials.games.MatrixGame(jnp.ones((2, 2, 2))), trials.REINFORCE, (2, 1, 1))
    [verdict] = claims.verify([FULL], [flat], 1000, jax.random.key(0))
    assert verdict.exact_holds is verdict.sampled_holds is True


def test_an_estimator_that_prefers_a_trajectory_is_still_judged_exactly(problem):
    """Unequal shares are unbiased in the mean of the batch; multisets would misjudge them."""

    def leaning(rewards):
        lean = 0.5 * jnp.cos(jnp.pi * jnp.arange(2.0))[:, None, None]
        return estimators.coala_pg(rewards) + lean * _future(rewards).mean(-3, keepdims=True)

    estimator = Estimator("leaning", leaning)
    assert not claims.treats_trajectories_alike(estimator, problem.pomdp.shape)
    [verdict] = claims.verify([estimator], [problem], 20_000, jax.random.key(0))
    assert verdict.exact_holds
    assert verdict.sampled_holds
