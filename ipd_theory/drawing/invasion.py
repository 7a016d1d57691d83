"""Who takes over whom: strategies in a circle, arrows where a mutant spreads more often than by chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style

with needs("figures"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch

NEUTRAL = 1e-9  # relative, of what counts as chance
SMALLEST, LARGEST = 420.0, 1900.0  # discs, in square points
MOST_NUMBERED = 6  # strategies; among more, all arrows and their numbers would lie on each other
ALONG = np.linspace(0.25, 0.5, 11)  # shares of an arrow's way at which its number may stand
Point = Float[np.ndarray, "2"]


@checked
def invasion_graph(
    names: Sequence[str],
    fixation: Float[ArrayLike, "_ _"],
    *,
    population: int,
    shares: Float[ArrayLike, " _"] | None = None,
    caption: str = "",
) -> Figure:
    """Draw an arrow from each resident to each mutant that takes over more often than chance, 1/N, says.

    An arrow is wider the more often, and its number is how many times as often; dotted lines join strategies between
    which chance decides both ways. Among more than six strategies each resident has the arrow to its likeliest
    successor alone.

    Args:
        names: of the n strategies.
        fixation: [n, n] probability that one of the column takes over a population of the row
            (`evolution.fixation_matrix`).
        population: N.
        shares: [n] of time in each strategy (`evolution.rare_mutation`), which the discs then show; else all alike.
        caption: the settings, in small print below.

    Raises:
        ValueError: if shapes do not fit, or an entry is no probability.
    """
    n = len(names)
    _checks.whole("population", population, 2)
    chance = np.asarray(_checks.probabilities("fixation", fixation), float)
    time = np.full(n, np.nan) if shares is None else np.asarray(_checks.probabilities("shares", shares), float)
    if chance.shape != (n, n) or time.shape != (n,):
        raise ValueError(f"fixation has the shape {chance.shape} and shares {time.shape}; there are {n} names")
    size = max(3.4, 1.9 + 0.32 * n)
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    places = np.stack([np.cos(angle), np.sin(angle)], -1) if n > 1 else np.zeros((1, 2))
    margin = 1.5 / size  # half an inch, as three units are as wide as the figure
    low, high = places[:, 1].min() - margin, places[:, 1].max() + margin
    with style.sheet():
        figure = Figure(figsize=(size, size * (high - low) / 3), layout="constrained")
        axes = figure.subplots()
        axes.axis("off")
        axes.set(xlim=(-1.5, 1.5), ylim=(low, high), aspect="equal")
        discs = np.where(np.isnan(time), SMALLEST, SMALLEST + (LARGEST - SMALLEST) * np.nan_to_num(time))
        _arrows(axes, places, np.sqrt(discs) / 2, chance * population)
        axes.scatter(
            places[:, 0], places[:, 1], s=discs, color=style.SKY, edgecolor=style.BLUE, linewidth=0.8, zorder=3
        )
        for name, place, share, disc in zip(names, places, time, discs, strict=True):
            if not np.isnan(share):
                axes.text(place[0], place[1], _percent(share), ha="center", va="center", fontsize=6, zorder=4)
            side: dict[str, Any] = {"ha": "left" if place[0] > 0.1 else "right" if place[0] < -0.1 else "center"}
            outside = (np.sqrt(disc) / 2 + 6) * place  # points, clear of the disc
            axes.annotate(
                name, place, xytext=outside, textcoords="offset points", va="center", fontsize=8, weight="bold", **side
            )
        style.put_below(figure, _key(n, shares is not None), caption)
    return figure


def _key(n: int, has_shares: bool) -> str:
    words = (
        "arrow: one mutant of the strategy it points to takes over this many times as often as by chance (1/N); "
        "dotted: by chance, both ways"
        if n <= MOST_NUMBERED
        else "arrow: to whom a strategy falls most often, the wider the more often; none where no mutant takes over "
        "more often than by chance (1/N)"
    )
    return words + ("; disc: share of time while mutants are rare" if has_shares else "")


def _percent(share: float) -> str:
    return f"{100 * share:.{3 if share >= 0.1 else 2}g} %" if share >= 0.001 else "0 %" if share == 0 else "<0.1 %"


def _arrows(axes: Axes, places: Float[np.ndarray, "n 2"], radii: Float[np.ndarray, " n"], times: ArrayLike) -> None:
    """Draw who invades whom; `times` [n, n] is the probability of takeover over that by chance."""
    ratio = np.asarray(times)
    spreads = (ratio > 1 + NEUTRAL) & ~np.eye(len(ratio), dtype=bool)
    by_chance = np.abs(ratio - 1) <= NEUTRAL
    numbered = len(ratio) <= MOST_NUMBERED
    if not numbered:
        spreads &= ratio >= (1 - NEUTRAL) * ratio.max(-1, keepdims=True)
    arrows, spots = np.argwhere(spreads).tolist(), np.zeros((0, 2))
    for j, i in arrows:
        bend = (0.18 if spreads[i, j] else 0.0) if numbered else _inwards(places[j], places[i])
        width = 0.7 + 1.3 * np.log10(ratio[j, i]) / max(np.log10(ratio.max()), 1e-9)
        _line(axes, places, radii, j, i, style.VERMILION, width=width, bend=bend)
        if numbered:
            others = [(places[k], places[m]) for k, m in arrows if {k, m} != {j, i}]
            spot = _clear(_on_the_way(places[j], places[i], bend), others, np.concatenate([spots, places]))
            spots = np.concatenate([spots, spot[None]])
            label = f"{ratio[j, i]:.2f}" if ratio[j, i] < 1.995 else f"{ratio[j, i]:.3g}"
            background = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"}
            axes.text(spot[0], spot[1], label, ha="center", va="center", fontsize=6, bbox=background, zorder=2)
    for j, i in np.argwhere(by_chance & by_chance.T & numbered).tolist():
        if i < j:
            _line(axes, places, radii, j, i, style.DARK, arrow="-", dotted=True)


def _inwards(first: Point, last: Point) -> float:
    """Return how to bend an arrow towards the centre, the more the shorter it is, so that it passes no disc."""
    across, middle = last - first, (first + last) / 2
    side = float(np.sign(across[0] * middle[1] - across[1] * middle[0]))
    return 0.4 * side * (1 - float(np.linalg.norm(across)) / 2)


def _on_the_way(first: Point, last: Point, bend: float) -> Float[np.ndarray, "n 2"]:
    """Return points of a bent arrow, which is a quadratic Bézier curve, where its number may stand."""
    across = last - first
    middle = (first + last) / 2 + bend * np.array([across[1], -across[0]])
    t = ALONG[:, None]
    return (1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last


def _clear(
    points: Float[np.ndarray, "n 2"], lines: Sequence[tuple[Point, Point]], taken: Float[np.ndarray, "m 2"]
) -> Point:
    """Return the point that is farthest from lines, and twice as far from what is taken."""
    room = np.linalg.norm(points[:, None] - taken, axis=-1).min(-1) / 2
    for first, last in lines:
        way = last - first
        t = np.clip((points - first) @ way / (way @ way), 0, 1)
        room = np.minimum(room, np.linalg.norm(points - first - t[:, None] * way, axis=-1))
    best: Point = points[room.argmax()]
    return best


def _line(
    axes: Axes,
    places: Float[np.ndarray, "n 2"],
    radii: Float[np.ndarray, " n"],
    j: int,
    i: int,
    colour: str,
    *,
    width: float = 0.8,
    bend: float = 0.0,
    arrow: str = "-|>",
    dotted: bool = False,
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            tuple(places[j]),
            tuple(places[i]),
            arrowstyle=arrow,
            mutation_scale=9,
            shrinkA=radii[j] + 1,
            shrinkB=radii[i] + 2,
            connectionstyle=f"arc3,rad={bend}",
            color=colour,
            linewidth=width,
            linestyle=":" if dotted else "-",
            zorder=1,
        )
    )
