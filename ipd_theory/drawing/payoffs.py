"""A strategy in pictures: the payoffs that it leaves to both players, and its fingerprint."""

from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, automata, strategies
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.automata import Automaton
from ipd_theory.drawing import style
from ipd_theory.fingerprints import fingerprint
from ipd_theory.games import MatrixGame
from ipd_theory.payoff_sets import enforced_line, feasible, left_by
from ipd_theory.returns import expected_returns

with needs("figures"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FINGERPRINT_POINTS = 65


@checked
def payoff_polygon(
    game: MatrixGame,
    strategy: Float[ArrayLike, " h"] | Automaton,
    *,
    discount: float,
    name: str = "strategy",
    opponents: int = 2000,
    seed: int = 0,
) -> Figure:
    """Draw what both players earn when a strategy meets random and all pure memory-one opponents, in the polygon.

    A strategy that enforces a line shows it: all opponents lie on it, and it is drawn.

    Args:
        game: the stage game for two.
        strategy: [h] player 1's, memory 0 to 3, or its automaton.
        discount: γ in [0, 1].
        name: what it is called in the picture.
        opponents: how many random ones, their probabilities drawn from Beta(½, ½).
        seed: of their draw.

    Raises:
        ValueError: as `returns.expected_returns`.
    """
    with style.sheet():
        figure = Figure(figsize=(3.4, 3.4), layout="constrained")
        axes = figure.subplots()
        _show_payoffs(axes, game, strategy, discount, name, opponents, seed)
        figure.legend(loc="outside lower center", ncols=1, title=f"against {name}, {mean_in_words(discount)}")
    return figure


@checked
def portrait(
    game: MatrixGame,
    strategy: Float[ArrayLike, " h"] | Automaton,
    *,
    discount: float,
    name: str = "strategy",
    opponents: int = 2000,
    seed: int = 0,
) -> Figure:
    """Draw the payoffs that a strategy leaves (`payoff_polygon`), and its fingerprint.

    Arguments and errors are those of `payoff_polygon`.
    """
    with style.sheet():
        figure = Figure(figsize=(6.6, 3.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        _show_payoffs(left, game, strategy, discount, name, opponents, seed)
        figure.legend(loc="outside lower center", ncols=2)
        left.set_title("payoffs that it leaves")
        _show_fingerprint(figure, right, game, strategy, discount)
        right.set_title("fingerprint")
        payoffs = payoffs_in_words(np.asarray(game.outcome_payoffs)[0].tolist())
        style.put_below(figure, f"{name}, {mean_in_words(discount)}; payoffs {payoffs}.")
    return figure


def _show_payoffs(
    axes: Axes,
    game: MatrixGame,
    strategy: Float[ArrayLike, " h"] | Automaton,
    discount: float,
    name: str,
    opponents: int,
    seed: int,
) -> None:
    _checks.whole("opponents", opponents, 0)
    if not isinstance(strategy, Automaton):
        strategies.memory_of(strategy)
    rng = np.random.default_rng(_checks.whole("seed", seed, 0))
    random = rng.beta(0.5, 0.5, (opponents, 5))
    earned = [
        np.asarray(
            automata.expected_returns(game, strategy, automata.of_table(others), discount=discount)
            if isinstance(strategy, Automaton)
            else expected_returns(game, strategy, others, discount=discount)
        )
        for others in (random, strategies.all_pure(1))
    ]
    corners = np.asarray(game.outcome_payoffs).T  # [CC, CD, DC, DD; own, other]
    (whole,) = axes.fill(*feasible(game).T, color=style.PALE, linewidth=0, zorder=0)
    axes.plot(*earned[0].T, ".", color=style.SKY, markersize=2, label=f"{opponents} random opponents of memory one")
    axes.plot(*earned[1].T, "o", color=style.BLUE, markersize=3, label="32 pure opponents of memory one", zorder=4)
    line = None if isinstance(strategy, Automaton) else enforced_line(game, strategy, discount)
    if line is not None:
        slope, baseline = line
        ends = np.array([corners[:, 0].min(), corners[:, 0].max()])
        label = f"enforced: slope {slope:.3g}, baseline {baseline:.3g}"
        (drawn,) = axes.plot(ends, baseline + slope * (ends - baseline), color=style.VERMILION, label=label, zorder=3)
        drawn.set_clip_path(whole)
    elif not isinstance(strategy, Automaton):
        left = left_by(game, strategy, discount=discount)
        axes.fill(*left.T, facecolor="none", edgecolor=style.DARK, linewidth=0.8, zorder=4, label="all opponents")
    low, high = corners.min(0), corners.max(0)
    for label, corner in zip(("CC", "CD", "DC", "DD"), corners, strict=True):
        outward = corner - corners.mean(0)
        offset = 9 * outward / max(np.linalg.norm(outward), 1e-9)  # points
        place: dict[str, Any] = {"ha": "center", "va": "center", "xytext": offset}
        axes.annotate(label, corner, textcoords="offset points", color=style.DARK, **place)
    margin = 0.14 * (high - low).max()
    axes.set(
        xlim=(low[0] - margin, high[0] + margin),
        ylim=(low[1] - margin, high[1] + margin),
        xlabel=f"{name} earns (payoff a step)",
        ylabel="the opponent earns (payoff a step)",
        aspect="equal",
    )


def _show_fingerprint(
    figure: Figure, axes: Axes, game: MatrixGame, strategy: Float[ArrayLike, " h"] | Automaton, discount: float
) -> None:
    found = fingerprint(game, strategy, discount=discount, points=FINGERPRINT_POINTS)
    image = axes.imshow(np.asarray(found.scores), origin="lower", extent=(0, 1, 0, 1), cmap="cividis", aspect="equal")
    figure.colorbar(image, ax=axes, shrink=0.75, label="it earns (payoff a step)")
    for x, y, words in ((0, 0, "TFT"), (1, 0, "ALLC"), (0, 1, "ALLD"), (1, 1, "opposite of TFT")):
        place: dict[str, Any] = {
            "ha": "right" if x else "left",
            "va": "top" if y else "bottom",
            "xytext": (3 - 6 * x, 3 - 6 * y),
        }
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
        axes.annotate(words, (x, y), textcoords="offset points", fontsize=6, color=style.DARK, bbox=box, **place)
    axes.set(
        xlabel="x: tit for tat cooperates instead",
        ylabel="y: tit for tat defects instead",
        xticks=[0, 0.5, 1],
        yticks=[0, 0.5, 1],
    )
