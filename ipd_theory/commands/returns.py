"""`ipd-theory returns`."""

from typing import Annotated, Any

import tyro
from rich.table import Table

from ipd_theory.commands.console import print_json, results
from ipd_theory.commands.strategy_argument import listed, named


def returns(
    p: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="P")],
    q: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="Q")],
    discount: float = 0.95,
    payoffs: str = "1,-1,2,0",
    error: float = 0.0,
    json: bool = False,
) -> None:
    """Print what two strategies earn from each other: returns, occupancy, values and the gradient, exactly.

    Example, Axelrod's payoffs in the limit of means: ipd-theory returns GTFT ALLD --discount 1 --payoffs 3,0,5,1

    Args:
        p: Player 1's strategy: a name (TFT, WSLS, GRIM, GTFT, ALLC, ALLD, …) or five probabilities of cooperation,
            at the start and after CC, CD, DC, DD (own action first), e.g. 1,0.9,0.1,0.9,0.1.
        q: Player 2's strategy, likewise, in its own view.
        discount: γ from 0 to 1; 1 is the limit of means.
        payoffs: R,S,T,P with commas.
        error: Probability that an intended action is flipped (trembling hand).
        json: Print JSON.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    import ipd_theory as ipd

    R, S, T, P = (_number("--payoffs", x) for x in listed("--payoffs", payoffs, 4))
    game = ipd.games.symmetric_game(R=R, S=S, T=T, P=P)
    tables = [ipd.strategies.tremble(_table(name, text), error) for name, text in (("P", p), ("Q", q))]
    result = {
        "settings": {"p": p, "q": q, "discount": discount, "payoffs": [R, S, T, P], "error": error},
        "strategies": tables,
        "returns": ipd.expected_returns(game, *tables, discount=discount),
        "occupancy": ipd.state_occupancy(*tables, discount=discount),
        "values": [ipd.state_values(game, *tables, discount=discount, player=i) for i in (0, 1)],
        "gradient": [ipd.return_gradient(game, *tables, discount=discount, player=i, wrt=i) for i in (0, 1)],
    }
    if json:
        print_json(result)
    else:
        _print_tables(result)


def _number(argument: str, text: str) -> float:
    top, _, bottom = text.partition("/")
    try:
        return float(top) / float(bottom or 1)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{argument} holds {text!r}, which is not a number") from None


def _table(argument: str, text: str) -> Any:
    from jax.numpy import asarray

    if "," not in text:
        return named(argument, text)
    return asarray([_number(argument, x) for x in listed(argument, text, 5)])


def _print_tables(result: dict[str, Any]) -> None:
    settings = result["settings"]
    R, S, T, P = settings["payoffs"]
    mean = "limit of means" if settings["discount"] == 1 else f"γ = {settings['discount']:g}"
    outcomes = Table(
        "", "return a step", "CC", "CD", "DC", "DD", title="Returns, and the share of time in each outcome"
    )
    shares = [f"{x:.6f}" for x in result["occupancy"]]
    for i, name in enumerate(("p", "q")):
        seen = shares if i == 0 else ["", "", "", ""]
        outcomes.add_row(f"{name}  {settings[name]}", f"{result['returns'][i]:.6f}", *seen)
    contexts = Table("", "start", "CC", "CD", "DC", "DD", title="By context, own action first")
    for i, name in enumerate(("p", "q")):
        contexts.add_row(f"{name}: cooperates", *(f"{x:.4f}" for x in result["strategies"][i]))
        contexts.add_row(f"{name}: value a step", *(f"{x:.4f}" for x in result["values"][i]))
        contexts.add_row(f"{name}: ∂return/∂{name}", *(f"{x:+.4f}" for x in result["gradient"][i]), end_section=True)
    results.print(outcomes, contexts, f"payoffs R {R:g}, S {S:g}, T {T:g}, P {P:g}; {mean}", sep="\n")
