"""`ipd-theory fit`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ipd_theory.commands import fit_run, fit_words
from ipd_theory.commands.console import print_json, progress_bar, warnings_in_one_line
from ipd_theory.commands.options import PICTURES, Count, FileToWrite, InputFolder, Probability, Seed, Within
from ipd_theory.commands.stage import four_payoffs
from ipd_theory.commands.strategy_argument import table_or_automaton

Inner = Annotated[float, Within(1e-9, 1 - 1e-9)]
Gamma = Annotated[float, Within(0, 1, above=True)]
Least = Annotated[float, Within(0)]


def fit(
    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = None,
    run: InputFolder | None = None,
    player: tuple[str, ...] = (),
    memory: Annotated[int, Within(0, 3)] = 1,
    against: tuple[str, ...] = (),
    mixture: tuple[str, ...] = (),
    choose: Literal["none", "bic", "aic"] = "none",
    bootstrap: Annotated[int, Within(2, 100_000)] = 200,
    discount: Gamma | None = None,
    payoffs: str = "3,0,5,1",
    level: Inner = 0.95,
    draws: Annotated[int, Within(2, 100_000)] = 1000,
    margin: Least | None = None,
    closeness: Probability = 0.1,
    agent: Annotated[int, Within(0)] = 0,
    iteration: Annotated[int, Within(0)] | None = None,
    meta_episodes: Count = 4,
    seed: Seed = 0,
    plot: Annotated[Path, FileToWrite(PICTURES)] | None = None,
    json: bool = False,
) -> None:
    """Read strategies from play: what was played, what that enforces and is, and how one would exploit it.

    FILE has comma-separated values with a line for each round of each player who is read: own and other (C or D, or 0
    or 1, 0 to cooperate), round, and, if there are more than one, match and player. Rounds may be missing, matches of
    any length. The table that all players together played is found with its uncertainty, which memory they need, and
    whether they change; then draws from the posterior go through the exact engine. With --mixture, which part of the
    players plays which strategy, and how often they err.

      ipd-theory fit log.csv --against TFT ALLD --plot log.png

      ipd-theory fit log.csv --mixture TFT ALLD GRIM-AUTOMATON WSLS --choose bic

    With --run, an agent of a training run plays naive learners, and is read inner episode by inner episode, in the
    game of the run.

      ipd-theory fit --run runs/mine --plot mine.png

    Args:
        file: The log.
        run: Folder of a training run, in place of a log.
        player: Read these players alone.
        memory: Outcomes that the table remembers, 0 to 3.
        against: Opponents that the strategy is to meet, in all the ways in which `ipd-theory strategy` takes them.
        mixture: Strategies that players may play, likewise; their moves must not be left to chance.
        choose: Take strategies out of the mixture as long as this criterion falls.
        bootstrap: How often players are drawn anew, for the errors of the mixture.
        discount: γ from above 0 to 1, of what is earned and enforced; 1 if not given, the limit of means, and for a run
            that with which matches last as long as an inner episode.
        payoffs: R,S,T,P with commas, by default Axelrod's; a run has its own.
        level: Probability that intervals hold.
        draws: Tables drawn from the posterior; those of memory 3 take a minute or two a thousand.
        margin: In payoff units a step, within which a strategy is Nash, partner or rival; a twentieth of the span of
            payoffs if not given.
        closeness: In probabilities, within which it is nice or extortionate.
        agent: Of a run: which meta agent, counted from 0.
        iteration: Of a run: which checkpoint; the latest if not given.
        meta_episodes: Of a run: how many to play, each against the run's meta-batch of co-players.
        seed: Of draws and play.
        plot: Picture of the table and of what is earned, or of what a run's agent enforces, .png, .pdf or .svg.
        json: Print JSON.
    """
    if (file is None) == (run is None):
        got = "neither" if file is None else f"{file}, {run}"
        raise ValueError(f"FILE or --run must be given, one of them; got {got}")
    if run is not None:
        for option, given in (("--mixture", mixture), ("--player", player)):
            if given:
                raise ValueError(f"{option} is for a log in a FILE; got {' '.join(given)} with --run")
    R, S, T, P = four_payoffs(payoffs)
    asked = fit_words.ReadingSettings(memory, level, draws, margin, closeness, seed)
    if run is not None:
        with warnings_in_one_line():
            read, picture = fit_run.facts(run, agent, iteration, meta_episodes, against, discount, asked)
        _show(read, fit_run.print_facts, picture, plot, json)
        return
    import jax

    jax.config.update("jax_enable_x64", True)
    from ipd_theory import games

    game, gamma = games.symmetric_game(R=R, S=S, T=T, P=P), 1.0 if discount is None else discount
    opponents = {x: table_or_automaton("--against", x, game, gamma) for x in against}
    candidates = {x: table_or_automaton("--mixture", x, game, gamma) for x in mixture}
    from ipd_theory import inference

    assert file is not None  # one of the two is given
    plays = inference.read(file)
    if player:
        plays = plays.of(*player)
    settings = {"file": file, "players": player, "discount": gamma, "payoffs": [R, S, T, P], **asked._asdict()}
    found, picture = fit_words.facts(game, plays, gamma, opponents, asked)
    result: dict[str, Any] = {"settings": settings, **found}
    if candidates:
        options: dict[str, Any] = {"bootstrap": bootstrap, "level": level, "seed": seed}
        with progress_bar("drawing players anew") as progress:
            if choose == "none":
                mixed = inference.fit_mixture(plays, candidates, progress=progress, **options)
            else:
                mixed = inference.choose_mixture(plays, candidates, by=choose, progress=progress, **options)
        result["mixture"] = fit_words.of_mixture(mixed)
    _show(result, fit_words.print_facts, picture, plot, json)


def _show(
    result: dict[str, Any],
    words: Callable[[dict[str, Any]], None],
    picture: Callable[[], Any],
    plot: Path | None,
    json: bool,
) -> None:
    """Print a result, and draw it if asked to."""
    if json:
        print_json(result)
    else:
        words(result)
    if plot is not None:
        from ipd_theory.drawing import style

        style.save(picture(), plot)
