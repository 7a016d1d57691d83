"""`ipd-theory phase`: axes are read, results are written and shown, bad input is one line."""

import json

import numpy as np
import pytest
import zarr

from ipd_theory import cli
from ipd_theory.commands.phase import axis_of
from ipd_theory.drawing import phase_maps
from ipd_theory.drawing.preview import LETTERS
from ipd_theory.phases import store
from ipd_theory.phases.boundaries import unstable_cells
from ipd_theory.phases.grid import Axis, Cell, Sweep
from ipd_theory.phases.outcomes import Outcome, majority
from paper_figures import phase_map, phase_step


def command(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["ipd-theory", "phase", *map(str, arguments)])
    cli.main()


def sweep_of(grid):
    """The sweep that a grid's attributes tell of."""
    axes = tuple(Axis(name, tuple(values)) for name, values in grid.attrs["axes"])
    return Sweep(axes, Cell(**grid.attrs["cell"]), seeds=grid.attrs["seeds"], block=grid.attrs["block"])


def test_axes_are_read():
    assert axis_of("p_naive:0:1:3", 16).values == (0.0, 0.5, 1.0)
    np.testing.assert_allclose(axis_of("learning_rate:0.5:50:3:log", 16).values, [0.5, 5, 50])
    np.testing.assert_allclose(axis_of("learning_rate:0.5:50::log", 2).values, [0.5, 50])
    assert len(axis_of("T:1:2", 16).values) == 16
    np.testing.assert_allclose(axis_of("T:1:4:log", 3).values, [1, 2, 4])
    assert axis_of("inner_episodes:1:4:12", 16).values == (1, 2, 3, 4)


def test_it_writes_and_shows_the_diagram_and_goes_on(monkeypatch, capsys, tmp_path):
    """Four cells of the smallest pools; the second call finds everything done."""
    small = ("--seeds", 2, "--steps", 2, "--num-learners", 1, "--inner-episodes", 1, "--block", 16, "--cpu-devices", 1)
    where = ("--x", "p_naive:0:1:2", "--y", "T:1.5:2:2", "--out", tmp_path)
    command(monkeypatch, *where, *small)
    out, err = capsys.readouterr()
    assert "p_naive 0 … 1" in out
    assert "small letters" in out
    assert "sweep.zarr" in err.replace("\n", "")
    for name in ("phase.png", "phase.pdf"):
        assert (tmp_path / name).stat().st_size > 5000
    grid = store.load(tmp_path / "sweep.zarr")
    assert dict(grid.sizes) == {"p_naive": 2, "T": 2, "seed": 2, "agent": 2, "context": 5}
    command(monkeypatch, *where, *small, "--json", "--boundary")
    data = json.loads(capsys.readouterr().out)
    np.testing.assert_array_equal(data["outcome"], grid.outcome.values)
    assert data["T"] == [1.5, 2.0]
    assert data["settings"]["steps"] == 2
    assert data["defection_unstable"] == unstable_cells(sweep_of(grid)).tolist()
    words = phase_maps.settings_in_words(grid)
    assert "p_naive" not in words
    assert "learning_rate 5; discount 0.95; inner_episodes 1;" in words
    assert "2 seeds from N(0, 1) logits, 2 steps of AdamW at 0.02, 2 agents, 1 learners each" in words
    with pytest.raises(SystemExit):
        command(monkeypatch, *where, *small, "--seed", 3)
    assert "holds a sweep with seed 0, not 3" in capsys.readouterr().err.replace("\n", " ")
    wider = ("--x", "p_naive:0:1:3", *where[2:], *small[:1], 3, *small[2:])
    command(monkeypatch, *wider)  # more points and seeds: a store and a picture beside the others, from what is there
    (beside,) = tmp_path.glob("sweep-*.zarr")
    assert zarr.open_group(beside).attrs["taken_over"] == 8
    assert store.load(tmp_path / "sweep.zarr").identical(grid)
    assert len([*tmp_path.glob("phase-*.png")]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--x", "colour:0:1"), "axis 'colour:0:1' names no setting; there are p_naive"),
        (("--x", "T:0.5:500:4:Log"), "axis 'T:0.5:500:4:Log' must be NAME:FROM:TO"),
        (("--x", "T:0.5:500:4:xyz"), "axis 'T:0.5:500:4:xyz' must be NAME:FROM:TO"),
        (("--x", "T:0.5:500:4:5"), "must be NAME:FROM:TO"),
        (("--x", "T:1:2:"), "must be NAME:FROM:TO"),
        (("--x", "T:1:2:3.5"), "must be NAME:FROM:TO"),
        (("--x", "T:1_0:20"), "must be NAME:FROM:TO"),
        (("--x", "T:1:inf"), "must be NAME:FROM:TO"),
        (("--x", "T:nan:2"), "must be NAME:FROM:TO"),
        (("--x", "T:1:2:1"), "must rise over 2 points or more"),
        (("--x", "T:1:2:99999999"), "must rise over 2 points or more (10000 at most)"),
        (("--cpu-devices", "0"), "--cpu-devices must be 1 or more; got 0"),
        (("--out", __file__), "must be a folder"),
        (("--x", "T"), "axis 'T' must be NAME:FROM:TO[:POINTS[:log]]"),
        (("--x", "T:2:1"), "axis 'T:2:1' must rise"),
        (("--x", "T:0:1:4:log"), "from above 0 if it is logarithmic"),
        (("--x", "p_naive:0:2:3"), "p_naive holds 2.0"),
        (("--block", "20"), "block must be a multiple of 16"),
    ],
)
def test_bad_input_is_one_line(arguments, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, "--cpu-devices", 1, *arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_the_preview_can_be_read_without_colour():
    kinds = np.array([[[2, 2, 2, 2], [1, 1, 1, 0]], [[0, 0, 1, 1], [5, 5, 5, 5]]])
    most, agreement = majority(kinds)
    assert most.tolist() == [[2, 1], [0, 5]]
    assert agreement.tolist() == [[1, 0.75], [0.5, 1]]
    assert {LETTERS[kind] for kind in Outcome} == set("DECXAO")


def test_borders_lie_between_cells():
    np.testing.assert_allclose(phase_maps.edges(np.array([0.0, 1.0, 2.0]), False), [-0.5, 0.5, 1.5, 2.5])
    np.testing.assert_allclose(phase_maps.edges(np.array([1.0, 100.0]), True), [0.1, 10, 1000])
    assert phase_maps.is_log(np.geomspace(0.1, 10, 5))
    assert not phase_maps.is_log(np.linspace(0.1, 10, 5))


def test_the_predicted_window_of_the_step_is_in_the_maps():
    """At M = 20 defection is unstable somewhere between small and large steps, whatever p_naive above 0."""
    settings = phase_step.Settings(cells=6)
    sweep = list(phase_step.panels(settings, 0).values())[-1]
    unstable = unstable_cells(sweep)
    assert unstable.shape == (6, 6)
    assert (unstable == unstable[:1]).all()
    assert unstable.any()
    assert not unstable[:, 0].any()
    assert phase_map.agreement(unstable, unstable[..., None]) == 1
