"""The figures of boundaries, continuation and basins, coarse: they hold what their theory says, and they draw."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.special import logit

import ipd_theory as ipd
from paper_figures import boundaries, run


def made(name, tmp_path, monkeypatch, **changes):
    """Compute and draw a figure with other settings; return its arrays and settings."""
    module = run.module_of(name)
    settings = dataclasses.replace(module.PRESETS["quick"], **changes)
    monkeypatch.setitem(module.PRESETS, "quick", settings)
    arrays = run.compute(name, "quick", 0, tmp_path)
    for path in run.draw(name, "quick", 0, tmp_path, arrays):
        assert path.stat().st_size > (500 if path.suffix == ".txt" else 5000)
    assert not plt.get_fignums()
    return arrays, settings


@pytest.mark.slow
def test_pools_leave_defection_where_it_is_unstable(tmp_path, monkeypatch):
    """In every cell of coarse maps over 1 − γ, batch size and tremble; no cell lies near an edge."""
    arrays, settings = made(
        "boundaries", tmp_path, monkeypatch, log2_learners=5, window_points=12, discounts=(0.9, 0.96), episodes=(5,),
        rows=2, columns=3, escape_steps=60, trained_steps=10, seeds=2,
    )  # fmt: skip
    _, (_, batches), (_, weights) = boundaries.axes_of(settings)
    for measured, predicted in (
        ("escape_by_discount", arrays["drift_by_discount"][..., 3] > 0),
        ("escape_by_batch", batches[:, None] < arrays["critical_batch"]),
        ("escape_by_tremble", weights[:, None] > arrays["threshold"][1]),
    ):
        np.testing.assert_array_equal(arrays[measured] > 0, predicted)
        assert 0 < predicted.mean() < 1


@pytest.mark.slow
def test_curves_hold_the_fixed_point_without_naive_learners(tmp_path, monkeypatch):
    """Where nobody is naive, the closed form of the gradient balances the decay, and the point is stable."""
    arrays, settings = made(
        "continuation", tmp_path, monkeypatch, log2_learners=2, num_inner_episodes=2, weight_decays=(0.01,),
        duration=500.0,
    )  # fmt: skip
    (at,) = np.flatnonzero(arrays["p_naive-0-0"] == 0)
    table = arrays["table-0-0"][at]
    gradient = ipd.return_gradient(ipd.prisoners_dilemma(), table, table, discount=settings.discount)
    np.testing.assert_allclose(table * (1 - table) * gradient, 0.01 * logit(table), atol=1e-8)
    assert arrays["leading-0-0"][at] < 0
    assert arrays["p_naive-0-0"].max() > 1


@pytest.mark.slow
def test_naive_learners_find_defection(tmp_path, monkeypatch):
    arrays, _ = made(
        "basins", tmp_path, monkeypatch, rules=("naive",), discounts=(0.0, 0.8), steps=50, log2_points=3, replicates=2
    )
    np.testing.assert_allclose(arrays["replicates"].mean(-1), arrays["volume"])
    assert arrays["volume"][0, 0] == 0  # in a single round nothing else pays
