"""What rules gain of the naive learner in a tournament: nobody above the ceiling, and defection walked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.learning import bounds
from ipd_theory.learning.tournament import tournament
from ipd_theory.learning.tournament_efficiency import against_naive

SIDES = ipd.games.bimatrix([[1.0, -1.0], [2.0, 0.0]], [[2.0, 3.0], [-2.0, 0.0]])


@pytest.mark.parametrize(("game", "every"), [(ipd.prisoners_dilemma(), ()), (SIDES, (2, 1))], ids=["pd", "sides"])
def test_nobody_is_above_the_ceiling_and_defection_is_what_it_earns(game, every):
    settings = {"discount": 0.9, "step": 5.0, "steps": 12, "tail": 4, "seed": 3, "every": every}
    played = tournament(game, ("naive", "look-ahead(20)"), **settings, seeds=3)
    found = against_naive(game, played, **settings)
    np.testing.assert_allclose(found.value, np.asarray(played.outcome.scores)[:, :, 0].mean(-1))
    assert (found.value <= found.ceiling[:, None]).all()
    assert (found.defection <= found.ceiling).all()
    assert (found.efficiency <= 1).all()
    first, earned = jax.random.normal(jax.random.key(3), (3, 2, 5)), np.zeros((2, 13))
    for role in (0, 1):  # walked with the definition

        def of_both(y, role=role):
            tables = [jnp.zeros(5), jax.nn.sigmoid(y)][:: 1 - 2 * role]
            return ipd.expected_returns(game, *tables, discount=0.9)

        y = first[:, 1 - role]
        for t in range(13):
            earned[role, t] = of_both(y)[..., role].mean()
            if t % (every or (1,))[0] == 0:
                y = y + 5.0 * jax.grad(lambda y, role=role: of_both(y)[..., 1 - role].sum())(y)
    np.testing.assert_allclose(found.defection, earned[:, -4:].mean(1), rtol=1e-6)
    share = (found.value - found.defection[:, None]).sum(0) / (found.ceiling - found.defection).sum()
    np.testing.assert_allclose(found.efficiency, share, rtol=1e-12)


def test_the_ceiling_is_the_mean_of_its_episodes():
    settings = {"discount": 0.9, "learning_rate": 2.0, "num_inner_episodes": 3}
    learners = jax.random.normal(jax.random.key(0), (2, 5))
    each = bounds.ceilings(ipd.prisoners_dilemma(), learners, **settings)
    assert each.shape == (4,)
    assert (np.diff(each) > 0).all()
    for m in range(4):
        to_m = bounds.ceiling(ipd.prisoners_dilemma(), learners, **(settings | {"num_inner_episodes": m}))
        np.testing.assert_allclose(each[: m + 1].mean(), to_m, rtol=1e-12)


def test_without_a_naive_learner_there_is_no_share():
    settings = {"discount": 0.9, "step": 5.0, "steps": 2, "tail": 1}
    played = tournament(ipd.prisoners_dilemma(), ("lola",), **settings, seeds=2)
    assert against_naive(ipd.prisoners_dilemma(), played, **settings) is None
    with pytest.raises(ValueError, match="every must be one number for each of 1 rules; got 2"):
        against_naive(ipd.prisoners_dilemma(), played, **settings, every=(1, 1))
    with pytest.raises(ValueError, match="tail must"):
        against_naive(ipd.prisoners_dilemma(), played, **(settings | {"tail": 3}))
