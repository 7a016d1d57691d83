"""Pictures of evolution show what was computed: arrows where mutants spread, discs as large as shares."""

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

import ipd_theory as ipd
from ipd_theory.drawing import evolution as drawing
from ipd_theory.drawing import invasion
from ipd_theory.evolution import random_reactive, succession


def test_arrows_go_from_a_resident_to_whoever_takes_over_more_often_than_by_chance() -> None:
    fixation = np.array([[0.1, 0.3, 0.1], [0.05, 0.1, 0.05], [0.1, 0.25, 0.1]])
    figure = invasion.invasion_graph(["A", "B", "C"], fixation, population=10, shares=np.array([0.0, 0.75, 0.25]))
    (axes,) = figure.axes
    arrows = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    places = {t.get_text(): t.get_position() for t in axes.texts}
    assert sorted(p.get_linestyle() for p in arrows) == ["-", "-", ":"]  # A and C by chance
    assert {"3", "2.5", "0 %", "75 %", "25 %"} <= set(places)
    from_a = next(p for p in arrows if p.get_linewidth() == max(p.get_linewidth() for p in arrows))
    assert np.allclose(from_a._posA_posB[0], [0, 1])  # A stands at the top, B to its right
    assert from_a._posA_posB[1][0] > 0
    sizes = axes.collections[0].get_sizes()
    assert sizes[1] > sizes[2] > sizes[0]
    with pytest.raises(ValueError, match=r"fixation has the shape \(3, 3\) .* there are 2 names"):
        invasion.invasion_graph(["A", "B"], fixation, population=10)


def test_among_many_each_resident_has_the_arrow_to_its_likeliest_successor_alone() -> None:
    fixation = np.random.default_rng(1).uniform(0, 0.3, (9, 9))
    fixation[4] = 0.09  # below chance, 1/10
    (axes,) = invasion.invasion_graph(list("ABCDEFGHI"), fixation, population=10).axes
    places = {name: axes.collections[0].get_offsets()[i] for i, name in enumerate("ABCDEFGHI")}
    drawn = {
        tuple(min(places, key=lambda name: np.linalg.norm(places[name] - end)) for end in p._posA_posB)
        for p in axes.patches
    }
    assert drawn == {("ABCDEFGHI"[j], "ABCDEFGHI"[row.argmax()]) for j, row in enumerate(fixation) if j != 4}
    assert len(axes.patches) == 8
    assert len(axes.texts) == 9  # names alone


def test_numbers_of_arrows_stand_apart() -> None:
    """With all twenty arrows among five, and all thirty among six, no two numbers are nearer than letters are high."""
    for n in (5, 6):
        fixation = np.full((n, n), 0.2) + 0.1 * np.random.default_rng(n).random((n, n))
        np.fill_diagonal(fixation, 0.1)
        figure = invasion.invasion_graph(list("ABCDEF"[:n]), fixation, population=10)
        spots = np.array([t.get_position() for t in figure.axes[0].texts if t.get_text()[0].isdigit()])
        apart = np.linalg.norm(spots[:, None] - spots, axis=-1) * figure.get_figwidth() / 3 * 72  # points
        assert len(spots) == n * (n - 1)
        assert (apart[~np.eye(len(spots), dtype=bool)] > 6).all()


def test_of_two_strategies_the_first_is_drawn() -> None:
    shares = np.array([[0.5, 0.5], [0.9, 0.1]])
    (axes,) = drawing.shares_over_time(["A", "B"], np.arange(2), shares).axes
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), [0.5, 0.9])
    assert axes.get_ylabel() == "share of A, against B"


def test_shares_are_drawn_run_by_run_and_as_their_mean() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(3), (2, 5))
    (axes,) = drawing.shares_over_time(["A", "B", "C"], np.arange(5), shares).axes
    labelled = {line.get_label(): line.get_ydata() for line in axes.lines if not line.get_label().startswith("_")}
    assert len(axes.lines) == 3 * (2 + 1)
    np.testing.assert_allclose(labelled["B"], shares[..., 1].mean(0))
    with pytest.raises(ValueError, match="times must be as many"):
        drawing.shares_over_time(["A", "B", "C"], np.arange(4), shares)


def test_a_population_in_the_triangle_stands_where_its_shares_say() -> None:
    path = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3]])
    (axes,) = drawing.simplex_flow(["A", "B", "C"], np.array([[0.0, 1, -1], [-1, 0, 1], [1, -1, 0]]), path).axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[0.5, 0.75**0.5], [1, 0], [0, 0], [0.5, 0.75**0.5 / 3]])
    names = {text.get_text(): text.get_position() for text in axes.texts}
    assert names["A"][1] > names["B"][1]
    assert names["B"][0] > names["C"][0]


def test_the_zone_that_rewards_cooperation_is_shaded_below_its_line() -> None:
    game = ipd.games.donation_game(2.0, 1.0)
    (axes,) = drawing.reactive_flow(game, discount=1.0, paths=np.array([[[0.5, 0.1], [0.6, 0.2]]])).axes
    shaded = axes.collections[0].get_paths()[0]
    assert shaded.contains_point((0.9, 0.1))
    assert not shaded.contains_point((0.6, 0.3))  # r = 0.3 is less than c/b = 0.5
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[0.5, 0.1], [0.6, 0.2]])


def test_the_succession_names_when_leaders_take_over() -> None:
    run = succession(random_reactive(3), 400)
    figure = drawing.succession(run)
    said = [text.get_text() for text in figure.axes[1].texts]
    leaders = run.shares.argmax(-1)
    for words in said:
        turn = int(words.removeprefix("from ")) - 1
        assert turn == 0 or leaders[turn] != leaders[turn - 1]
    assert len(said) >= 3
    with pytest.raises(ValueError, match="run must be one population"):
        drawing.succession(succession(np.stack([random_reactive(3)] * 2), 2))


def test_bars_hold_the_probabilities() -> None:
    P = np.array([0.2, 0.5, 0.3])
    (axes,) = drawing.count_bars(["A", "B"], P).axes
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], P)
    assert axes.get_legend().get_texts()[0].get_text() == "mean 1.1"
