"""`ipd-theory evolve`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from ipd_theory.commands import evolve_processes
from ipd_theory.commands.options import PICTURES, Count, FileToWrite, Positive, Probability, Seed, Within
from ipd_theory.commands.stage import four_payoffs
from ipd_theory.commands.strategy_argument import table_or_automaton

Processes = Literal["replicator", "ecological", "moran", "fermi", "adaptive", "heterogeneous", "network"]


def evolve(
    strategies: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = (),
    process: Processes = "replicator",
    payoffs: str = "3,0,5,1",
    discount: Probability = 1.0,
    horizon: Count | None = None,
    error: Probability = 0.0,
    start: tuple[Probability, ...] = (),
    time: Positive = 100.0,
    generations: Count = 1000,
    population: Annotated[int, Within(3, 100_000)] = 100,
    intensity: Annotated[float, Within(0)] = 0.1,
    mutation: Probability = 0.0,
    network: Literal["scale-free", "ring", "random-regular"] = "scale-free",
    runs: Annotated[int, Within(1, 1000)] = 5,
    seed: Seed = 0,
    plot: Annotated[Path, FileToWrite(PICTURES)] | None = None,
    json: bool = False,
) -> None:
    """Let strategies spread by what they earn, exactly: who takes over, and where a population comes to rest.

    replicator: shares in continuous time, with mutants if asked for.

    ecological: Axelrod's tournament, each generation in proportion to payoffs.

    moran, fermi: a finite population; who takes over whom, and the shares of time while mutants are rare, or with
    --mutation the distribution of two strategies.

    adaptive: a population of one reactive strategy that follows its mutants, and where that rests; strategies are
    starting points, e.g. "reactive(1, 0.8, 0.2)".

    heterogeneous: 99 random reactive strategies and one near tit for tat (Nowak & Sigmund 1992); takes no strategies.

    network: everybody plays and imitates neighbours (Santos & Pacheco 2005).

      ipd-theory evolve TFT ALLC ALLD --process moran --error 0.01 --plot invasions.png

    Args:
        strategies: Two or more, by names (TFT, WSLS, GRIM, …), names with numbers (gtft(0.3), extort(3)), tables with
            commas, automata (punish(2)), axelrod:NAME, or files (mine.json).
        process: How strategies spread, see above.
        payoffs: R,S,T,P with commas, by default Axelrod's.
        discount: γ of the repeated game from 0 to 1; 1 is the limit of means.
        horizon: Rounds, for matches that end.
        error: Probability that an intended action is flipped (trembling hand).
        start: Shares at the start, one for each strategy; equal if not given.
        time: Of replicator and adaptive: how long, in units of 1 / payoff.
        generations: Of ecological, heterogeneous and network.
        population: Players of moran, fermi and network.
        intensity: Of selection: w in 0 to 1 (moran), β (fermi).
        mutation: Of replicator: the rate at which players try another strategy; of moran and fermi: the probability
            that a step does.
        network: Who has whom for neighbours: four on average, or exactly.
        runs: Of network: how many, each on a network of its own.
        seed: Of heterogeneous and network.
        plot: Where to draw it, .png, .pdf or .svg: flow in a triangle for three strategies or in the square of
            reactive ones, shares over time, invasion graph, distribution.
        json: Print JSON.
    """
    R, S, T, P = four_payoffs(payoffs)
    evolve_processes.check_numbers(process, strategies, start, error, mutation, intensity, generations, population)
    import jax

    jax.config.update("jax_enable_x64", True)
    from ipd_theory import games

    game = games.symmetric_game(R=R, S=S, T=T, P=P)
    asked = evolve_processes.Asked(
        names=strategies,
        strategies=[table_or_automaton("STRATEGIES", text, game, discount or 1.0) for text in strategies],
        game=game,
        payoffs=(R, S, T, P),
        discount=discount,
        horizon=horizon,
        error=error,
        start=start,
        time=time,
        generations=generations,
        population=population,
        intensity=intensity,
        mutation=mutation,
        network=network,
        runs=runs,
        seed=seed,
    )
    evolve_processes.report(process, asked, plot, json)
