"""Drawing: pictures are written whole and alike, colours mean one thing, and bad data is named."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import ipd_theory as ipd
from ipd_theory.drawing import phase_maps, style
from ipd_theory.drawing.meta_game import payoff_table
from ipd_theory.drawing.payoffs import payoff_polygon
from ipd_theory.equilibria import Equilibrium
from ipd_theory.learning.tournament import MetaGame
from ipd_theory.phases.outcomes import Outcome
from paper_figures import recorded, shaping_problems

A = np.array([[3.0, 0.0], [5.0, 1.0]])
TABLE = MetaGame(A, A.T, np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2, bool))


def test_the_same_figure_gives_the_same_file_and_a_failure_leaves_none(tmp_path, monkeypatch):
    def drawn():
        with style.sheet():
            figure = Figure(figsize=(2, 1))
            figure.subplots().plot([0, 1])
            style.put_below(figure, "words " * 30)
        return figure

    for suffix in ("png", "pdf", "svg"):
        first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
        style.save(drawn(), first, "a line")
        style.save(drawn(), second, "a line")
        assert first.read_bytes() == second.read_bytes()

    def full(self, path, **settings):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OSError, match="No space"):
        style.save(drawn(), tmp_path / "c.png")
    assert not [path for path in tmp_path.iterdir() if "c.png" in path.name]


def test_every_outcome_and_estimator_has_a_colour_of_its_own():
    assert list(style.OUTCOMES) == [kind.label for kind in Outcome]
    for palette in (style.OUTCOMES, style.ESTIMATORS, style.PLAYERS, style.CONTEXTS):
        assert len(set(palette.values())) == len(palette)


def test_cells_not_yet_computed_stay_white():
    axes = Figure().subplots()
    phase_maps.draw_outcomes(axes, np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([[[-1], [2]], [[0], [-1]]]))
    colours = axes.collections[0].get_array().reshape(2, 2, 3)  # [y, x]
    np.testing.assert_array_equal(colours[0, 0], 1)
    np.testing.assert_array_equal(colours[1, 1], 1)
    assert (colours[1, 0] != 1).any()


def test_the_table_frames_what_equilibria_play_and_marks_remarks():
    figure = payoff_table(["C", "D"], TABLE, [Equilibrium(np.array([0.0, 1]), np.array([0.0, 1]), 0.0)], {"D": "why"})
    (frame,) = figure.axes[0].patches
    assert (round(frame.get_x()), round(frame.get_y())) == (1, 1)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["C", "D *"]
    assert "* D: why" in figure._supxlabel.get_text()
    with pytest.raises(ValueError, match=r"for 3 names it must be \(3, 3\)"):
        payoff_table(["C", "D", "E"], TABLE, [])


@pytest.mark.parametrize(
    ("values", "log", "message"),
    [([], False, "values must be"), ([1.0, np.nan], False, "values must be"), ([0.0, 1.0], True, "above 0 where log")],
)
def test_bad_values_are_named(values, log, message):
    with pytest.raises(ValueError, match=message):
        phase_maps.edges(np.array(values), log)


def test_a_strategy_has_its_line_inside_the_feasible_payoffs_or_the_outline_of_what_it_leaves():
    game = ipd.games.axelrod()
    for strategy, said in (("TFT", "enforced: slope 1, baseline 1"), ("WSLS", "all opponents")):
        figure = payoff_polygon(game, ipd.strategies.named(strategy), discount=1.0, opponents=10)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        assert labels[2:] == [said]
        assert (handles[2].get_clip_path() is not None) == (strategy == "TFT")


def test_the_style_is_found_from_anywhere(tmp_path):
    """As notebooks do it, in a folder that knows nothing of the repository."""
    drawn = (
        "from matplotlib import pyplot as plt; from ipd_theory.drawing import style\n"
        "plt.style.use('ipd_theory.drawing.ipd_theory'); assert plt.rcParams['axes.spines.top'] is False\n"
        "plt.rcdefaults()\nwith style.sheet(): assert plt.rcParams['axes.spines.top'] is False"
    )
    package = str(Path(style.__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": package, "MPLBACKEND": "agg", "MPLCONFIGDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", drawn], cwd=tmp_path, env=environment, check=True)
    for source in (Path(package) / "notebooks").glob("*.py"):
        assert not re.search(r"mplstyle|\bfrom paper_figures\b|sys\.path", source.read_text()), source


def test_figures_take_their_colours_from_the_palette():
    """A colour written out is grey, white or black; a method's is the one of its estimator in every figure."""
    neutral = re.compile(r"white|black|none|0?\.\d+|0|1")
    colours = {"color", "c", "mfc", "mec", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor", "ecolor"}
    for path in Path(recorded.__file__).parent.glob("*.py"):
        text = path.read_text()
        assert not re.search(r"['\"](#[0-9A-Fa-f]{6}|C\d|tab:\w+)['\"]", text), path
        for word in (x for x in ast.walk(ast.parse(text)) if isinstance(x, ast.keyword) and x.arg in colours):
            if isinstance(word.value, ast.Constant):
                assert neutral.fullmatch(str(word.value.value)), f"{path.name}: {ast.unparse(word)}"
    assert {recorded.METHODS[x]: recorded.COLORS[x] for x in recorded.METHODS}.items() <= style.ESTIMATORS.items()
    for name, (_, colour, _) in shaping_problems.ESTIMATORS.items():
        assert colour == style.ESTIMATORS[name]
