"""`ipd-theory tournament`."""

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

from ipd_theory.commands import strategy_tournament
from ipd_theory.commands.console import messages, print_json, print_table, progress_bar, results
from ipd_theory.commands.options import PICTURES, Count, FileToWrite, Positive, Probability, Seed, Within

Games = Literal["prisoners-dilemma", "axelrod", "stag-hunt", "chicken", "matching-pennies", "battle-of-the-sexes"]


def tournament(
    rules: tuple[str, ...] | None = None,
    strategies: tuple[str, ...] | None = None,
    game: Games = "prisoners-dilemma",
    payoffs: tuple[float, ...] = (),
    seeds: Annotated[int, Within(2)] = 16,
    steps: Count = 200,
    tail: Count = 50,
    discount: Probability | None = None,
    step: Positive = 5.0,
    every: tuple[Count, ...] = (),
    horizon: Count | None = None,
    error: Probability = 0.0,
    misperception: Probability = 0.0,
    in_turn: bool = False,
    plot: Annotated[Path, FileToWrite(PICTURES)] | None = None,
    invasion: Annotated[Path, FileToWrite(PICTURES)] | None = None,
    population: Annotated[int, Within(2)] = 100,
    intensity: Annotated[float, Within(0)] = 0.1,
    seed: Seed = 0,
    json: bool = False,
) -> None:
    """Let learning rules, or fixed strategies, play each other and say who is ahead.

    Rules (--rules, or nothing): every rule meets every rule, itself included, from the same random first policies. The
    table holds what the row's rule earns a step against the column's after learning, with the standard error over
    seeds; where the game looks different from its two sides there is one table for each player. Nash equilibria of that
    table are certified by their best-response gap; replicator dynamics from equal shares say who survives. Rules that
    report in most of their pairs that they are unconverged or not finite are marked and take no part in either. Where
    the naive learner takes part, "efficiency" is the share of what could at most be gained of it over unconditional
    defection that a rule gains.

    Strategies (--strategies): every match is solved exactly and draws nothing. The ranking is by payoff a step over
    all opponents, itself included, with matches won, who is evolutionarily stable among these, and who survives.

      ipd-theory tournament --strategies stewart-plotkin "punish(2)" --game axelrod --horizon 200 --plot sp.png

    Args:
        rules: Which rules, NAME or NAME(argument, …), e.g. naive "lola(20)" "lola-dice(3, 6)"; what is left out is as
            the rule's paper published it. Twelve if none are given; also consensus, sga, cgd, symplectic-surgery, cola
            and pola (slower). One of your own is FILE:NAME or "FILE:NAME(argument, …)", where NAME is a function that
            returns a rule (ipd_theory.learning.rules.base shows how to write one).
        strategies: Which strategies: names with numbers where they take some (TFT "gtft(0.3)" "extort(3)" TF2T),
            automata (grim-automaton "punish(2)" contrite-tft), tables (1,1,0,1,1/3), files (mine.json), players of the
            Axelrod library (axelrod:Winner12; who is neither is sampled, given --horizon, and this is said), and the
            line-ups axelrod-1980 and stewart-plotkin.
        game: The repeated game; axelrod has the payoffs of his tournaments.
        payoffs: Eight numbers, for a game of one's own: what player 1 gets after CC, CD, DC, DD (own action first),
            then what player 2 gets after the same outcomes.
        seeds: Of rules: how many random first policies (N(0, 1) logits), 2 or more; of players that have to be
            sampled: how many matches.
        steps: Of rules: learning steps of each match.
        tail: Of rules: scores average the returns after the last so many steps.
        discount: γ of the repeated game; returns are averages a step. 0.95 if neither it nor --horizon is given.
        step: Of rules: size of every player's own gradient step; what a rule assumes of the other's is the rule's
            setting.
        every: Of rules: for each rule, move at every so manieth step only (frozen in between); 1 for all if not given.
        horizon: Of strategies: matches end after so many rounds.
        error: Of strategies: probability that an intended action is flipped (trembling hand).
        misperception: Of strategies: probability to take the other's action for the opposite, which the other does
            not see.
        in_turn: Of strategies: players move one at a time, in turn, and γ counts moves.
        plot: Where to draw the payoff matrix, with its equilibria (rules) or scores (strategies), e.g. meta-game.png.
        invasion: Of strategies: where to draw which mutants take over a population of which strategy.
        population: Of the invasion graph: how many imitate each other by pairwise comparison (Fermi).
        intensity: Of the invasion graph: how much payoffs decide who is imitated.
        seed: Of the first policies, or of the first sampled match.
        json: Print JSON instead of tables.
    """
    stated = {"steps": steps, "tail": tail, "step": step, "every": every}
    of_strategies = {"horizon": horizon, "error": error, "misperception": misperception, "invasion": invasion}
    of_strategies |= {"in_turn": in_turn}
    of_strategies |= {"population": population, "intensity": intensity}
    if strategies is not None:
        _only_for("rules", stated | {"rules": rules})
        if not strategies:
            raise ValueError("--strategies must name one strategy or more; got none")
    else:
        _only_for("strategies", of_strategies)
    if rules is not None and not rules:
        raise ValueError("--rules must name one rule or more; got none")
    if payoffs and len(payoffs) != 8:
        raise ValueError(f"--payoffs must be eight numbers, four for each player; got {len(payoffs)}")
    if tail > steps:
        raise ValueError(f"--tail must lie in 1 to --steps, {steps}; got {tail}")
    if in_turn and horizon is not None:
        raise ValueError("--horizon is not for players who move in turn (--in-turn)")
    gamma = 0.95 if discount is None and horizon is None else discount
    if strategies is not None:
        import jax

        jax.config.update("jax_enable_x64", True)
        conditions = strategy_tournament.Conditions(gamma, horizon, error, misperception, in_turn)
        pictures = strategy_tournament.Pictures(plot, invasion, population, intensity)
        name = "of one's own" if payoffs else game
        drawn = strategy_tournament.Sampling(seeds, seed)
        strategy_tournament.play(strategies, _stage(game, payoffs), name, conditions, drawn, pictures, json)
        return
    discount = 0.95 if discount is None else discount
    if plot is not None:
        from ipd_theory.drawing import meta_game as drawing
        from ipd_theory.drawing import style
    import jax

    jax.config.update("jax_enable_x64", True)
    from ipd_theory.learning import tournament as learning
    from ipd_theory.learning.tournament_efficiency import against_naive

    stage = _stage(game, payoffs)
    entered = _entrants(rules, discount)
    if every and len(every) != len(entered):
        raise ValueError(f"--every must be one number for each of {len(entered)} rules; got {len(every)}")
    numbers: dict[str, Any] = {"discount": discount, "step": step, "seeds": seeds, "steps": steps, "tail": tail}
    with progress_bar(f"{len(entered)} rules, {seeds} seeds, {steps} steps") as progress:
        played = learning.tournament(stage, entered, **numbers, every=every, seed=seed)
        progress(0.9)
        of_naive = against_naive(
            stage, played, discount=discount, step=step, steps=steps, tail=tail, every=every, seed=seed
        )
        progress(1.0)

    names, table = [e.name for e in entered], played.table
    remarks = learning.disowned_remarks(names, table)
    setting = {
        "game": f"payoffs {stage.outcome_payoffs.tolist()}" if payoffs else game,
        **numbers,
        "every": every or (1,) * len(entered),
        "rules": {e.name: repr(e.rule) for e in entered},
        "moves": "both players step from the same parameters; a rule moves at steps divisible by its entry in every",
        "first policies": "N(0, 1) logits, the same for every pair of rules",
        "seed": seed,
    }
    solved: dict[str, Any] = {"equilibria": [e._asdict() for e in played.equilibria], "disowned": remarks}
    if played.survivors is not None:
        solved["survivors"] = played.survivors
    if of_naive is not None:
        solved["efficiency"] = of_naive.efficiency
    if plot is not None:
        shares = None if of_naive is None else of_naive.efficiency
        style.save(drawing.payoff_table(names, table, played.equilibria, remarks, efficiency=shares), plot)
        messages.print(f"drew {plot}", soft_wrap=True)
    if json:
        errors = {"standard_errors": table.A_error, "column_standard_errors": table.B_error}
        means = {"payoffs": table.A, "column_payoffs": table.B}
        print_json({"rules": names, "setting": setting, **means, **errors, **solved, "problems": played.problems})
    else:
        _print_tables(names, setting, table, solved, played.problems)


def _only_for(side: str, given: dict[str, Any]) -> None:
    """Raise `ValueError` for an option of the other side that is not as it stands by default."""
    defaults = inspect.signature(tournament).parameters
    for name, value in given.items():
        if value != defaults[name].default:
            other = "rules" if side == "strategies" else "strategies"
            raise ValueError(
                f"--{name.replace('_', '-')} is an option of tournaments of {side}; this one is of {other}"
            )


def _stage(game: str, payoffs: tuple[float, ...]) -> Any:
    import jax.numpy as jnp

    from ipd_theory import games

    if payoffs:
        return games.MatrixGame(jnp.array(payoffs).reshape(2, 2, 2))
    return getattr(games, game.replace("-", "_"))()


def _entrants(texts: tuple[str, ...] | None, discount: float) -> list[Any]:
    """Return the rules that enter, each once."""
    from ipd_theory.learning.rules.entrants import FIRST_TWELVE, entrant

    try:
        entered = [entrant(text, discount) for text in texts or FIRST_TWELVE]
    except ValueError as error:
        raise ValueError(f"--rules: {error}") from None
    names = [one.name for one in entered]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ValueError(f"--rules must name each rule once; {twice[0]} stands there twice")
    return entered


def _mixture(names: list[str], shares: Any) -> str:
    return " + ".join(
        f"{share:.3g} {name}" if share < 0.9995 else name
        for name, share in zip(names, shares, strict=True)
        if share > 1e-9
    )


def _print_payoffs(title: str, names: list[str], payoffs: Any, errors: Any) -> None:
    rows = [
        (f"{number} {name}", *(f"{x:z.2f} ±{error:.2f}" for x, error in zip(row, row_errors, strict=True)))
        for number, (name, row, row_errors) in enumerate(zip(names, payoffs, errors, strict=True), 1)
    ]
    print_table(("", *(str(i + 1) for i in range(len(names)))), rows, title=f"{title}, ± standard error")


def _print_tables(
    names: list[str], setting: dict[str, Any], table: Any, solved: dict[str, Any], problems: dict[str, list[str]]
) -> None:
    shown = [f"{name} *" if name in solved["disowned"] else name for name in names]
    if "survivors" in solved:
        _print_payoffs("payoff a step, row against column", shown, table.A, table.A_error)
    else:
        _print_payoffs("payoff a step of player 1, the row, against the column", shown, table.A, table.A_error)
        _print_payoffs("payoff a step of player 2, the column, against the row", shown, table.B, table.B_error)
    for name, value in setting.items():
        for line in [f"{name}: {value}"] if name != "rules" else [f"{k}: {v}" for k, v in value.items()]:
            results.print(line, soft_wrap=True)
    results.print(
        "equilibria are of the mean payoffs; differences within standard errors settle nothing", soft_wrap=True
    )
    if "efficiency" in solved:
        shares = sorted(zip(solved["efficiency"], names, strict=True), key=lambda x: -x[0] if x[0] == x[0] else 1e9)
        listed = ", ".join(f"{name} {share:.0%}" if share == share else f"{name} –" for share, name in shares)
        results.print(f"efficiency against the naive learner, at least: {listed}", soft_wrap=True)
    for e in solved["equilibria"]:
        pair = f"{_mixture(names, e['row'])}  against  {_mixture(names, e['column'])}"
        results.print(f"equilibrium: {pair}  (best-response gap {e['gap']:.1e})", soft_wrap=True)
    if "survivors" in solved:
        results.print(f"replicator survivors: {_mixture(names, solved['survivors'])}", soft_wrap=True)
    for name, why in solved["disowned"].items():
        results.print(f"{name} *: {why}", soft_wrap=True)
    for name, lines in problems.items():
        results.print(f"{name}: {'; '.join(lines)}", soft_wrap=True)
