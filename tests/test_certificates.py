"""A certificate is re-checked by a script that shares nothing with the package, and no change to one escapes it."""

import copy
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ipd_theory import cli, games
from ipd_theory.sampling import certificates, estimators, trials
from ipd_theory.sampling.estimators import Estimator
from tests import check_certificate

SCRIPT = Path(check_certificate.__file__)
SHAPES = [(2, 2, 1), (1, 2, 2), (2, 1, 2), (3, 2, 1), (1, 1, 1)]


@pytest.fixture(scope="module", name="proof")
def _proof():
    return certificates.certificate(estimators.coala_pg, trials.rational_problem())


@pytest.mark.parametrize("estimator", [estimators.coala_pg, estimators.full], ids=lambda e: e.name)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_script_confirms_unbiased_estimators(estimator, shape):
    problem = trials.rational_problem(games.chicken(), shape, ego=["1/9", 0.75, "2/3", "0.3", Fraction(4, 5)])
    said = check_certificate.check(certificates.certificate(estimator, problem))
    assert said.startswith(f"{estimator.name}, by its definition")


def test_one_s_own_estimator_counts_by_its_weights():
    def both(rewards):
        return (estimators.coala_pg(rewards) + estimators.full(rewards)) / 2

    proof = certificates.certificate(Estimator("both", both), trials.rational_problem())
    assert "by the weights listed" in check_certificate.check(proof)


def places(x, path=()):
    """Yield the place of every number, text and list entry."""
    if isinstance(x, dict | list):
        for key, value in x.items() if isinstance(x, dict) else enumerate(x):
            yield from places(value, (*path, key))
    else:
        yield path


def test_no_change_escapes():
    proof = certificates.certificate(estimators.coala_pg, trials.rational_problem(shape=(1, 2, 2)))  # all of it is read
    rng = np.random.default_rng(0)
    everywhere = [place for place in places(proof) if place != ("estimator",)]
    outside = [place for place in everywhere if place[0] != "pieces"]
    inside = [everywhere[i] for i in rng.choice(len(everywhere), 40, replace=False)]
    for place in outside + inside:
        broken = copy.deepcopy(proof)
        *way, last = place
        holder = broken
        for key in way:
            holder = holder[key]
        value = holder[last]
        holder[last] = value + 1 if isinstance(value, int) else f"{value}1"
        with pytest.raises((ValueError, IndexError)):
            check_certificate.check(broken)


def test_pieces_can_be_neither_left_out_nor_doubled(proof):
    for pieces in (proof["pieces"][1:], proof["pieces"] + proof["pieces"][-1:], proof["pieces"][::-1], []):
        with pytest.raises(ValueError, match="every multiset"):
            check_certificate.check(proof | {"pieces": pieces})


@pytest.mark.parametrize("estimator", [estimators.batch_unaware, estimators.m_fos], ids=lambda e: e.name)
def test_biased_estimators_get_none_and_a_forged_one_is_rejected(estimator, proof):
    problem = trials.rational_problem()
    with pytest.raises(ValueError, match="is not the true gradient: a component is off by"):
        certificates.certificate(estimator, problem)
    forged = copy.deepcopy(proof) | {"estimator": estimator.name}
    weights = estimator(problem.enumerate().rewards)
    for piece, w in zip(forged["pieces"], weights, strict=True):
        piece["weights"] = [[[str(x) for x in episode] for episode in row] for row in w]
    with pytest.raises(ValueError, match="the mean is not the gradient"):
        check_certificate.check(forged)


def test_what_has_no_certificate_is_told_why():
    problem = trials.rational_problem()
    with pytest.raises(ValueError, match="sees more than rewards"):
        certificates.certificate(Estimator("all", lambda seen: seen.rewards, sees_all=True), problem)
    with pytest.raises(ValueError, match="turns fractions into floats"):
        certificates.certificate(Estimator("floats", lambda r: estimators.full(r) * 1.0), problem)
    with pytest.raises(ValueError, match="prefers a trajectory"):
        certificates.certificate(Estimator("first", lambda r: r * 0 + r[..., :1, :, :]), problem)
    with pytest.raises(ValueError, match="at most 40000"):
        certificates.certificate(estimators.full, trials.rational_problem(shape=(4, 4, 4)))


def test_the_command_writes_one_that_the_script_accepts(tmp_path, capsys):
    path = tmp_path / "proof.json"
    arguments = ["verify", "--certificate", str(path), "--payoffs", "3", "0", "5", "1", "--ego", "1/3,2/5,3/7,1/2,5/8"]
    cli.main(arguments)
    assert "136 pieces" in capsys.readouterr().err
    done = subprocess.run([sys.executable, "-I", SCRIPT, path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("holds: coala, by its definition")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mean": ["0"] * 5}))
    done = subprocess.run([sys.executable, "-I", SCRIPT, path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("rejected: ")


@pytest.mark.parametrize(
    "option", ["--thorough", "--json", "--remember", "--meta-episodes=5000", "--learner=reinforce"]
)
def test_options_that_it_cannot_heed_are_refused(option, tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["verify", "--certificate", str(tmp_path / "x.json"), option])
    assert f"does not go together with {option.partition('=')[0]}" in capsys.readouterr().err


def test_the_default_problem_is_shaped(proof):
    """Else COALA-PG and M-FOS's present part alone would be equal to the gradient."""
    problem = trials.rational_problem()
    weights = estimators.coala_pg(problem.enumerate().rewards)
    assert any(a != b for a, b in zip(weights[0, 0, 0], weights[0, 0, 1], strict=True))
    with pytest.raises(ValueError, match="off by"):
        certificates.certificate(Estimator("now", lambda r: r[..., ::-1].cumsum(-1)[..., ::-1] / r.shape[-3]), problem)
