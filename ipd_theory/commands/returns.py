"""`ipd-theory returns`."""

from typing import Annotated, Any

import tyro

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands import automaton_tables
from ipd_theory.commands.console import print_json, print_table, results
from ipd_theory.commands.options import Probability
from ipd_theory.commands.stage import four_payoffs
from ipd_theory.commands.strategy_argument import table_or_automaton


def returns(
    p: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="P")],
    q: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="Q")],
    discount: Probability = 0.95,
    payoffs: str = "1,-1,2,0",
    error: Probability = 0.0,
    misperception: Probability = 0.0,
    in_turn: bool = False,
    json: bool = False,
) -> None:
    """Print what two strategies earn from each other: returns, occupancy, values and the gradient, exactly.

    Example, Axelrod's payoffs in the limit of means:

      ipd-theory returns GTFT ALLD --discount 1 --payoffs 3,0,5,1

    Args:
        p: Player 1's strategy: a name (TFT, WSLS, GRIM, GTFT, TF2T, ALLC, ALLD, …), a name with numbers (gtft(0.3),
            extort(3)), or five probabilities of cooperation, at the start and after CC, CD, DC, DD (own action first),
            e.g. 1,0.9,0.1,0.9,1/3; 21 for memory two; an automaton (grim-automaton, punish(2), contrite-tft); a player
            of the Axelrod library (axelrod:TitForTat); or a file (mine.json, .txt, .csv, .npy).
        q: Player 2's strategy, likewise, in its own view.
        discount: γ from 0 to 1; 1 is the limit of means.
        payoffs: R,S,T,P with commas.
        error: Probability that an intended action is flipped (trembling hand).
        misperception: Probability to take the other's action for the opposite, which the other does not see. With it,
            and for automata, tables are by state instead of by what happened.
        in_turn: Players move one at a time, in turn, each move paid by the pair of actions then in force; γ counts
            moves. Only returns are printed.
        json: Print JSON.
    """
    R, S, T, P = four_payoffs(payoffs)
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    import ipd_theory as ipd

    game = ipd.games.symmetric_game(R=R, S=S, T=T, P=P)
    meant = [table_or_automaton(name, text, game, discount) for name, text in (("P", p), ("Q", q))]
    settings = {"p": p, "q": q, "discount": discount, "payoffs": [R, S, T, P], "error": error}
    machines = _machines(meant, error, misperception, always=in_turn)
    if in_turn:
        _print_in_turn(game, machines, settings | {"misperception": misperception}, json)
        return
    if machines:
        met = automaton_tables.meeting(game, machines, discount)
        stated = {"settings": settings | {"misperception": misperception}, **met}
        print_json(stated) if json else automaton_tables.print_meeting(stated)
        return
    memory = max(map(ipd.strategies.memory_of, meant))
    tables = [ipd.strategies.tremble(ipd.strategies.extend(x, memory), error) for x in meant]
    # The game looks the same to both, so each is the first player of one pair of a batch: compiled once.
    sides = np.stack(tables), np.stack(tables[::-1])
    result = {
        "settings": settings,
        "strategies": sides[0],
        "returns": np.asarray(ipd.expected_returns(game, *tables, discount=discount)),
        "occupancy": np.asarray(ipd.state_occupancy(*tables, discount=discount)),
        "values": np.asarray(ipd.state_values(game, *sides, discount=discount)),
        "gradient": np.asarray(ipd.return_gradient(game, *sides, discount=discount)),
    }
    if json:
        print_json(result)
    else:
        _print_tables(result, memory)


def _print_in_turn(game: Any, machines: list[Any], settings: dict[str, Any], json: bool) -> None:
    """Print what two automata earn that move in turn, for either who moves first once both have opened."""
    import numpy as np

    from ipd_theory import alternating

    discount = settings["discount"]
    earned = [alternating.automata_returns(game, *machines, discount=discount, next_mover=i) for i in (0, 1)]
    table = np.asarray(earned)
    if json:
        print_json({"settings": settings | {"in_turn": True}, "returns": table.mean(0), "by_next_mover": table})
        return
    rows = [
        (f"{name}  {settings[name]}", *(f"{x:z.6f}" for x in (table[:, i].mean(), *table[:, i])))
        for i, name in enumerate("pq")
    ]
    print_table(("strategy", "earns a move", "p moves first", "q moves first"), rows, title="players move in turn")
    mean = mean_in_words(discount) + " from move to move" * (discount < 1)
    errors = f"error {settings['error']:g}, misperception {settings['misperception']:g}"
    results.print(f"payoffs {payoffs_in_words(settings['payoffs'])}; {mean}; {errors}", soft_wrap=True)


def _machines(meant: list[Any], error: float, misperception: float, always: bool) -> list[Any]:
    """Return both strategies with their errors as automata of few states, none if tables do and may."""
    from ipd_theory import automata
    from ipd_theory.automata import Automaton
    from ipd_theory.automata.minimal import minimal

    if not always and misperception == 0 and not any(isinstance(x, Automaton) for x in meant):
        return []
    known = [x if isinstance(x, Automaton) else automata.of_table(x) for x in meant]
    erring = {"defecting": error, "cooperating": error, "perceiving": misperception}
    return [minimal(automata.with_errors(x, **erring)) for x in known]


def _print_tables(result: dict[str, Any], memory: int) -> None:
    from ipd_theory import strategies

    settings = result["settings"]
    for i, name in enumerate(("p", "q")):
        seen = result["occupancy"][strategies.view(memory, i)[1:] - 1]
        shares = ["", *(f"{x:.6f}" for x in seen)]
        columns = (result["strategies"][i], result["values"][i], result["gradient"][i])
        rows = [
            (context, share, f"{chance:.4f}", f"{value:.4f}", f"{slope:+.4f}")
            for context, share, chance, value, slope in zip(strategies.contexts(memory), shares, *columns, strict=True)
        ]
        print_table(
            ("after", "share of time", "cooperates", "value a step", f"∂return/∂{name}"),
            rows,
            title=f"{name}  {settings[name]} earns {result['returns'][i]:.6f} a step (own action first)",
        )
    played = f"payoffs {payoffs_in_words(settings['payoffs'])}; {mean_in_words(settings['discount'])}"
    results.print(f"{played}; error {settings['error']:g}", soft_wrap=True)
