"""Good values for the walk over the rooms of phases and of drawing, and what is left out of them and why."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ipd_theory import strategies
from ipd_theory.equilibria import Equilibrium
from ipd_theory.games import prisoners_dilemma
from ipd_theory.learning import play
from ipd_theory.phases import continuation, drift, grid, outcomes
from ipd_theory.tournaments.standings import Standings, tournament
from tests.bad_input import learning
from tests.bad_input.sampling import Thunk


def decaying(x: np.ndarray, parameter: float) -> continuation.Linearized:
    """The field parameter − x, of one coordinate."""
    return continuation.Linearized(parameter - x[:1], -np.eye(1), np.ones(1), -np.ones(1, complex))


def half(points: np.ndarray) -> Any:
    """Whether the first coordinate lies below a half."""
    return points[:, 0] < 0.5


def two_by_two() -> grid.Sweep:
    """A grid of four cells."""
    axes = (grid.Axis("p_naive", (0.0, 1.0)), grid.Axis("T", (1.5, 2.0)))
    return grid.Sweep(axes, grid.Cell(inner_episodes=1), seeds=1, steps=0, num_learners=1, num_judges=1, block=16)


@functools.cache
def measures() -> outcomes.Measures:
    """Of one pool of two agents."""
    return outcomes.Measures(*(np.zeros((1, 2)) for _ in outcomes.Measures._fields))


@functools.cache
def dataset() -> xr.Dataset:
    """What a sweep over `two_by_two` returns, as far as pictures read it."""
    axes = {axis.name: (axis.name, list(axis.values), {"long_name": axis.name}) for axis in two_by_two().axes}
    about = {"cell": {"discount": 0.9}, "start": None, "sum_episodes": False, "seeds": 1, "steps": 0, "seed": 0}
    about |= {"meta_rate": 0.1, "num_agents": 2, "num_learners": 1}
    values = {
        "outcome": (("p_naive", "T", "seed"), np.zeros((2, 2, 1), int)),
        "among_meta": (("p_naive", "T", "seed", "agent"), np.zeros((2, 2, 1, 2))),
    }
    return xr.Dataset(values, coords=axes, attrs=about)


def standings() -> Standings:
    """Of two strategies."""
    return tournament(
        prisoners_dilemma(), {"TFT": strategies.tit_for_tat(), "ALLD": strategies.always_defect()}, discount=0.9
    )


def a_figure() -> Figure:
    """An empty picture."""
    return Figure(figsize=(2, 1))


def some_axes() -> Axes:
    """Its axes."""
    return a_figure().subplots()


def reached(learning: play.Learning) -> Any:
    """Whether a pair got anywhere."""
    return np.asarray(learning.returns[..., -1, 0]) > 0


FIELD: dict[str, Thunk] = {"field": lambda: decaying, "start": lambda: np.zeros(1), "parameter": lambda: 0.5}
CELLS: dict[str, Thunk] = {"x": lambda: np.array([0.0, 1.0]), "y": lambda: np.array([1.0, 2.0])}
MAP: Thunk = lambda: np.array([[True, False], [False, False]])
GOOD: dict[str, Thunk] = {
    "axes": some_axes,
    "figure": a_figure,
    "grid": dataset,
    "inside": MAP,
    "measured": MAP,
    "measures": measures,
    "outcomes": lambda: np.zeros((2, 2, 1), int),
    "p_naive": lambda: 0.5,
    "path": lambda: Path("a.png"),
    "predicted": MAP,
    "sweep": two_by_two,
    "x_name": lambda: "p_naive",
    "y_name": lambda: "T",
}
OWN: dict[str, dict[str, Thunk]] = {
    "phases.basins.basin": {"reached": lambda: reached},
    "phases.basins.volume": {
        "inside": lambda: half,
        "dimensions": lambda: 2,
        "log2_points": lambda: 1,
        "replicates": lambda: 2,
        "seed": lambda: 0,
    },
    "phases.boundaries.left_defection": {"logits": lambda: np.zeros((2, 5))},
    "phases.boundaries.learning_rate_windows": {"points": lambda: 4},
    "phases.boundaries.sign_windows": {
        "function": lambda: np.log,
        "low": lambda: 0.1,
        "high": lambda: 10.0,
        "points": lambda: 4,
    },
    "phases.boundaries.unstable_cells": {"log2_learners": lambda: 1},
    "phases.continuation.distinct": {"points": lambda: [np.zeros(1), None]},
    "phases.continuation.fixed_point": FIELD,
    "phases.continuation.follow": FIELD | {"direction": lambda: 1},
    "phases.continuation.settled": FIELD | {"duration": lambda: 1.0},
    "phases.continuation.through": FIELD,
    "phases.drift.defection_drift": {"table": lambda: drift.from_logits},
    "phases.drift.sobol_learners": {"log2_count": lambda: 1},
    "phases.efficiency.measure": {
        "path": lambda: Path("no-such-map"),
        **{"log2_learners": lambda: 1, "starts": lambda: 2, "steps": lambda: 1},
    },
    "phases.grid.Sweep": {"axes": lambda: two_by_two().axes, "cell": grid.Cell},
    "phases.grid.cell_of": {"game": prisoners_dilemma, "settings": lambda: 0.5},
    "phases.outcomes.classify": {"R": lambda: 1.0, "P": lambda: 0.0, "player_2": lambda: (1.0, 0.0)},
    "phases.outcomes.tit_for_tat_like": {"logits": lambda: np.zeros((1, 2, 5))},
    "phases.store.load": {"path": lambda: Path("no-such-map")},
    "phases.sweep.run": {"path": lambda: Path("a-map")},
    "drawing.meta_game.payoff_table": {
        "names": lambda: ("a", "b"),
        "table": learning.table,
        "equilibria": lambda: (Equilibrium(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.0),),
        "remarks": lambda: {"a": "why"},
        "efficiency": lambda: np.array([0.5, 0.2]),
    },
    "drawing.bounds.shaping_bounds": {
        "returns": lambda: {"agent": np.ones(2)},
        "policies": lambda: np.full((2, 5), 0.5),
        "sustainable": lambda: 1.5,
    },
    "drawing.invasion.invasion_graph": {
        "names": lambda: ("a", "b"),
        "fixation": lambda: np.array([[0.5, 0.9], [0.1, 0.5]]),
        "population": lambda: 2,
        "shares": lambda: np.array([0.5, 0.5]),
    },
    "drawing.round_robin.heat_map": {"standings": standings},
    "drawing.payoffs.payoff_polygon": {"opponents": lambda: 4},
    "drawing.phase_maps.draw_outcomes": CELLS,
    "drawing.phase_maps.edges": {"values": lambda: np.array([1.0, 2.0]), "log": lambda: False},
    "drawing.phase_maps.is_log": {"values": lambda: np.array([1.0, 2.0, 4.0])},
    "drawing.phase_maps.outline": CELLS,
    "drawing.phase_maps.measure_map": {"name": lambda: "among_meta"},
    "drawing.phase_maps.phase_diagram": {"unstable": MAP},
    "drawing.style.put_below": {"paragraphs": lambda: ("words",)},
}


def _in(module: str, names: str, why: str) -> dict[str, str]:
    return {f"{module}.{name}": why for name in names.split()}


PIECE = "a piece of compiled code, behind doors that check what they are given"
INSIDE = {
    **_in("phases.drift", "from_logits from_probabilities", PIECE),
    **_in("phases.grid", "game_of", PIECE),
    **_in("phases.outcomes", "measure", PIECE),
    **_in("phases.stability", "StabilityCondition", "what `stability_condition` returns"),
    **_in(
        "phases.store",
        "described fingerprint difference create open_same missing_blocks runs_of write",
        "called by `sweep.run` with a sweep, which has been held to its kinds",
    ),
}
MEANT: dict[str, str] = {
    "drawing.payoffs.portrait name another word*": "a title may be any word",
    "drawing.meta_game.payoff_table efficiency nan": "unknown of every rule",
    "drawing.*.* caption another word": "any words",
    "drawing.payoffs.payoff_polygon name another word": "what the picture calls the strategy",
    "drawing.phase_maps.edges values another last axis": "three values have four borders",
    "drawing.phase_maps.is_log values another last axis": "any number of values is spaced",
    "drawing.style.put_below paragraphs another word": "any words",
    "drawing.style.save description another word": "any words",
    "phases.outcomes.tit_for_tat_like logits infinite": "play is sure; only signs are read",
    "phases.settings.Cell inner_episodes a number": "three episodes",
    "phases.stability.stability_condition batch_size a number": "a batch of that size",
}
