"""The processes of `ipd-theory evolve`: what each computes, prints and draws."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands.console import messages, print_json, print_table, progress_bar, results


class Asked(NamedTuple):
    """What the command line asks for."""

    names: tuple[str, ...]
    strategies: list[Any]
    game: Any
    payoffs: tuple[float, float, float, float]
    discount: float
    horizon: int | None
    error: float
    start: tuple[float, ...]
    time: float
    generations: int
    population: int
    intensity: float
    mutation: float
    network: Any
    runs: int
    seed: int

    def matrix(self) -> Any:
        """Return the payoff of row against column [n, n]."""
        import numpy as np

        from ipd_theory import tournaments

        settings: dict[str, Any] = {"discount": self.discount, "horizon": self.horizon, "error": self.error}
        return np.asarray(tournaments.round_robin(self.game, self.strategies, **settings))

    def shares(self) -> Any:
        """Return the shares at the start [n]."""
        import numpy as np

        n = len(self.names)
        return np.array(self.start) if self.start else np.full(n, 1 / n)

    def matches(self) -> str:
        """Return how matches are played, in words."""
        parts = [payoffs_in_words(self.payoffs)]
        parts += [f"{self.horizon} rounds"] * (self.horizon is not None)
        if self.horizon is None or self.discount < 1:
            parts.append(mean_in_words(self.discount))
        parts += [f"error {self.error:g}"] * (self.error > 0)
        return "; ".join(parts)


class Report(NamedTuple):
    """What a process found: data for JSON, how to print it, how to draw it."""

    data: dict[str, Any]
    words: str
    show: Callable[[], None]
    draw: Callable[[str], Any]


def check_numbers(
    process: str,
    strategies: Sequence[str],
    start: Sequence[float],
    error: float,
    mutation: float,
    intensity: float,
    generations: int,
    population: int,
) -> None:
    """Hold options to what the process can do.

    Raises:
        ValueError: naming the option.
    """
    few = {"adaptive": 0, "heterogeneous": 0}.get(process, 2)
    if len(strategies) < few:
        raise ValueError(f"STRATEGIES must be two or more for --process {process}; got {len(strategies)}")
    if process == "heterogeneous" and strategies:
        raise ValueError(f"STRATEGIES must be none for --process heterogeneous; got {strategies[0]!r}")
    if len(set(strategies)) < len(strategies):
        raise ValueError(f"STRATEGIES must name each once; got {' '.join(strategies)}")
    if start and (len(start) != len(strategies) or abs(sum(start) - 1) > 1e-9):
        raise ValueError(f"--start must be {len(strategies)} shares that add up to 1; got {' '.join(map(str, start))}")
    if start and process not in ("replicator", "ecological", "network"):
        raise ValueError(f"--start is of replicator, ecological and network; not of --process {process}")
    if mutation > 0 and process not in ("replicator", "moran", "fermi"):
        raise ValueError(f"--mutation is of replicator, moran and fermi; not of --process {process}")
    if mutation > 0 and process in ("moran", "fermi") and len(strategies) != 2:
        raise ValueError(f"--mutation takes two strategies in a finite population; got {len(strategies)}")
    if process == "moran" and intensity > 1:
        raise ValueError(f"--intensity must lie in [0, 1] for --process moran; got {intensity}")
    if process == "adaptive" and error > 0.5:
        raise ValueError(f"--error must be at most 0.5 for --process adaptive; got {error}")
    if process == "network" and population < 5:
        raise ValueError(f"--population must be 5 or more for --process network; got {population}")
    if process in ("ecological", "heterogeneous", "network") and generations > 10**6:
        raise ValueError(f"--generations must be at most 1000000; got {generations}")


def report(process: str, asked: Asked, plot: Path | None, json: bool) -> None:
    """Compute, print and draw what is asked for."""
    found = PROCESSES[process](asked)
    caption = f"{asked.matches()}; {found.words}"
    if plot is not None:
        from ipd_theory.drawing import style

        style.save(found.draw(caption), plot)
        messages.print(f"drew {plot}", soft_wrap=True)
    if json:
        kept = {k: v for k, v in asked._asdict().items() if k not in ("game", "strategies", "names")}
        print_json({"settings": {"process": process, **kept}, "strategies": asked.names, **found.data})
    else:
        found.show()
        results.print(caption, soft_wrap=True)


def _few(times: Any, most: int = 9) -> list[int]:
    """Return indices of a few times: the first, ever longer steps, the last."""
    import numpy as np

    last = len(times) - 1
    return sorted({0, *(min(round(step), last) for step in np.geomspace(1, max(last, 1), most - 1).tolist())})


def _path(asked: Asked, times: Any, shares: Any, words: str, unit: str, A: Any = None) -> Report:
    """Report shares [t, n], or [runs, t, n], over time."""
    import numpy as np

    mean = shares.mean(0) if shares.ndim == 3 else shares
    chosen = _few(times)

    def show() -> None:
        rows = [
            (name, *(f"{mean[i, k]:.6f}" if shares.ndim == 2 else f"{mean[i, k]:.4f}" for i in chosen))
            for k, name in enumerate(asked.names)
        ]
        print_table(("strategy", *(f"{times[i]:g}" for i in chosen)), rows, title=f"share at {unit}")
        if shares.ndim == 3 and len(shares) > 1:
            spread = shares[:, -1].std(0, ddof=1)
            text = ", ".join(f"{name} {s:.4f}" for name, s in zip(asked.names, spread, strict=True))
            results.print(f"standard deviation over runs at the end: {text}", soft_wrap=True)

    def draw(caption: str) -> Any:
        from ipd_theory.drawing import evolution as drawing

        if A is not None and len(asked.names) == 3:
            return drawing.simplex_flow(asked.names, A, mean, caption=caption)
        return drawing.shares_over_time(asked.names, np.asarray(times, float), shares, unit=unit, caption=caption)

    return Report({"times": times, "shares": shares, "payoff_matrix": A}, words, show, draw)


def _replicator(asked: Asked) -> Report:
    import numpy as np

    from ipd_theory import evolution

    A, times = asked.matrix(), np.linspace(0, asked.time, 401)
    shares = evolution.replicator_mutator(A, asked.shares(), times, asked.mutation, at_birth=False)
    words = "replicator dynamics" + f", mutants at rate {asked.mutation:g}" * (asked.mutation > 0)
    # Streams are those of selection alone.
    return _path(asked, times, shares, words, "time (1 / payoff)", None if asked.mutation > 0 else A)


def _ecological(asked: Asked) -> Report:
    import numpy as np

    from ipd_theory import evolution

    A = asked.matrix()
    if A.min() < 0:
        raise ValueError(
            f"--payoffs must leave every match 0 or more for --process ecological; the least is {A.min():g}"
        )
    shares = evolution.ecological(A, asked.shares(), asked.generations)
    return _path(asked, np.arange(asked.generations + 1), shares, "shares grow in proportion to payoffs", "generation")


def _network(asked: Asked) -> Report:
    import numpy as np

    from ipd_theory import evolution
    from ipd_theory.evolution import networks

    A, size = asked.matrix(), asked.population
    made = [networks.drawn(asked.network, size, 4, asked.seed + run) for run in range(asked.runs)]
    counts = np.floor(np.cumsum(asked.shares()) * size + 1e-9).astype(int)
    first = np.searchsorted(counts, np.arange(size), side="right").clip(0, len(asked.names) - 1)
    starts = np.random.default_rng(asked.seed).permuted(np.tile(first, (asked.runs, 1)), axis=1)
    with progress_bar(f"{asked.runs} networks, {asked.generations} generations") as progress:
        shares = evolution.on_networks(made, A, starts, asked.generations, seed=asked.seed, progress=progress)
    words = f"{asked.runs} {asked.network} networks of {size} players with 4 neighbours, seed {asked.seed}"
    return _path(asked, np.arange(asked.generations + 1), shares, words, "generation")


def _finite(kind: Any) -> Callable[[Asked], Report]:
    def process(asked: Asked) -> Report:
        return (_counts if asked.mutation > 0 else _invasions)(asked, kind)

    return process


def _selection(asked: Asked, kind: str) -> str:
    named = {"moran": "Moran process, w", "fermi": "pairwise comparison, β"}[kind]
    return f"{named} = {asked.intensity:g}, {asked.population} players"


def _invasions(asked: Asked, kind: Any) -> Report:
    from ipd_theory import evolution

    A, N = asked.matrix(), asked.population
    fixation = evolution.fixation_matrix(A, N, asked.intensity, process=kind)
    shares = evolution.rare_mutation(A, N, asked.intensity, process=kind)

    def show() -> None:
        rows = [
            (name, f"{100 * share:.3f} %", *(f"{N * x:.4g}" for x in row))
            for name, share, row in zip(asked.names, shares, fixation, strict=True)
        ]
        title = "takeover by one mutant, the column, of the row: times the chance 1/N"
        print_table(("resident", "share of time", *asked.names), rows, title=title)

    def draw(caption: str) -> Any:
        from ipd_theory.drawing import invasion

        return invasion.invasion_graph(asked.names, fixation, population=N, shares=shares, caption=caption)

    data = {"payoff_matrix": A, "fixation": fixation, "shares_of_time": shares}
    return Report(data, f"{_selection(asked, kind)}, mutants rare", show, draw)


def _counts(asked: Asked, kind: Any) -> Report:
    import numpy as np

    from ipd_theory import evolution

    A, N = asked.matrix(), asked.population
    P = evolution.count_distribution(A, N, asked.intensity, asked.mutation, process=kind)
    mean, tenths = float(P @ np.arange(N + 1)) / N, np.array_split(np.arange(N + 1), min(10, N + 1))

    def show() -> None:
        rows = [(f"{part[0]} to {part[-1]}", f"{P[part].sum():.6f}") for part in tenths]
        print_table((f"players of {asked.names[0]}", "probability"), rows)
        results.print(f"on average {100 * mean:.3f} % play {asked.names[0]}", soft_wrap=True)

    def draw(caption: str) -> Any:
        from ipd_theory.drawing import evolution as drawing

        return drawing.count_bars(asked.names, P, caption=caption)

    data = {"payoff_matrix": A, "probabilities": P, "mean_share": mean}
    return Report(data, f"{_selection(asked, kind)}, mutation {asked.mutation:g}", show, draw)


def _adaptive(asked: Asked) -> Report:
    import numpy as np

    from ipd_theory import evolution, strategies

    if asked.horizon is not None:
        raise ValueError("--horizon is not of --process adaptive; take --discount")
    starts = np.array([_responses(name, x) for name, x in zip(asked.names, asked.strategies, strict=True)])
    settings: dict[str, Any] = {
        "discount": asked.discount,
        "family": strategies.reactive_n,
        "error": asked.error,
    }
    times = np.concatenate([[0.0], asked.time * np.geomspace(1e-4, 1, 400)])
    paths = evolution.trajectory(asked.game, starts, times, **settings) if len(starts) else np.zeros((0, 401, 2))
    rest = evolution.rest_points(asked.game, 2, **settings, starts=8)

    def show() -> None:
        if len(starts):
            rows = [
                (name, f"{first[0]:.4f}", f"{first[1]:.4f}", f"{last[0]:.6f}", f"{last[1]:.6f}")
                for name, first, last in zip(asked.names, starts, paths[:, -1], strict=True)
            ]
            header = ("population", "p at first", "q at first", "p at last", "q at last")
            print_table(header, rows, title="cooperates after cooperation (p) and after defection (q)")
        words = ("rest point p, q", "neighbours come back", "mutants fail")
        print_table(words, _rest_rows(rest), title="rest points; on a line of them, how many were found")

    def draw(caption: str) -> Any:
        from ipd_theory.drawing import evolution as drawing

        given: dict[str, Any] = {"paths": paths if len(starts) else None, "rest": rest, "caption": caption}
        return drawing.reactive_flow(asked.game, discount=asked.discount, error=asked.error, **given)

    data = {"times": times, "paths": paths, "rest_points": _of_rest(rest)}
    return Report(data, "adaptive dynamics of reactive strategies", show, draw)


def _rest_rows(rest: Any) -> list[tuple[str, str, str]]:
    """Return rest points in the order of p, q, those on a line of them by the first and last."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for i in sorted(range(len(rest.x)), key=lambda i: rest.x[i].round(6).tolist()):
        back, curved = _sign(rest.eigenvalues[i].real.max()), _sign(rest.curvatures[i].max())
        on_a_line = bool((rest.eigenvalues[i] == 0).any())
        apart = tuple(rest.free[i].tolist()) if on_a_line else i  # lines inside, and on each side of the square
        groups.setdefault((back, curved, apart), []).append(f"{rest.x[i, 0]:z.4f}, {rest.x[i, 1]:z.4f}")
    rows = []
    for (back, curved, _), points in groups.items():
        shown = points if len(points) < 3 else [f"{points[0]} to {points[-1]} ({len(points)})"]
        rows += [(words, back, curved) for words in shown]
    return rows


def _of_rest(rest: Any) -> dict[str, Any]:
    return {
        "x": rest.x,
        "gradient": rest.gradient,
        "eigenvalues_real": rest.eigenvalues.real,
        "eigenvalues_imaginary": rest.eigenvalues.imag,
        "curvatures": rest.curvatures,
        "convergence_stable": rest.convergence_stable,
        "evolutionarily_stable": rest.evolutionarily_stable,
    }


def _sign(x: float) -> str:
    return "yes" if x < 0 else "neutral" if x == 0 else "no"


def _responses(name: str, table: Any) -> tuple[float, float]:
    """Return p and q of a reactive table.

    Raises:
        ValueError: if it is none.
    """
    import numpy as np

    row = np.asarray(table, float) if getattr(table, "shape", None) else np.zeros(0)
    if row.size != 5 or row[1] != row[3] or row[2] != row[4]:
        raise ValueError(f"STRATEGIES: {name!r} is not reactive: it must look at the other's last action only")
    return float(row[1]), float(row[2])


def _heterogeneous(asked: Asked) -> Report:
    import numpy as np

    from ipd_theory import evolution

    if min(asked.payoffs) < 0:
        raise ValueError(f"--payoffs must be 0 or more for --process heterogeneous; got {min(asked.payoffs):g}")
    if asked.horizon is not None:
        raise ValueError("--horizon is not of --process heterogeneous; take --discount")
    drawn = evolution.random_reactive(asked.seed)
    drawn = asked.error + (1 - 2 * asked.error) * drawn
    run = evolution.succession(drawn, asked.generations, game=asked.game, discount=asked.discount)
    times = np.arange(asked.generations + 1)

    def show() -> None:
        rows = []
        for i in _few(times):
            leader = run.shares[i].argmax()
            p, q = run.responses[leader]
            means = (f"{x:.3f}" for x in (*run.mean_responses[i], run.mean_payoff[i]))
            rows.append((str(i), f"{p:.3f}, {q:.3f}", f"{run.shares[i, leader]:.4f}", *means))
        header = ("generation", "leader p, q", "its share", "mean p", "mean q", "mean payoff")
        print_table(header, rows, title="99 random reactive strategies and (0.99, 0.01), nearly tit for tat")

    def draw(caption: str) -> Any:
        from ipd_theory.drawing import evolution as drawing

        return drawing.succession(run, caption=caption)

    return Report(run._asdict(), f"shares grow in proportion to payoffs, seed {asked.seed}", show, draw)


PROCESSES: dict[str, Callable[[Asked], Report]] = {
    "replicator": _replicator,
    "ecological": _ecological,
    "moran": _finite("moran"),
    "fermi": _finite("fermi"),
    "adaptive": _adaptive,
    "heterogeneous": _heterogeneous,
    "network": _network,
}
