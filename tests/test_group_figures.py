"""Figures of longer memory and of groups: what they tell of made-up outcomes, and a very short run of each."""

import dataclasses
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from paper_figures import phase_memory, public_goods, run

OUTCOMES = np.array([[[2, 2], [0, 2]], [[1, 2], [0, 0]]])  # x y seed: one seed cooperates in a cell, the other in three


def test_the_share_of_cells_is_a_mean_over_seeds():
    mean, deviation = phase_memory.cooperative(OUTCOMES)
    assert (mean, deviation) == (pytest.approx(0.5), pytest.approx(np.std([0.25, 0.75], ddof=1)))


def test_maps_of_both_memories_are_drawn_side_by_side():
    settings = dataclasses.replace(phase_memory.Settings(), p_naive=(0.1, 0.9), learning_rate=(1.0, 10.0), seeds=2)
    arrays = {"x": np.array([0.1, 0.9]), "y": np.array([1.0, 10.0])}
    arrays |= {"outcome": np.stack([OUTCOMES, OUTCOMES]), "among_meta": np.linspace(0, 1, 8).reshape(2, 2, 2)}
    figure = phase_memory.plot(arrays, settings)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == [f"memory {memory}: cooperation in 50% ± 35%" for memory in (1, 2)]
    plt.close(figure)
    one, two = (settings.sweep(memory, 3) for memory in (1, 2))
    assert dataclasses.replace(one, memory=2) == two
    assert (one.block, one.seed) == (16, 3)


SHORT = {
    "phase-memory": {"p_naive": (0.1, 0.9), "learning_rate": (1.0, 10.0), "inner_episodes": 1, "num_learners": 1},
    "public-goods": {"multiplication": (1.5, 2.5), "p_naive": (0.2, 0.9), "num_inner_episodes": 1, "num_judges": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_they_compute_and_draw(name, tmp_path, monkeypatch):
    module = run.module_of(name)
    settings = dataclasses.replace(module.PRESETS["quick"], **SHORT[name], seeds=2, steps=1)
    monkeypatch.setitem(module.PRESETS, "quick", settings)
    arrays = run.compute(name, "quick", 0, tmp_path)
    assert all(np.isfinite(x).all() for x in arrays.values())
    for path in run.draw(name, "quick", 0, tmp_path, arrays):
        assert path.stat().st_size > (500 if path.suffix == ".txt" else 5000)
    data = json.loads((tmp_path / "data" / f"{name}-quick-seed0.json").read_text())["arrays"]
    assert {key: np.ndim(x["values"]) for key, x in data.items()} == {key: len(x["axes"]) for key, x in data.items()}


def test_measures_of_three_copies_are_those_of_all_who_contribute_or_nobody():
    settings = dataclasses.replace(
        public_goods.Settings(), multiplication=(2.0,), p_naive=(0.5,), seeds=2, num_judges=1
    )
    settings = dataclasses.replace(settings, num_inner_episodes=0)
    pool = public_goods.pool_of(settings)
    logits = np.zeros((1, 1, 2, 1, 9), np.float32) + np.array([30.0, -30.0], np.float32)[:, None, None]
    found = public_goods.measures(settings, pool, public_goods.jnp.asarray(logits), public_goods.jax.random.key(0))
    np.testing.assert_allclose(found.among_meta[0, 0, :, 0], [1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.mutual_cooperation[0, 0, :, 0], [1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.gap[0, 0, :, 0], [1 / 3, 0.0], atol=1e-6)  # 2 · ⅔ from the others' alone, less 1
    np.testing.assert_allclose(found.against_learned[0, 0, 1], found.defector_learned[0, 0, 1], atol=1e-6)
