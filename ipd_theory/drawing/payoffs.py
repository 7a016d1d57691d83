"""The payoffs that a strategy leaves to both players: against whom it plays, they lie in one part of the polygon."""

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, automata, strategies, zero_determinant
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.automata import Automaton
from ipd_theory.drawing import style
from ipd_theory.games import MatrixGame
from ipd_theory.returns import expected_returns

with needs("figures"):
    from matplotlib.figure import Figure
    from scipy.spatial import ConvexHull


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
    with style.sheet():
        figure = Figure(figsize=(3.4, 3.4), layout="constrained")
        axes = figure.subplots()
        hull = corners[ConvexHull(corners).vertices]
        axes.fill(*hull.T, color=style.PALE, linewidth=0, zorder=0)
        axes.plot(*earned[0].T, ".", color=style.SKY, markersize=2, label=f"{opponents} random opponents")
        axes.plot(*earned[1].T, "o", color=style.BLUE, markersize=3, label="32 pure opponents")
        line = None if isinstance(strategy, Automaton) else enforced_line(game, strategy, discount)
        if line is not None:
            slope, baseline = line
            ends = np.array([corners[:, 0].min(), corners[:, 0].max()])
            theirs = baseline + slope * (ends - baseline)
            axes.plot(
                ends, theirs, color=style.VERMILION, label=f"enforced: slope {slope:.3g}, baseline {baseline:.3g}"
            )
        for label, corner in zip(("CC", "CD", "DC", "DD"), corners, strict=True):
            axes.annotate(label, corner, textcoords="offset points", xytext=(4, 4), color=style.DARK)
        low, high = corners.min(0), corners.max(0)
        margin = 0.08 * (high - low).max()
        axes.set(
            xlim=(low[0] - margin, high[0] + margin),
            ylim=(low[1] - margin, high[1] + margin),
            xlabel=f"{name} earns (payoff a step)",
            ylabel="the opponent earns (payoff a step)",
            aspect="equal",
        )
        mean = "limit of means" if discount == 1 else f"γ = {discount:g}"
        figure.legend(loc="outside lower center", ncols=1, title=f"against {name}, {mean}")
    return figure


@checked
def enforced_line(game: MatrixGame, strategy: Float[ArrayLike, " h"], discount: float) -> tuple[float, float] | None:
    """Return s and l of the line s (π_1 − l) = π_2 − l that a memory-one strategy enforces, None if it does not.

    Where s = 1 any l says the same, and the payoff of mutual defection is taken.
    """
    if strategies.memory_of(strategy) != 1 or discount == 0:
        return None
    relation = zero_determinant.relation(game, strategy, discount)
    scale = float(np.ptp(np.asarray(game.outcome_payoffs)))
    own, other = float(relation.own) * scale, float(relation.other) * scale
    if float(relation.residual) > 1e-18 or abs(other) < 1e-9:
        return None
    even = abs(own + other) < 1e-9
    return -own / other, float(game.outcome_payoffs[0, 3]) if even else float(relation.baseline)
