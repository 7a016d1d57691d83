"""The part of `ipd-theory tournament` that lets strategies meet, exactly, where the other part lets rules learn."""

from pathlib import Path
from typing import Any, NamedTuple

from ipd_theory._words import mean_in_words
from ipd_theory.commands.console import messages, print_json, print_table, progress_bar, results
from ipd_theory.commands.strategy_argument import AXELROD

MOST_SHOWN = 24  # strategies whose every match is printed


class Conditions(NamedTuple):
    """Under which strategies meet; `discount` and `horizon` are None where not given."""

    discount: float | None
    horizon: int | None
    error: float
    misperception: float
    in_turn: bool

    def words(self) -> str:
        """Return them as one reads them."""
        parts = [] if self.horizon is None else [f"{self.horizon} rounds"]
        if self.discount is not None:
            parts.append(mean_in_words(self.discount))
        parts += [f"error {self.error:g}"] * (self.error > 0)
        parts += [f"misperception {self.misperception:g}"] * (self.misperception > 0)
        parts += ["players move in turn"] * self.in_turn
        return ", ".join(parts)


class Pictures(NamedTuple):
    """What to draw, None where not asked for, and how those in the graph of invasions imitate each other."""

    plot: Path | None
    invasion: Path | None
    population: int
    intensity: float


class Sampling(NamedTuple):
    """How often, and from which seed on, players meet who can only be sampled."""

    repetitions: int
    seed: int


def play(
    texts: tuple[str, ...],
    stage: Any,
    game: str,
    conditions: Conditions,
    sampling: Sampling,
    pictures: Pictures,
    json: bool,
) -> None:
    """Let the strategies that texts name meet each other, and print, draw or write what comes of it."""
    from ipd_theory import tournaments
    from ipd_theory.games import is_symmetric

    entered, sampled = _entered(texts, stage, conditions.discount or 1.0)
    if pictures.invasion is not None and not is_symmetric(stage):
        raise ValueError("--invasion needs a game that is the same from both sides")
    setting = {
        "game": game,
        "payoffs": stage.outcome_payoffs.tolist(),
        **conditions._asdict(),
        "left out": {
            name: tournaments.LEFT_OUT[name] for t in texts if (name := t.strip().lower()) in tournaments.LEFT_OUT
        },
    }
    if sampled:
        found, errors = _sampled(entered, sampled, stage, conditions, sampling)
        setting |= {"sampled": sampled, **sampling._asdict(), "standard_errors": errors}
    else:
        found = tournaments.tournament(stage, entered, **conditions._asdict())
    rows = ", ".join(f"({', '.join(f'{x:g}' for x in row)})" for row in setting["payoffs"])
    caption = f"payoffs after CC, CD, DC, DD {rows}; {conditions.words()}"
    _draw(found, pictures, caption)
    if json:
        print_json({"setting": setting, "ranking": [found.names[i] for i in found.ranking], **found._asdict()})
    else:
        _print(found, setting, caption)


def _entered(texts: tuple[str, ...], stage: Any, discount: float) -> tuple[dict[str, Any], list[str]]:
    """Return the strategies by name, line-ups spelled out, and the names of players that can only be sampled."""
    from ipd_theory import tournaments

    entered: dict[str, Any] = {}
    sampled: list[str] = []
    for text in texts:
        if text.lower().startswith(AXELROD):
            name = text[len(AXELROD) :]
            strategy, exact = _of_axelrod(name)
            more, sampled = {name: strategy}, sampled + [name] * (not exact)
        else:
            try:
                more = tournaments.line_up([text], game=stage, discount=discount)
            except ValueError as error:
                raise ValueError(f"--strategies: {error}") from None
        if twice := more.keys() & entered.keys():
            raise ValueError(f"--strategies must name each strategy once; {min(twice)} stands there twice")
        entered |= more
    return entered, sampled


def _of_axelrod(name: str) -> tuple[Any, bool]:
    """Return a player of the Axelrod library, as a strategy and true where it is one."""
    from ipd_theory.adapters import axelrod

    try:
        player = axelrod.named(name)
    except ValueError as error:
        raise ValueError(f"--strategies: {error}") from None
    try:
        return axelrod.from_axelrod(player), True
    except axelrod.NotExactError:
        return player, False


def _sampled(
    entered: dict[str, Any], sampled: list[str], stage: Any, conditions: Conditions, sampling: Sampling
) -> tuple[Any, Any]:
    """Return standings and standard errors where some players have to be sampled."""
    from ipd_theory import tournaments
    from ipd_theory.adapters import axelrod

    if conditions.horizon is None or conditions.discount is not None or conditions.misperception or conditions.in_turn:
        raise ValueError(
            f"--strategies: {', '.join(sampled)} can only be sampled: give --horizon, and no --discount, "
            "--misperception or --in-turn"
        )
    with progress_bar(f"{sampling.repetitions} matches of each pair with {', '.join(sampled)}") as progress:
        matches = axelrod.round_robin(
            list(entered.values()),
            turns=conditions.horizon,
            game=stage,
            noise=conditions.error,
            repetitions=sampling.repetitions,
            seed=sampling.seed,
            progress=progress,
        )
    return tournaments.ranked(tuple(entered), matches.payoffs), matches.errors


def _draw(found: Any, pictures: Pictures, caption: str) -> None:
    if pictures.plot is not None:
        from ipd_theory.drawing import round_robin, style

        style.save(round_robin.heat_map(found, caption), pictures.plot)
        messages.print(f"drew {pictures.plot}", soft_wrap=True)
    if pictures.invasion is not None:
        from ipd_theory import evolution
        from ipd_theory.drawing import invasion as drawing
        from ipd_theory.drawing import style

        n, beta = pictures.population, pictures.intensity
        fixation = evolution.fixation_matrix(found.payoffs, n, beta, process="fermi")
        shares = evolution.rare_mutation(found.payoffs, n, beta, process="fermi")
        words = f"{caption}; pairwise comparison among {n}, intensity {beta:g}"
        graph = drawing.invasion_graph(found.names, fixation, population=n, shares=shares, caption=words)
        style.save(graph, pictures.invasion)
        messages.print(f"drew {pictures.invasion}", soft_wrap=True)


def _print(found: Any, setting: dict[str, Any], caption: str) -> None:
    header = ["strategy", "score", "wins", "against itself"]
    columns: tuple[list[str], ...] = (
        [f"{x:z.4f}" for x in found.scores],
        [str(x) for x in found.wins],
        [f"{x:z.4f}" for x in found.payoffs.diagonal()],
    )
    if found.stable is not None:
        header += ["stable", "survives"]
        shares = [f"{100 * x:.1f} %" if x > 0 else "" for x in found.survivors]
        columns = *columns, ["yes" if x else "" for x in found.stable], shares
    rows = [
        (f"{place} {found.names[i]}", *(column[i] for column in columns)) for place, i in enumerate(found.ranking, 1)
    ]
    print_table(header, rows, title="payoff a step, mean over all opponents, itself included")
    order = found.ranking
    if len(order) <= MOST_SHOWN:
        print_table(
            ("", *(str(place) for place in range(1, len(order) + 1))),
            [
                (f"{place} {found.names[i]}", *(f"{x:z.2f}" for x in found.payoffs[i, order]))
                for place, i in enumerate(order, 1)
            ],
            title="row against column" if found.stable is not None else "row, as player 1, against column",
        )
    lines = [caption]
    if found.stable is not None:
        lines.append("stable: evolutionarily, among these; survives: share after replicator dynamics from equal ones")
    lines += [
        f"{name}: {', '.join(left)} are neither tables nor small automata, and not in this line-up; "
        "axelrod:NAME enters players of the Axelrod library"
        for name, left in setting["left out"].items()
    ]
    if "sampled" in setting:
        lines.append(
            f"sampled, not exact: {', '.join(setting['sampled'])}; {setting['repetitions']} matches of each pair from "
            f"seed {setting['seed']} on, standard errors up to {setting['standard_errors'].max():.3f}"
        )
    results.print("\n".join(lines))
