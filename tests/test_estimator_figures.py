"""The estimator figures at the smallest settings: their arrays say what the theory says."""

import numpy as np

from paper_figures import figure_12, figure_bias_variance, figure_convergence, figure_design, figure_large_batch


def nothing(done):
    assert 0 < done <= 1


def test_baselines_weigh_the_future_one_bth_of_what_coala_pg_does():
    settings = figure_12.Settings(batch_size=2, steps=3, seeds=1)
    coala, unaware, m_fos = figure_12.compute(settings, 0, nothing)["ratios"][:, 0]
    np.testing.assert_allclose(unaware, m_fos, rtol=1e-6)
    np.testing.assert_allclose(coala[0], 2 * unaware[0], rtol=1e-9)  # at the common start


def test_biases_are_those_of_the_decomposition():
    settings = figure_bias_variance.Settings(batch_sizes=(1, 2), problems=1)
    arrays = figure_bias_variance.compute(settings, 0, nothing)
    coala, full, unaware, m_fos = arrays["bias"][..., 0]
    alone = arrays["spread"][:, 0, 0]  # B = 1: all alike
    assert max(*coala, *full, unaware[0], m_fos[0]) < 1e-12
    assert min(unaware[1], m_fos[1]) > 1e-2
    np.testing.assert_allclose(alone, alone[0], rtol=1e-9)


def test_errors_are_near_the_prediction():
    """One run's final error against its root mean square: beyond four times it only by a rare accident."""
    settings = figure_convergence.Settings(repeats=1, chunk=500, chunks=4)
    arrays = figure_convergence.compute(settings, 0, nothing)
    assert arrays["counts"][-1] == 2000
    assert (arrays["errors"][:, 0, -1] < 4 * arrays["predicted"][:, -1]).all()


def test_sampled_means_lie_where_the_exact_ones_do():
    settings = figure_large_batch.Settings(exact=(2,), sampled=(2,), trajectories=40_000, chunk=10_000)
    arrays = figure_large_batch.compute(settings, 0, nothing)
    z = (arrays["sampled"] - arrays["exact"]) / arrays["errors"]
    assert np.abs(z).max() < 5.2  # false-alarm rate 1e-6 for five components


def test_the_best_weight_beats_every_estimator_at_every_count():
    arrays = figure_design.compute(figure_design.Settings(problems=1, up_to_meta_episodes=100), 0, nothing)
    coala, _, unaware, _ = arrays["errors"][:, 0]
    assert (arrays["best_error"][0] < coala).all()
    assert unaware[0] < coala[0]
    assert (np.diff(arrays["best_weight"][0]) > 0).all()
