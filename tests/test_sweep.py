"""Sweeps: bit for bit the same on any devices, after any kill; what they measure is held against the exact core."""

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
import zarr

import ipd_theory as ipd
from ipd_theory.phases import outcomes, store
from ipd_theory.phases import sweep as sweeps
from ipd_theory.phases.grid import Axis, Cell, Sweep
from tests.sweep_worker import small

SMALL = small()


def start(path, tmp_path, **settings):
    """Start a process of the sweep; they share compiled programs where they are the same."""
    arguments = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    environment = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
    }
    command = [sys.executable, "-m", "tests.sweep_worker", str(path), *arguments]
    return subprocess.Popen(command, env=os.environ | environment)


def ended(*processes):
    """Wait for processes and return how they ended; none outlives the test."""
    try:
        return [process.wait(900) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted sweep on one device of this process."""
    reported = []
    grid = sweeps.run(SMALL, tmp_path_factory.mktemp("whole") / "sweep.zarr", reported.append)
    assert reported == sorted(reported)
    assert reported[-1] == 1
    return grid


def same(grid, other):
    """Whether two grids hold the same bits."""
    return set(grid) == set(other) and all(
        grid[name].values.tobytes() == other[name].values.tobytes() and grid[name].dims == other[name].dims
        for name in grid
    )


def test_the_grid_is_labelled_and_complete(whole):
    assert dict(whole.sizes) == {"p_naive": 3, "inner_episodes": 3, "T": 2, "seed": 4, "agent": 2, "context": 5}
    assert whole.coords["inner_episodes"].values.tolist() == [0, 1, 3]
    assert whole.attrs["steps"] == 5
    assert all(np.isfinite(x).all() for x in whole.values())
    assert len(np.unique(whole.logits.values)) > 0.99 * whole.logits.size
    assert (whole.outcome >= 0).all()


@pytest.mark.parametrize("index", [(0, 0, 0), (1, 2, 1), (2, 1, 0), (2, 2, 1)])
def test_a_cell_is_a_single_run(whole, index, tmp_path):
    """Bit for bit, with other company in its block and in another place of it; the longest M stays the grid's."""
    names = [axis.name for axis in SMALL.axes]
    values = [axis.values[i] for axis, i in zip(SMALL.axes, index, strict=True)]
    one = tuple(Axis(name, (value,)) for name, value in zip(names, values, strict=True))
    one = (one[0], Axis("inner_episodes", (values[1], 3)), one[2])  # so that M = 3 is compiled
    alone = sweeps.run(dataclasses.replace(SMALL, axes=one), tmp_path / "one.zarr")
    cell = whole.isel({name: [i] for name, i in zip(names, index, strict=True)})
    assert same(cell, alone.isel(inner_episodes=[0]))
    first = dataclasses.replace(SMALL, axes=one, seeds=1)
    assert same(cell.isel(seed=[0]), sweeps.run(first, tmp_path / "seed.zarr").isel(inner_episodes=[0]))


@pytest.mark.slow
def test_four_devices_give_the_same_bits(whole, tmp_path):
    path = tmp_path / "sweep.zarr"
    assert ended(start(path, tmp_path, devices=4)) == [0]
    assert same(whole, store.load(path))


@pytest.mark.slow
def test_two_processes_of_two_devices_give_the_same_bits(whole, tmp_path):
    path = tmp_path / "sweep.zarr"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [start(path, tmp_path, devices=2, processes=2, process=i, port=port) for i in range(2)]
    assert ended(*both) == [0, 0]
    assert same(whole, store.load(path))


def test_killed_it_goes_on_and_nothing_differs(whole, tmp_path):
    """SIGKILL in the middle of the fourth block; data without a mark is not trusted."""
    path = tmp_path / "sweep.zarr"
    assert ended(start(path, tmp_path, die_at=0.7)) == [-signal.SIGKILL]
    group = zarr.open_group(path)
    assert store.missing_blocks(group) == [3, 4]
    assert (store.load(path).outcome == -1).any()
    group["logits"][3 * SMALL.block] = 7.0
    assert same(whole, sweeps.run(SMALL, path))


def test_a_store_of_another_sweep_is_refused(whole, tmp_path):
    path = tmp_path / "sweep.zarr"
    store.create(SMALL, path)
    with pytest.raises(ValueError, match=r"sweep\.zarr holds a sweep with steps 5, not 6; use another path"):
        sweeps.run(dataclasses.replace(SMALL, steps=6), path)
    T = dataclasses.replace(SMALL, axes=(*SMALL.axes[:2], Axis("T", tuple(np.linspace(0.9, 2, 10_000)))))
    two = dataclasses.replace(SMALL, axes=(*SMALL.axes[:2], Axis("T", (0.9, 1.9))))
    for sweep, message in (
        (dataclasses.replace(SMALL, seed=1), "seed 0, not 1;"),
        (dataclasses.replace(SMALL, seeds=5), "seeds 4, not 5;"),
        (dataclasses.replace(SMALL, cell=dataclasses.replace(SMALL.cell, S=-2.0)), "S -1.0, not -2.0;"),
        (two, "other values of T;"),
        (T, "T (10000 values);"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            store.open_same(sweep, path)
        assert len(str(caught.value)) < 400


def test_more_seeds_and_points_take_over_the_runs_that_are_the_same(whole, tmp_path, monkeypatch):
    """Of 108 runs 48 are there; the others are computed as if alone, and two stores of other training add nothing."""
    path, more = tmp_path / "sweep.zarr", tmp_path / "more.zarr"
    assert same(whole, sweeps.run(SMALL, path))
    axes = (Axis("p_naive", (0.1, 0.2, 1.0)), SMALL.axes[1], Axis("T", (0.9, 2.0)))
    wider = dataclasses.replace(SMALL, axes=axes, seeds=6)
    other = tmp_path / "other.zarr"
    store.create(dataclasses.replace(wider, steps=6), other)
    computed = []
    run_blocks = sweeps._run_blocks
    monkeypatch.setattr(sweeps, "_run_blocks", lambda s, blocks, r: computed.extend(blocks) or run_blocks(s, blocks, r))
    grid = sweeps.run(wider, more, reuse=[other, path])
    assert sum(map(len, computed)) == 108 - 2 * 3 * 2 * 4
    assert same(grid.sel(p_naive=[0.1, 1.0]).isel(seed=slice(4)), whole.sel(p_naive=[0.1, 1.0]))
    assert same(grid, sweeps.run(wider, tmp_path / "fresh.zarr"))
    unfinished = tmp_path / "unfinished.zarr"
    store.create(SMALL, unfinished)
    assert store._taken_over(wider, [unfinished]) == {}
    assert len(store._taken_over(SMALL, [more])) == 2 * 3 * 2 * 4  # from a store that took them over itself


def test_every_variable_says_what_it_is(whole):
    assert all({"long_name", "units"} <= set(x.attrs) for x in whole.variables.values())
    names = dict(zip(whole.outcome.flag_values, whole.outcome.flag_meanings.split(), strict=True))
    assert names[outcomes.Outcome.ANTI_COORDINATION] == "anti-coordination"
    assert whole["T"].attrs["units"] == "payoff"


def test_untrained_pools_are_measured_as_the_exact_core_does(whole, tmp_path):
    """Settings reach what they name, and seeds mean the same random numbers in every cell."""
    axes = (Axis("T", (1.5, 2.0)), Axis("S", (-0.5,)), Axis("discount", (0.5, 0.97)), Axis("tremble", (0.0, 0.2)))
    sweep = dataclasses.replace(SMALL, axes=axes, cell=Cell(inner_episodes=3, R=1.1, P=0.1), steps=0)
    grid = sweeps.run(sweep, tmp_path / "untrained.zarr")
    logits = grid.logits.values.reshape(8, 4, 2, 5)
    assert (logits == logits[:1]).all()
    for T in axes[0].values:
        game = ipd.prisoners_dilemma(R=1.1, S=-0.5, T=T, P=0.1)
        for discount in axes[2].values:
            for error in axes[3].values:
                cell = grid.sel(T=T, discount=discount, tremble=error).isel(S=0)
                tables = [ipd.strategies.tremble(jax.nn.sigmoid(logits[0, :, i].astype(float)), error) for i in (0, 1)]
                exact = ipd.expected_returns(game, *tables, discount=discount)
                np.testing.assert_allclose(cell.among_meta, exact, atol=5e-6)
                mine = ipd.expected_returns(game, tables[0], tables[0], discount=discount)[:, 0]
                np.testing.assert_allclose(cell.self_play[:, 0], mine, atol=5e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": (Axis("colour", (1.0,)),)}, "axes holds 'colour'; each axis is another of p_naive"),
        ({"axes": (Axis("T", (1.0,)), Axis("T", (2.0,)))}, "axes holds 'T'"),
        ({"axes": (Axis("T", ()),)}, "T has values"),
        ({"axes": (Axis("p_naive", (0.5, 1.5)),)}, r"p_naive holds 1\.5"),
        ({"axes": (Axis("inner_episodes", (1.5,)),)}, "inner_episodes must be whole numbers"),
        ({"cell": Cell(batch_size=0.5)}, r"batch_size must be 1 or more; got 0\.5"),
        ({"cell": Cell(R=0.0)}, "R must lie above P in every cell; got R=0, P=0"),
        ({"axes": (Axis("P", (0.0, 2.0)),)}, "R must lie above P in every cell; got R=1, P=2"),
        ({"block": 24}, "block must be a multiple of 16; got 24"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"meta_rate": 0.0}, "meta_rate must be a finite number above 0; got 0"),
        ({"start": 1.0}, r"start must lie in \(0, 1\); got 1\.0"),
        ({"dtype": "float16"}, "dtype must be float32 or float64"),
        ({"num_agents": 1}, "num_agents must be 2 or more; got 1"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **changes)
    with pytest.raises(ValueError, match="T must be a finite number; got nan"):
        Cell(T=float("nan"))


def test_the_shaping_part_is_weighed_by_one_over_the_batch():
    sweep = Sweep((Axis("batch_size", (1.0, 4.0, 16.0)),))
    np.testing.assert_array_equal(sweep.pool(sweep.cells()).shaping_weight, np.float32([1, 1 / 4, 1 / 16]))


def test_cells_are_in_the_order_of_their_axes():
    sweep = Sweep(axes=(Axis("p_naive", (0.1, 0.2)), Axis("T", (1.2, 1.4, 1.6))), seeds=3, block=16)
    assert sweep.cells()["p_naive"].tolist() == [0.1] * 3 + [0.2] * 3
    assert sweep.cells()["T"].tolist() == [1.2, 1.4, 1.6] * 2
    assert (sweep.shape, sweep.num_runs) == ((2, 3), 18)
    assert len(outcomes.Measures._fields) == 13
