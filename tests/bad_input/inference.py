"""Good values for the walk over strategies read from play."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ipd_theory as ipd
from ipd_theory import inference

ACTIONS = np.array([[[0, 1], [1, 0], [0, 0]], [[1, 1], [0, 0], [0, 1]]])


def _plays() -> Any:
    return inference.from_actions(ACTIONS)


def _file() -> Path:
    path = Path(tempfile.gettempdir()) / "ipd_theory_walk.csv"
    path.write_text("round,own,other\n1,C,C\n2,C,D\n")
    return path


def _runs() -> dict[str, Callable[[], Any]]:
    zero = {name: lambda: np.zeros(1, int) for name in ("first", "match", "player")}
    return {"outcomes": lambda: np.array([0, 3]), "lengths": lambda: np.array([2]), "players": lambda: ("x",), **zero}


def _said(*axes: int) -> Any:
    return inference.read_out(ipd.games.symmetric_game(R=3, S=0, T=5, P=1), np.full((2, *axes, 5), 0.5))


def _episodes() -> Any:
    return inference.fit_episodes(np.zeros((2, 3, 2, 4), int))


GOOD: dict[str, Callable[[], Any]] = {
    "plays": _plays,
    "counts": lambda: np.ones((5, 2), int),
    "actions": lambda: ACTIONS,
    "strategies": lambda: ("TFT", "ALLD"),
    "fit": lambda: inference.fit_table(_plays()),
}
OWN: dict[str, dict[str, Callable[[], Any]]] = {
    "inference.plays.Plays": _runs(),
    "inference.plays.read": {"path": _file},
    "inference.plays.from_frame": {"frame": lambda: {"round": [1, 2], "own": ["C", "D"], "other": ["D", "D"]}},
    "inference.plays.from_matches": {"matches": lambda: {(0, 1): [[("C", "D")]]}},
    "inference.plays.from_rollout": {"actions": lambda: np.zeros((3, 2, 4), int)},
    "inference.tables.fit_episodes": {"actions": lambda: np.zeros((2, 3, 2, 4), int)},
    "inference.readout.read_out": {"tables": lambda: np.full((2, 5), 0.5)},
    "drawing.readings.reading": {
        "fit": lambda: inference.fit_table(_plays()),
        "said": _said,
    },
    "drawing.readings.enforcement": {"fit": _episodes, "said": lambda: _said(2), "payoffs": lambda: np.ones((2, 2))},
    "inference.play.play_out": {
        **dict.fromkeys(("first", "second"), ipd.strategies.tit_for_tat),
        **{"matches": lambda: 2, "rounds": lambda: 3, "seed": lambda: 0},
    },
}
INSIDE = {
    "inference.mixtures.joint": "is given what `fit_mixture` looked at",
    "inference.mixtures.climb": "is given what `fit_mixture` looked at",
    "inference.mixtures.best_tremble": "is given what `fit_mixture` looked at",
    "inference.counts.placed": "places rounds for `count`",
    "inference.counts.merged": "adds up what `count` returned",
    "inference.counts.labels": "is asked for memories that were looked at",
    "inference.tables.interval": "is given what `fit_counts` looked at",
    "inference.tables.log_likelihood": "is given what `fit_counts` looked at",
    "inference.tables.at_its_best": "is given what `fit_counts` looked at",
    "inference.tables.log_evidence": "is given what `fit_counts` looked at",
    "drawing.readings.show_tables": "draws what `enforcement` was given",
    "drawing.readings.show_line": "draws what `enforcement` was given",
    "drawing.readings.show_spreads": "draws what `read_out` found",
    "drawing.readings.show_payoffs": "draws what `enforcement` was given",
    "inference.readout.spread": "is given what `read_out` found",
    "inference.memories.reactive_labels": "is asked for memories that were looked at",
    "inference.memories.ratio_test": "is given what `count` returned",
}
MEANT: dict[str, str] = {"drawing.readings.* name another word": "a name is written as it is"}
