"""`ipd-theory strategy`."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from ipd_theory.commands import automaton_tables, strategy_argument, table_facts
from ipd_theory.commands.console import print_json
from ipd_theory.commands.options import PICTURES, FileToWrite, Probability
from ipd_theory.commands.stage import four_payoffs


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
    Nash. A rival never earns less than its opponent. An efficient strategy cooperates with its copy all the time in the
    limit of trembles that vanish. Each no comes with a witness: the match that shows it. The fingerprint is the score
    against tit for tat that cooperates with probability x, or defects with probability y, instead.

      ipd-theory strategy "extort(3)" --plot extort.png

    Args:
        name: A name (TFT, WSLS, GRIM, TF2T, …), a name with numbers (gtft(0.3), extort(3)), all entries of a table
            with commas between them: at the start and after CC, CD, DC, DD, own action first; an automaton
            (grim-automaton, punish(2), contrite-tft); a player of the Axelrod library (axelrod:TitForTat); or a file
            with one of these (mine.json, .txt, .csv, .npy; what --json writes will do).
        discount: γ from 0 to 1; 1 is the limit of means.
        payoffs: R,S,T,P with commas, by default Axelrod's.
        error: Probability that an intended action is flipped (trembling hand).
        plot: Picture of the payoffs that it leaves to both and of its fingerprint, .png, .pdf or .svg.
        json: Print JSON.
    """
    R, S, T, P = four_payoffs(payoffs)
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
        result = {"settings": settings, **table_facts.facts(game, table, discount)}
    if json:
        print_json(result)
    else:
        (table_facts if "table" in result else automaton_tables).print_facts(result)
    if plot is not None:
        from ipd_theory.drawing import payoffs as drawing
        from ipd_theory.drawing import style

        style.save(drawing.portrait(game, table, discount=discount, name=name), plot)
