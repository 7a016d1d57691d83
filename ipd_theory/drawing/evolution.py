"""Populations on their way: shares over time, three strategies in a triangle, reactive strategies in their square."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style
from ipd_theory.evolution import RestPoints, Succession, selection_gradient
from ipd_theory.games import MatrixGame

with needs("figures"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CORNERS = np.array([[0.5, np.sqrt(0.75)], [1.0, 0.0], [0.0, 0.0]])  # of the first, second and third strategy
COLOURS = (
    *(style.BLUE, style.VERMILION, style.GREEN, style.PINK, style.ORANGE, style.SKY, style.DARK),
    style.YELLOW,
)
GRID = 41


def _held(name: str, x: ArrayLike, *shape: int | None) -> Float[np.ndarray, "..."]:
    """Return an array of finite numbers of this shape, any length where it says None, having checked it."""
    array = np.asarray(x, float)
    fits = array.ndim == len(shape) and all(want in (None, has) for want, has in zip(shape, array.shape, strict=True))
    if not fits or array.size == 0:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} must have the shape ({wanted}); got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


@checked
def shares_over_time(
    names: Sequence[str],
    times: Float[ArrayLike, " _"],
    shares: Float[ArrayLike, "... _ _"],
    *,
    unit: str = "generation",
    caption: str = "",
) -> Figure:
    """Draw the share of each strategy over time, the mean of several runs thick and each run thin.

    Args:
        names: of the n strategies; of two, the share of the first is drawn.
        times: [t].
        shares: [t, n], or [runs, t, n].
        unit: what time counts.
        caption: the settings, in small print below.

    Raises:
        ValueError: if shapes do not fit.
    """
    t, n = _held("times", times, None), len(names)
    if np.ndim(shares) > 1 and np.shape(shares)[-2] != t.size:
        raise ValueError(f"times must be as many as those of shares, {np.shape(shares)[-2]}; got {t.size}")
    runs = _held("shares", shares if np.ndim(shares) == 3 else np.asarray(shares)[None], None, t.size, n)
    with style.sheet():
        figure = Figure(figsize=(4.2, 2.7), layout="constrained")
        axes = figure.subplots()
        for i, name in enumerate(names if n != 2 else names[:1]):
            colour, dashes = COLOURS[i % len(COLOURS)], ("-", "--", ":")[i // len(COLOURS) % 3]
            if len(runs) > 1:
                axes.plot(t, runs[..., i].T, color=colour, linewidth=0.4, alpha=0.5)
            axes.plot(t, runs[..., i].mean(0), color=colour, linestyle=dashes, label=name)
        axes.set(xlabel=unit, ylabel="share of the population", ylim=(-0.02, 1.02), xlim=(t[0], t[-1] or 1))
        if n == 2:
            axes.set_ylabel(f"share of {names[0]}, against {names[1]}")
        else:
            figure.legend(loc="outside right center", ncols=1 + len(names) // 13)
        style.put_below(figure, *["thick: mean of the runs"] * (len(runs) > 1), caption)
    return figure


@checked
def simplex_flow(
    names: Sequence[str], A: Float[ArrayLike, "_ _"], path: Float[ArrayLike, "_ _"] | None = None, *, caption: str = ""
) -> Figure:
    """Draw the replicator dynamics of three strategies as streams in the triangle of their shares.

    Args:
        names: of the three, at the top, the right and the left corner.
        A: [3, 3] payoff of row against column.
        path: [t, 3] shares of one population over time, which is drawn in.
        caption: the settings, in small print below.

    Raises:
        ValueError: if shapes do not fit, or numbers are not finite.
    """
    payoffs = _held("A", A, 3, 3)
    x, y = np.meshgrid(np.linspace(0, 1, GRID), np.linspace(0, CORNERS[0, 1], GRID))
    share = _barycentric(x, y)
    f = share @ payoffs.T
    flow = share * (f - (share * f).sum(-1, keepdims=True))
    flow[(share < -1e-9).any(-1)] = np.nan
    u, v = np.moveaxis(flow @ CORNERS, -1, 0)
    with style.sheet():
        figure = Figure(figsize=(3.6, 3.3), layout="constrained")
        axes = figure.subplots()
        axes.fill(CORNERS[:, 0], CORNERS[:, 1], facecolor="none", edgecolor=style.DARK, linewidth=1.0)
        axes.streamplot(x, y, u, v, color=np.hypot(u, v), cmap="cividis", density=1.1, linewidth=0.8, arrowsize=0.8)
        if path is not None:
            way = _held("path", path, None, 3) @ CORNERS
            axes.plot(way[:, 0], way[:, 1], color=style.VERMILION, linewidth=1.8, zorder=4)
            axes.plot(way[0, 0], way[0, 1], "o", color="white", markeredgecolor=style.VERMILION, markersize=5, zorder=5)
            axes.plot(way[-1, 0], way[-1, 1], "o", color=style.VERMILION, markersize=5, zorder=5)
        for name, corner, (ha, va) in zip(
            names, CORNERS, (("center", "bottom"), ("center", "top"), ("center", "top")), strict=True
        ):
            spot = corner + (0.03 if va == "bottom" else -0.03) * np.array([0, 1])
            axes.text(spot[0], spot[1], name, ha=ha, va=va, fontsize=9, weight="bold")
        axes.set(xlim=(-0.12, 1.12), ylim=(-0.1, 0.98), aspect="equal")
        axes.axis("off")
        words = "streams: replicator dynamics, the lighter the faster"
        drawn = "" if path is None else "; line: this population from its start (open) to its end (full)"
        style.put_below(figure, words + drawn, caption)
    return figure


def _barycentric(x: Float[np.ndarray, "*s"], y: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s 3"]:
    top = y / CORNERS[0, 1]
    right = x - 0.5 * top
    return np.stack([top, right, 1 - top - right], -1)


@checked
def count_bars(names: Sequence[str], probabilities: Float[ArrayLike, " counts"], *, caption: str = "") -> Figure:
    """Draw how many players of the first of two strategies there are, in the long run.

    Args:
        names: of the two strategies.
        probabilities: [N + 1] of 0 … N players of the first (`evolution.count_distribution`).
        caption: the settings, in small print below.
    """
    P = np.asarray(_checks.probabilities("probabilities", _held("probabilities", probabilities, None)))
    with style.sheet():
        figure = Figure(figsize=(3.8, 2.5), layout="constrained")
        axes = figure.subplots()
        axes.bar(np.arange(P.size), P, width=1.0, color=style.SKY, edgecolor=style.BLUE, linewidth=0.3)
        mean = float(P @ np.arange(P.size))
        axes.axvline(mean, color=style.VERMILION, linestyle="--", label=f"mean {mean:.1f}")
        axes.set(xlabel=f"players of {names[0]}; the others play {names[1]}", ylabel="probability", ylim=(0, None))
        axes.legend()
        style.put_below(figure, caption)
    return figure


@checked
def reactive_flow(
    game: MatrixGame,
    *,
    discount: float,
    error: float = 0.0,
    paths: Float[ArrayLike, "_ _ _"] | None = None,
    rest: RestPoints | None = None,
    caption: str = "",
) -> Figure:
    """Draw the adaptive dynamics of reactive strategies: p, q to cooperate after the other's cooperation, defection.

    Args:
        game: for two.
        discount: γ in [0, 1].
        error: the probability with which any intended action is flipped.
        paths: [runs, t, 2] populations on their way (`evolution.trajectory`).
        rest: where populations rest (`evolution.rest_points`).
        caption: the settings, in small print below.
    """
    line = np.linspace(0.5 / GRID, 1 - 0.5 / GRID, GRID)
    points = np.stack(np.meshgrid(line, line), -1)
    settings: dict[str, Any] = {"discount": discount, "family": strategies.reactive_n, "error": error}
    G = np.asarray(selection_gradient(game, points, **settings))
    with style.sheet():
        figure = Figure(figsize=(3.7, 3.8), layout="constrained")
        axes = figure.subplots()
        axes.contourf(line, line, G.min(-1), levels=[0, np.inf], colors=[style.SKY], alpha=0.35)
        axes.streamplot(line, line, G[..., 0], G[..., 1], color=style.DARK, density=1.1, linewidth=0.6, arrowsize=0.8)
        if paths is not None:
            for way in _held("paths", paths, None, None, 2):
                axes.plot(way[:, 0], way[:, 1], color=style.VERMILION, linewidth=1.8, clip_on=False, zorder=4)
                axes.plot(
                    way[0, 0],
                    way[0, 1],
                    "o",
                    color="white",
                    markeredgecolor=style.VERMILION,
                    markersize=5,
                    clip_on=False,
                )
        _rest(axes, rest)
        for name, spot, offset in (("ALLD", (0, 0), (8, 6)), ("TFT", (1, 0), (-24, 6)), ("ALLC", (1, 1), (-28, -12))):
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            axes.annotate(name, spot, textcoords="offset points", xytext=offset, weight="bold", bbox=box, zorder=6)
        axes.set(
            xlabel="p, cooperates after cooperation",
            ylabel="q, cooperates after defection",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
        words = "arrows: where mutants gain most; blue: more cooperation pays, both after C and after D"
        drawn = "" if paths is None else "; lines: populations from their starts (open)"
        marks = "" if rest is None else "; discs: rest points, full where neighbours come back, small on a line of them"
        style.put_below(figure, words + drawn + marks, caption)
    return figure


def _rest(axes: Axes, rest: RestPoints | None) -> None:
    if rest is None:
        return
    neutral = (np.abs(rest.eigenvalues) == 0).any(-1)
    for kind, face, size in (
        (rest.convergence_stable, style.GREEN, 6),
        (~rest.convergence_stable & ~neutral, "white", 6),
        (neutral, "white", 3),
    ):
        axes.plot(
            rest.x[kind, 0],
            rest.x[kind, 1],
            "o",
            color=face,
            markeredgecolor=style.GREEN,
            markersize=size,
            clip_on=False,
            zorder=5,
            linestyle="none",
        )


@checked
def succession(run: Succession, *, caption: str = "") -> Figure:
    """Draw the succession of reactive strategies: the averages over time, and who leads in the square of p and q.

    Args:
        run: one population, from `evolution.succession`.
        caption: the settings, in small print below.

    Raises:
        ValueError: if it holds several populations.
    """
    if run.shares.ndim != 2:
        raise ValueError(f"run must be one population; got shares of the shape {run.shares.shape}")
    t = np.arange(len(run.shares))
    with style.sheet():
        figure = Figure(figsize=(6.4, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        for values, name, colour in (
            (run.mean_responses[:, 0], "mean p, after cooperation", style.BLUE),
            (run.mean_responses[:, 1], "mean q, after defection", style.VERMILION),
        ):
            left.plot(t + 1, values, color=colour, label=name)
        payoff = left.twinx()
        payoff.plot(t + 1, run.mean_payoff, color=style.DARK, linestyle="--", label="mean payoff")
        payoff.set_ylabel("payoff a step (dashed)")
        payoff.spines["right"].set_visible(True)
        left.set(xscale="log", xlabel="generation, from 1", ylabel="probability to cooperate", ylim=(-0.02, 1.02))
        left.legend(loc="upper left")
        leaders = run.shares.argmax(-1)
        turns = np.flatnonzero(np.r_[True, leaders[1:] != leaders[:-1]])
        right.plot(run.responses[:, 0], run.responses[:, 1], ".", color=style.PALE, markersize=4)
        reigns = [turn for turn, after in zip(turns, [*turns[1:], len(t)], strict=True) if after - turn > len(t) // 100]
        way = run.responses[leaders[reigns]]
        right.plot(way[:, 0], way[:, 1], "-o", color=style.VERMILION, markersize=4, linewidth=1, clip_on=False)
        for turn, (p, q) in zip(reigns, way, strict=True):
            right.annotate(f"from {turn + 1}", (p, q), textcoords="offset points", xytext=(4, 4), fontsize=6)
        right.set(xlabel="p", ylabel="q", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        words = "right: every strategy (grey) and those that lead for more than 1 % of the time, in turn"
        style.put_below(figure, words, caption)
    return figure
