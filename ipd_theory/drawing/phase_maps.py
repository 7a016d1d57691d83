"""Maps of phases: the outcome of every cell of a sweep, and outlines of what theory predicts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style
from ipd_theory.drawing._axes import check_axes
from ipd_theory.phases.outcomes import Outcome, majority

with needs("phases"):
    import xarray as xr
with needs("figures"):
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colors import is_color_like, to_rgb
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import NullLocator

PREDICTED = Line2D([], [], color="black", label="defection unstable (theory)")


def _checked_values(values: np.ndarray, name: str = "values") -> None:
    if np.ndim(values) != 1 or np.size(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"{name} must be [n] finite numbers, one or more; got {values}")


def _checked_cells(x: np.ndarray, y: np.ndarray, name: str, cells: np.ndarray) -> None:
    _checked_values(x, "x")
    _checked_values(y, "y")
    if np.shape(cells)[:2] != (len(x), len(y)):
        raise ValueError(
            f"{name} has shape {np.shape(cells)}; its first axes must be those of x and y, ({len(x)}, {len(y)})"
        )


@checked
def edges(values: Float[np.ndarray, " n"], log: bool) -> Float[np.ndarray, " borders"]:
    """Return the borders [n + 1] between cells centred at values [n]."""
    _checked_values(values)
    if log and not (np.asarray(values) > 0).all():
        raise ValueError(f"values must lie above 0 where log is True; got {values}")
    x = np.log(values) if log else np.asarray(values, float)
    if len(x) == 1:
        x = np.array([x[0] - 0.5, x[0] + 0.5])
        return np.exp(x) if log else x
    middle = (x[1:] + x[:-1]) / 2
    whole = np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])
    return np.exp(whole) if log else whole


@checked
def is_log(values: Shaped[np.ndarray, " n"]) -> bool:
    """Whether values are spaced by a factor rather than by a step."""
    _checked_values(values)
    if len(values) < 3 or values[0] <= 0:
        return False
    ratios, steps = values[1:] / values[:-1], np.diff(values)
    return bool(np.std(ratios) / np.mean(ratios) < np.std(steps) / np.mean(steps))


@checked
def draw_outcomes(
    axes: Axes, x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " m"], outcomes: Int[np.ndarray, "n m seeds"]
) -> None:
    """Draw the most frequent outcome of every cell, paler where fewer seeds agree.

    Args:
        axes: where.
        x: [n] values of the horizontal axis.
        y: [m] values of the vertical axis.
        outcomes: [n, m, seeds] of `Outcome`; cells that are not computed (−1) stay white.
    """
    _checked_cells(x, y, "outcomes", outcomes)
    kinds, agreement = majority(outcomes)
    palette = np.array([to_rgb(style.OUTCOMES[kind.label]) for kind in Outcome])
    shade = (1 - (1 - agreement) * 0.8)[..., None]
    colors = np.where((agreement > 0)[..., None], palette[kinds] * shade + 1 - shade, 1)
    x_log, y_log = is_log(x), is_log(y)
    axes.pcolormesh(edges(x, x_log), edges(y, y_log), colors.swapaxes(0, 1), rasterized=True)
    if x_log:
        axes.set_xscale("log")
    if y_log:
        axes.set_yscale("log")


@checked
def outline(
    axes: Axes,
    x: Shaped[np.ndarray, " n"],
    y: Shaped[np.ndarray, " m"],
    inside: Bool[np.ndarray, "n m"],
    color: str = "black",
) -> None:
    """Outline the cells [n, m] in which something is predicted, along the cells' borders."""
    _checked_cells(x, y, "inside", inside)
    if not is_color_like(color):
        raise ValueError(f"color must be one that matplotlib knows; got {color!r}")
    x_edges, y_edges = edges(x, is_log(x)), edges(y, is_log(y))
    across, along = inside[1:] != inside[:-1], inside[:, 1:] != inside[:, :-1]
    for i, j in zip(*np.nonzero(across), strict=True):
        axes.plot([x_edges[i + 1]] * 2, y_edges[j : j + 2], color=color, linewidth=1.2, solid_capstyle="butt")
    for i, j in zip(*np.nonzero(along), strict=True):
        axes.plot(x_edges[i : i + 2], [y_edges[j + 1]] * 2, color=color, linewidth=1.2, solid_capstyle="butt")


@checked
def name_outcomes(
    figure: Figure, outcomes: Int[np.ndarray, "*cells seeds"], *, ncol: int = 3, extra: Sequence[Artist] = ()
) -> None:
    """Put a legend of the outcomes that some cell is drawn in, and of extra handles, below the figure."""
    if ncol < 1:
        raise ValueError(f"ncol must be 1 or more; got {ncol}")
    kinds, _ = majority(outcomes)
    present = [kind for kind in Outcome if (kinds == int(kind)).any()]
    handles = [Patch(color=style.OUTCOMES[kind.label], label=kind.label) for kind in present]
    figure.legend(handles=[*handles, *extra], loc="outside lower center", ncol=ncol)


@checked
def phase_diagram(
    grid: xr.Dataset,
    x_name: str,
    y_name: str,
    *,
    unstable: Bool[np.ndarray, "n m"] | None = None,
) -> Figure:
    """Draw the diagram of one sweep: its outcomes, and the agents' mean return among each other; settings below.

    Args:
        grid: what `phases.sweep.run` and `phases.store.load` return.
        x_name: the setting on the horizontal axis.
        y_name: the setting on the vertical axis.
        unstable: [n, m] the cells in which theory predicts that defection is left; outlined if given.

    Raises:
        ValueError: if the grid has no such axes, or more than these two.
    """
    check_axes(grid, x_name, y_name)
    x, y = grid[x_name].values, grid[y_name].values
    outcomes = grid.outcome.transpose(x_name, y_name, "seed").values
    if unstable is not None:
        _checked_cells(x, y, "unstable", unstable)
    with style.sheet():
        figure = Figure(figsize=(6.8, 3.0))
        left, right = figure.subplots(1, 2)
        draw_outcomes(left, x, y, outcomes)
        left.set_title("outcome (paler: seeds disagree)")
        mean = grid.among_meta.mean(("seed", "agent")).transpose(x_name, y_name).values
        x_log, y_log = is_log(x), is_log(y)
        drawn = right.pcolormesh(edges(x, x_log), edges(y, y_log), mean.T, cmap="cividis", rasterized=True)
        right.set(xscale=left.get_xscale(), yscale=left.get_yscale())
        right.set_title("return of agents among each other")
        figure.colorbar(drawn, ax=right, label="payoff a step")
        for axes in (left, right):
            axes.set_xlabel(grid[x_name].attrs["long_name"])
            _name_few(axes.xaxis, x)
            _name_few(axes.yaxis, y)
        left.set_ylabel(grid[y_name].attrs["long_name"])
        if unstable is not None:
            outline(left, x, y, unstable)
        name_outcomes(figure, outcomes, extra=() if unstable is None else (PREDICTED,))
        remark = "the line is where pools leave defection, which need not end in another phase"
        style.put_below(figure, *([] if unstable is None else [remark]), settings_in_words(grid))
    return figure


@checked
def measure_map(grid: xr.Dataset, name: str, x_name: str, y_name: str) -> Figure:
    """Draw one measure of a sweep, the mean over seeds and agents that have it; cells where none has it stay white.

    Efficiencies below −1, of agents that lose more than there is to gain, look as −1 does.

    Args:
        grid: what `phases.sweep.run`, `phases.store.load` and `phases.efficiency.measure` return.
        name: of the measure.
        x_name: the setting on the horizontal axis.
        y_name: the setting on the vertical axis.

    Raises:
        ValueError: if the grid has no such measure or axes, or more than these two axes.
    """
    check_axes(grid, x_name, y_name)
    known = sorted(str(key) for key, x in grid.items() if x.dims[2:] == ("seed", "agent"))
    if name not in known:
        raise ValueError(f"name must be a measure of the grid, {', '.join(known)}; got {name!r}")
    x, y = grid[x_name].values, grid[y_name].values
    mean = grid[name].mean(("seed", "agent")).transpose(x_name, y_name).values
    with style.sheet():
        figure = Figure(figsize=(4.2, 3.0))
        axes = figure.subplots()
        low = max(-1.0, float(np.nanmin(mean))) if name == "efficiency" and np.isfinite(mean).any() else None
        borders = edges(x, is_log(x)), edges(y, is_log(y))
        drawn = axes.pcolormesh(*borders, mean.T, cmap="cividis", vmin=low, rasterized=True)
        for one, values, scale in ((axes.xaxis, x, axes.set_xscale), (axes.yaxis, y, axes.set_yscale)):
            if is_log(values):
                scale("log")
            _name_few(one, values)
        axes.set(xlabel=grid[x_name].attrs["long_name"], ylabel=grid[y_name].attrs["long_name"])
        axes.set_title(f"{name.replace('_', ' ')}, mean over seeds and agents")
        units = grid[name].attrs.get("units", "1")
        label = "share" if units == "1" else units
        beyond = low is not None and bool((mean < low).any())
        figure.colorbar(drawn, ax=axes, label=label, extend="min" if beyond else "neither")
        style.put_below(figure, grid[name].attrs.get("long_name", name), settings_in_words(grid))
    return figure


def _name_few(axis: Axis, values: Float[np.ndarray, " n"]) -> None:
    """Put the ticks at the cells' own values where there are few; else they would fall beyond what a setting can be."""
    if len(values) <= 6:
        axis.set_ticks(values, [f"{x:.3g}" for x in values])
        axis.set_minor_locator(NullLocator())


@checked
def settings_in_words(grid: xr.Dataset) -> str:
    """Return what fixes the picture of a sweep, in a line: each setting that is no axis, and the pools' training."""
    settings = grid.attrs
    cell = [f"{name} {x:g}" for name, x in settings["cell"].items() if name not in grid.dims]
    start = "N(0, 1) logits" if settings["start"] is None else f"p = {settings['start']:g}"
    weight = "the sum" if settings["sum_episodes"] else "the mean"
    memory = settings.get("memory", 1)
    agents = "agents" if memory == 1 else f"agents of memory {memory}"
    training = (
        f"{settings['seeds']} seeds from {start}, {settings['steps']} steps of AdamW at {settings['meta_rate']:g}, "
        f"{settings['num_agents']} {agents}, {settings['num_learners']} learners each, {weight} over episodes"
    )
    return f"{'; '.join(cell)}; {training}, seed {settings['seed']}"
