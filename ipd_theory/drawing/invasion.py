"""Who takes over whom: strategies in a circle, arrows where a mutant spreads more often than by chance."""

from collections.abc import Sequence

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
MOST_NUMBERED = 6  # strategies; among more, numbers would lie on each other
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

    An arrow is wider the more often; among up to six strategies its number is how many times as often. Dotted lines
    join strategies between which chance decides both ways.

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
    with style.sheet():
        figure = Figure(figsize=(size, size), layout="constrained")
        axes = figure.subplots()
        axes.axis("off")
        angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
        places = np.stack([np.cos(angle), np.sin(angle)], -1) if n > 1 else np.zeros((1, 2))
        axes.set(xlim=(-1.5, 1.5), ylim=(places[:, 1].min() - 0.4, places[:, 1].max() + 0.4), aspect="equal")
        discs = np.where(np.isnan(time), SMALLEST, SMALLEST + (LARGEST - SMALLEST) * np.nan_to_num(time))
        _arrows(axes, places, np.sqrt(discs) / 2, chance * population)
        axes.scatter(
            places[:, 0], places[:, 1], s=discs, color=style.SKY, edgecolor=style.BLUE, linewidth=0.8, zorder=3
        )
        for name, (x, y), share in zip(names, places, time, strict=True):
            if not np.isnan(share):
                axes.text(x, y, _percent(share), ha="center", va="center", fontsize=6, zorder=4)
            side = "left" if x > 0.1 else "right" if x < -0.1 else "center"
            axes.text(*_outside(x, y, share), name, ha=side, va="center", fontsize=8, weight="bold", zorder=4)
        style.put_below(figure, _key(n, shares is not None), caption)
    return figure


def _key(n: int, has_shares: bool) -> str:
    arrow = (
        "takes over this many times as often as"
        if n <= MOST_NUMBERED
        else "takes over more often, the wider the more, than"
    )
    words = f"arrow: one mutant of the strategy it points to {arrow} by chance (1/N); dotted: by chance, both ways"
    return words + ("; disc: share of time while mutants are rare" if has_shares else "")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %" if share >= 0.001 else "0 %" if share == 0 else "<0.1 %"


def _outside(x: float, y: float, share: float) -> tuple[float, float]:
    """Return where a disc's name stands: outside of the circle, clear of the disc."""
    reach = 1.16 + (0.0 if np.isnan(share) else 0.16 * np.sqrt(share))
    return x * reach, y * (reach + 0.03)


def _arrows(axes: Axes, places: Float[np.ndarray, "n 2"], radii: Float[np.ndarray, " n"], times: ArrayLike) -> None:
    """Draw who invades whom; `times` [n, n] is the probability of takeover over that by chance."""
    ratio = np.asarray(times)
    spreads = ratio > 1 + NEUTRAL
    by_chance = np.abs(ratio - 1) <= NEUTRAL
    for j, i in np.ndindex(ratio.shape):
        if spreads[j, i]:
            both = spreads[i, j]
            width = 0.7 + 1.3 * np.log10(ratio[j, i]) / max(np.log10(ratio.max()), 1e-9)
            _line(axes, places, radii, j, i, style.VERMILION, width=width, bend=0.18 if both else 0.0)
            if len(ratio) > MOST_NUMBERED:
                continue
            # A third of the way, so that numbers of crossing arrows do not meet in the middle.
            across = places[i] - places[j]
            spot = places[j] + 0.36 * across + (0.1 if both else 0.0) * np.array([across[1], -across[0]])
            label = f"{ratio[j, i]:.2f}" if ratio[j, i] < 1.995 else f"{ratio[j, i]:.3g}"
            background = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"}
            axes.text(spot[0], spot[1], label, ha="center", va="center", fontsize=6, bbox=background, zorder=2)
        elif by_chance[j, i] and by_chance[i, j] and i < j:
            _line(axes, places, radii, j, i, style.DARK, arrow="-", dotted=True)


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
