"""Figures of training runs show what the runs recorded."""

import dataclasses
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ipd_theory.rl import run_folder
from ipd_theory.rl.config import PRESETS
from paper_figures import figure_5, figure_12_runs, figure_enforced, recorded, table_h3


def nothing(done: float) -> None:
    """Report no progress."""


def test_recorded_runs_shape_and_both_figures_show_them(tmp_path: Path) -> None:
    """Five seeds: COALA-PG above 0.9 a step against learners, ahead of both baselines by 0.3 and three standard errors.

    In mixed pools its agents cooperate with each other, above 0.7 a step over seven seeds, and the baselines' never.
    """
    settings = figure_5.PRESETS["quick"]
    arrays = figure_5.compute(settings, 0, nothing, tmp_path)
    late = arrays["shaping iteration"] > settings.shaping_iterations - settings.last
    final = {method: arrays[f"shaping {method} reward"][:, late].mean((1, 2)) for method in recorded.METHODS}
    assert final["coala"].shape == (5,)
    assert final["coala"].mean() > 0.9
    for method in ("batch_unaware", "m_fos"):
        ahead = final["coala"].mean() - final[method].mean()
        assert ahead > 0.3
        assert ahead > 3 * np.sqrt((final["coala"].var(ddof=1) + final[method].var(ddof=1)) / 5)
    assert arrays["defection"].shape == (5,)
    for method in ("batch_unaware", "m_fos"):  # which end at always defecting, as the one that is played does
        np.testing.assert_allclose(final[method], arrays["defection"], atol=0.02)
    defection = arrays["shaping coala defection"][:, late].mean(1)
    assert (defection[:, -5:].mean(1) > defection[:, :5].mean(1) + 0.2).all()

    late = arrays["mixed iteration"] > settings.mixed_iterations - settings.last
    among_each_other = {method: arrays[f"mixed {method} reward"][:, late].mean((1, 2)) for method in recorded.METHODS}
    cooperative = among_each_other["coala"]
    assert cooperative.shape == (7,)
    assert cooperative.mean() > 0.7
    assert np.median(cooperative) > 0.7
    assert cooperative.min() > 0.5
    for method in ("batch_unaware", "m_fos"):
        assert np.abs(among_each_other[method]).max() < 0.05
        assert cooperative.mean() - among_each_other[method].mean() > 3 * cooperative.std(ddof=1) / np.sqrt(7)

    file = recorded.RECORDED / "ipd-shaping-quick-coala-3" / "metrics.jsonl"
    line = json.loads(file.read_text().splitlines()[6])
    np.testing.assert_allclose(arrays["shaping coala reward"][3, 6], line["against_naive"]["reward"][0][0])
    ratios = figure_12_runs.compute(figure_12_runs.PRESETS["quick"], 0, nothing, tmp_path)
    parts = line["gradients"]
    np.testing.assert_allclose(ratios["coala"][3, 6], parts["future"][0][0] / parts["current"][0][0])


@pytest.mark.parametrize("directory", sorted(recorded.RECORDED.glob("ipd-*")), ids=lambda path: path.name)
def test_no_recorded_agent_is_above_what_its_co_players_let_anybody_have(directory: Path) -> None:
    """Who meets cooperation in a share c of rounds gets c T + (1 − c) P at most; efficiencies at least are below 1."""
    _, _, T, P = run_folder.read_config(directory)[0].environment.payoffs
    for line in run_folder.read_metrics(directory):
        for kind in ("against_naive", "against_meta"):
            reward, other = (np.array(line[kind][x], float) for x in ("reward", "co_player_defection"))
            met = np.isfinite(reward)
            assert (reward[met] <= T - (T - P) * other[met] + 1e-5).all()
            assert (reward[met] < T).all()


def test_the_table_averages_the_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "RECORDED", tmp_path)
    settings = table_h3.Settings("ipd-mixed-quick", 30, ((0,), (1,)), last=20)
    config = dataclasses.replace(PRESETS["ipd-mixed-quick"], methods=table_h3.POOL, iterations=30)
    rewards = np.random.default_rng(0).normal(size=(2, 3, 2, 4))  # seeds, lines, agents, inner episodes
    for seed in range(2):
        directory = tmp_path / f"ipd-mixed-quick-coala+m_fos-{seed}"
        run_folder.write_settings(directory / run_folder.CONFIG, run_folder.described(config, (seed,)))
        with (directory / "metrics.jsonl").open("w") as file:
            for i in range(3):
                play = {"reward": [rewards[seed, i].tolist()]}
                line = {"iteration": 10 * (i + 1), "against_meta": play, "against_naive": play}
                file.write(json.dumps(line) + "\n")
    arrays = table_h3.compute(settings, 0, nothing, tmp_path)
    np.testing.assert_allclose(arrays["against_meta"], rewards[:, 1:].mean((1, 3)))
    figure = table_h3.plot(arrays, settings)
    texts = [cell.get_text().get_text() for cell in figure.axes[0].tables[0].get_celld().values()]
    coala = arrays["against_meta"][:, 0]
    assert f"{coala.mean():.3f} ± {coala.std():.3f}" in texts
    plt.close(figure)


@pytest.mark.slow
def test_what_agents_enforce_is_read_from_runs_that_are_trained(tmp_path: Path) -> None:
    """One iteration of each estimator: every round is counted, and payoffs are those of the outcomes."""
    settings = figure_enforced.Settings("ipd-shaping-quick", 1, seeds=1, meta_episodes=1, draws=20)
    arrays = figure_enforced.compute(settings, 0, lambda done: None, tmp_path)
    for method in ("coala", "batch_unaware", "m_fos"):
        assert arrays[f"{method} counts"].shape == (1, 20, 5, 2)
        assert (arrays[f"{method} counts"].sum((-1, -2)) == 32 * 8 * 5).all()
        assert (np.abs(arrays[f"{method} payoffs"]) <= 2).all()
        assert arrays[f"{method} slope"].shape == arrays[f"{method} distance"].shape == (1, 20, 20)
    figure_enforced.plot(arrays, settings)
