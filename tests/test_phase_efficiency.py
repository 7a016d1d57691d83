"""Efficiency as measures of a grid: what a cell's best policy earns, kept in its store, found once."""

import dataclasses
import json
import shutil

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
import zarr

import ipd_theory as ipd
from ipd_theory import cli
from ipd_theory.drawing import phase_maps
from ipd_theory.learning import bounds, shaping
from ipd_theory.phases import efficiency, store, sweep
from ipd_theory.phases.drift import sobol_learners
from ipd_theory.phases.grid import Axis, Cell, Sweep

AXES = (Axis("T", (1.5, 2.0)), Axis("learning_rate", (1.0, 20.0)))
SMALL = Sweep(AXES, Cell(p_naive=1.0, inner_episodes=3, discount=0.9), seeds=2, steps=200, num_judges=2, block=16)
SMALL = dataclasses.replace(SMALL, dtype="float64", meta_rate=0.05)
HOW = {"log2_learners": 2, "starts": 4}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Four cells, trained and measured, and their store."""
    path = tmp_path_factory.mktemp("efficiency") / "sweep.zarr"
    plain = sweep.run(SMALL, path)
    assert "efficiency" not in plain  # a store without it reads as before
    reported = []
    found = efficiency.measure(SMALL, path, reported.append, **HOW)
    assert reported == [1.0]
    assert all(found[name].identical(plain[name]) for name in plain)
    return path, found


def test_each_run_is_held_to_its_cells_best_policy(grid):
    """One cell's numbers by the shaping return and by the other ascent; nobody is above, and training comes near."""
    _, found = grid
    cell = found.sel(T=1.5, learning_rate=20.0)
    game, learners = ipd.prisoners_dilemma(T=1.5), sobol_learners(2)
    settings = {"discount": 0.9, "learning_rate": 20.0, "num_inner_episodes": 3}
    earned = shaping.shaping_return(game, cell.logits.values[:, :, None], learners, **settings).mean(-1)
    np.testing.assert_allclose(cell.against_even, earned, rtol=1e-10)
    best = bounds.fixed_policy(game, learners, **settings, starts=4)
    defection = bounds.earned(game, np.zeros(5), learners, **settings).mean()
    np.testing.assert_allclose(cell.best_even, best.value, atol=1e-6)
    np.testing.assert_allclose(cell.defector_even, defection, atol=1e-9)
    np.testing.assert_allclose(cell.efficiency, (earned - defection) / (best.value - defection), atol=1e-4)
    assert (found.against_even <= found.best_even + 1e-9).all()
    assert cell.efficiency.max() > 0.9
    assert found.efficiency.attrs["units"] == "1"


def test_what_is_there_is_not_found_again_and_what_is_missing_is(grid, monkeypatch):
    path, found = grid
    asked = []
    of_cells = efficiency._of_cells
    monkeypatch.setattr(
        efficiency, "_of_cells", lambda s, cells, *rest: asked.append(cells) or of_cells(s, cells, *rest)
    )
    assert efficiency.measure(SMALL, path, **HOW).identical(found)
    assert not asked
    group = zarr.open_group(path)
    group["best_even"][int(np.asarray(group["place"])[2, 1])] = np.nan
    again = efficiency.measure(SMALL, path, **HOW)
    assert [cells.tolist() for cells in asked] == [[2]]
    np.testing.assert_allclose(again.efficiency, found.efficiency, rtol=1e-12)
    another = dataclasses.replace(SMALL, seed=1)
    with pytest.raises(ValueError, match="holds a sweep with seed 0, not 1"):
        efficiency.measure(another, path)


@pytest.mark.parametrize("before", efficiency.ABOUT)
@pytest.mark.parametrize("change", ["__setitem__", "create_array"])
def test_killed_between_any_two_measures_it_goes_on(grid, tmp_path, monkeypatch, before, change):
    """As it writes what it found, or begins anew for another number of starts and is then asked for the first again."""
    path, found = grid
    shutil.copytree(path, tmp_path / "sweep.zarr")
    group, numbers = zarr.open_group(tmp_path / "sweep.zarr"), dict(HOW)
    if change == "create_array":
        numbers["starts"] += 1
    else:
        group["best_even"][:] = group["efficiency"][:] = np.nan
    left = [list(efficiency.ABOUT).index(before)]
    owner = zarr.Array if change == "__setitem__" else zarr.Group
    as_ever = getattr(owner, change)

    def killed(self, *arguments, **named):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return as_ever(self, *arguments, **named)

    monkeypatch.setattr(owner, change, killed)
    with pytest.raises(KeyboardInterrupt):
        efficiency.measure(SMALL, tmp_path / "sweep.zarr", **numbers)
    monkeypatch.undo()
    again = efficiency.measure(SMALL, tmp_path / "sweep.zarr", **HOW)
    for name in efficiency.ABOUT:
        np.testing.assert_allclose(again[name], found[name], rtol=1e-12)


def test_a_store_that_lacks_runs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="path must be a store, which"):
        efficiency.measure(SMALL, tmp_path / "none.zarr")
    store.create(SMALL, tmp_path / "begun.zarr")
    with pytest.raises(ValueError, match="path must be a store that is finished"):
        efficiency.measure(SMALL, tmp_path / "begun.zarr")


def test_the_map_of_a_measure(grid):
    _, found = grid
    figure = phase_maps.measure_map(found, "efficiency", "T", "learning_rate")
    axes, colours = figure.axes
    assert axes.get_title().startswith("efficiency")
    assert colours.get_ylabel() == "share"
    (drawn,) = axes.collections
    mean = found.efficiency.mean(("seed", "agent")).values
    np.testing.assert_allclose(np.ma.filled(drawn.get_array(), np.nan), mean.T)
    plt.close(figure)
    with pytest.raises(ValueError, match=r"name must be a measure of the grid, .*efficiency, .*; got 'outcome'"):
        phase_maps.measure_map(found, "outcome", "T", "learning_rate")


def test_the_command_draws_it_and_says_it(monkeypatch, capsys, tmp_path):
    small = ("--seeds", 2, "--steps", 2, "--num-learners", 1, "--inner-episodes", 1, "--block", 16, "--cpu-devices", 1)
    where = ("--x", "p_naive:0:1:2", "--y", "T:1.5:2:2", "--out", tmp_path, "--efficiency", "--json")
    monkeypatch.setattr("sys.argv", ["ipd-theory", "phase", *map(str, (*where, *small))])
    cli.main()
    said = json.loads(capsys.readouterr().out)
    kept = store.load(tmp_path / "sweep.zarr")
    shares = np.array(said["efficiency"], float)  # null, NaN, where nothing is to be gained
    np.testing.assert_allclose(shares, kept.efficiency.mean(("seed", "agent")), rtol=1e-6)
    assert (tmp_path / "phase-efficiency.png").stat().st_size > 5000
    assert jax.numpy.isfinite(kept.best_even.values).all()
