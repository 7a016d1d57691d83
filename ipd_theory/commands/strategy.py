"""`ipd-theory strategy`."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from ipd_theory.commands import automaton_tables, strategy_argument
from ipd_theory.commands.console import print_json, print_table, results
from ipd_theory.commands.options import PICTURES, FileToWrite, Probability
from ipd_theory.commands.strategy_argument import listed, number


def strategy(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")],
    discount: Probability = 1.0,
    payoffs: str = "3,0,5,1",
    error: Probability = 0.0,
    plot: Annotated[Path, FileToWrite(PICTURES)] | None = None,
    json: bool = False,
) -> None:
    """Say what a strategy is: what it enforces, how best to answer it, and whether it is Nash, partner or rival.

    All best replies are found, as the actions that are optimal in each context, and the discounts for which the
    strategy is a best reply to itself, from everywhere (subgame perfect), or a partner: never the first to defect and
    Nash. A rival never earns less than its opponent. Example: ipd-theory strategy "extort(3)" --plot extort.png

    Args:
        name: A name (TFT, WSLS, GRIM, TF2T, …), a name with numbers (gtft(0.3), extort(3)), or all entries of a table
            with commas between them: at the start and after CC, CD, DC, DD, own action first; or an automaton
            (grim-automaton, punish(2), contrite-tft).
        discount: γ from 0 to 1; 1 is the limit of means.
        payoffs: R,S,T,P with commas, by default Axelrod's.
        error: Probability that an intended action is flipped (trembling hand).
        plot: Picture of the payoffs that it leaves to both, .png, .pdf or .svg.
        json: Print JSON.
    """
    R, S, T, P = (float(number("--payoffs", x)) for x in listed("--payoffs", payoffs, 4))
    import jax

    jax.config.update("jax_enable_x64", True)
    import ipd_theory as ipd

    game = ipd.games.symmetric_game(R=R, S=S, T=T, P=P)
    meant = strategy_argument.table_or_automaton("NAME", name, game, discount or 1.0)
    settings = {"strategy": name, "discount": discount, "payoffs": [R, S, T, P], "error": error}
    if isinstance(meant, ipd.automata.Automaton):
        table: Any = ipd.automata.with_errors(meant, defecting=error, cooperating=error)
        result = {"settings": settings, **automaton_tables.facts(game, table, discount)}
    else:
        table = ipd.strategies.tremble(meant, error)
        result = {"settings": settings, **_facts(game, table, discount)}
    if json:
        print_json(result)
    else:
        (_print_facts if "table" in result else automaton_tables.print_facts)(result)
    if plot is not None:
        from ipd_theory.drawing import payoffs as drawing
        from ipd_theory.drawing import style

        style.save(drawing.payoff_polygon(game, table, discount=discount, name=name), plot)


def _facts(game: Any, table: Any, discount: float) -> dict[str, Any]:
    import ipd_theory as ipd
    from ipd_theory import replies
    from ipd_theory.drawing.payoffs import enforced_line

    best = replies.best_responses(game, table, discount=discount)
    itself = ipd.expected_returns(game, table, table, discount=discount)
    tests = {
        "Nash": replies.is_nash,
        "subgame perfect": replies.is_subgame_perfect,
        "partner": replies.is_partner,
        "rival": replies.is_rival,
    }
    line = enforced_line(game, table, discount)
    return {
        "table": table,
        "contexts": ipd.strategies.contexts(ipd.strategies.memory_of(table)),
        "optimal": best.optimal,
        "earns_against_itself": float(itself[0]),
        "best_reply_earns": float(best.value),
        "gap": float(replies.gap(game, table, table, discount=discount)),
        "enforces": None if line is None else {"slope": line[0], "baseline": line[1]},
        "is": {word: bool(test(game, table, discount=discount)) for word, test in tests.items()},
        "discounts": {word: replies.discount_windows(game, table, test) for word, test in tests.items()},
    }


def _print_facts(result: dict[str, Any]) -> None:
    settings = result["settings"]
    mean = "limit of means" if settings["discount"] == 1 else f"γ = {settings['discount']:g}"
    answers = {(True, True): "either", (True, False): "cooperate", (False, True): "defect"}
    rows = [
        (context, f"{chance:.4f}", answers[bool(best[0]), bool(best[1])])
        for context, chance, best in zip(result["contexts"], result["table"], result["optimal"], strict=True)
    ]
    title = f"{settings['strategy']}, {mean} (own action first; a best reply sees its own view)"
    print_table(("after", "cooperates", "best reply"), rows, title=title)
    windows = {
        word: ", ".join(f"{low:.4g} to {high:.4g}" for low, high in found) or "no γ"
        for word, found in result["discounts"].items()
    }
    here = [(word, "yes" if holds else "no", windows[word]) for word, holds in result["is"].items()]
    print_table(("it is", mean, "for γ in"), here)
    lines = [
        f"earns {result['earns_against_itself']:.6f} a step against itself; "
        f"a best reply to it earns {result['best_reply_earns']:.6f}"
    ]
    if result["enforces"]:
        slope, baseline = result["enforces"]["slope"], result["enforces"]["baseline"]
        lines.append(f"enforces π₂ − {baseline:.4g} = {slope:.4g} (π₁ − {baseline:.4g}) on whoever it meets")
    R, S, T, P = settings["payoffs"]
    lines.append(f"payoffs R {R:g}, S {S:g}, T {T:g}, P {P:g}; error {settings['error']:g}")
    results.print("\n".join(lines), soft_wrap=True)
