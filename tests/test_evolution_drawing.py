"""Pictures of evolution show what was computed: arrows where mutants spread, discs as large as shares."""

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from ipd_theory.drawing import invasion


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
