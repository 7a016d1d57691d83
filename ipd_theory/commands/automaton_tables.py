"""What `ipd-theory returns` and `ipd-theory strategy` say of automata, state by state."""

from collections.abc import Sequence
from typing import Any

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands.console import print_table, results
from ipd_theory.commands.verdicts import BEST, judged, print_verdicts

OUTCOMES = ("CC", "CD", "DC", "DD")


def meeting(game: Any, machines: Sequence[Any], discount: float) -> dict[str, Any]:
    """Return what two automata earn, the share of time of each state, and the gradients of their own returns."""
    import numpy as np

    from ipd_theory import automata

    gradients = [automata.return_gradient(game, *machines, discount=discount, player=i, wrt=i) for i in (0, 1)]
    shares = np.asarray(automata.occupancy(*machines, discount=discount))
    return {
        "automata": [_parts(machine) for machine in machines],
        "returns": np.asarray(automata.expected_returns(game, *machines, discount=discount)),
        "occupancy": [shares.sum(1), shares.sum(0)],
        "gradient": [gradient._asdict() for gradient in gradients],
    }


def print_meeting(result: dict[str, Any]) -> None:
    """Print what `meeting` returned, with the settings of the command."""
    settings = result["settings"]
    for i, name in enumerate(("p", "q")):
        parts, slopes = result["automata"][i], result["gradient"][i]["cooperate"]
        columns = (result["occupancy"][i], parts["cooperate"], parts["moves"], slopes)
        rows = [
            (str(state), f"{share:.6f}", f"{chance:.4f}", *map(_onward, moves), f"{slope:+.4f}")
            for state, (share, chance, moves, slope) in enumerate(zip(*columns, strict=True), 1)
        ]
        header = ("state", "share of time", "cooperates", *(f"{o} →" for o in OUTCOMES), f"∂return/∂{name}")
        title = f"{name}  {settings[name]} earns {result['returns'][i]:.6f} a step (states; own action first)"
        print_table(header, rows, title=title)
    played = f"payoffs {payoffs_in_words(settings['payoffs'])}; {mean_in_words(settings['discount'])}"
    errors = f"error {settings['error']:g}, misperception {settings['misperception']:g}"
    results.print(f"{played}; {errors}", soft_wrap=True)


def facts(game: Any, automaton: Any, discount: float) -> dict[str, Any]:
    """Return what an automaton is: best replies by state, whether Nash, perfect, partner, rival, and for which γ."""
    from ipd_theory import automata

    best = automata.best_responses(game, automaton, discount=discount)
    itself = automata.expected_returns(game, automaton, automaton, discount=discount)
    return {
        "automaton": _parts(automaton),
        "optimal": best.optimal,
        "earns_against_itself": float(itself[0]),
        "best_reply_earns": float(best.value),
        "gap": float(automata.gap(game, automaton, automaton, discount=discount)),
        **judged(automata, game, automaton, discount),
    }


def print_facts(result: dict[str, Any]) -> None:
    """Print what `facts` returned, with the settings of the command."""
    settings, parts = result["settings"], result["automaton"]
    rows = [
        (str(state), f"{chance:.4f}", *map(_onward, moves), BEST[bool(best[0]), bool(best[1])])
        for state, (chance, moves, best) in enumerate(
            zip(parts["cooperate"], parts["moves"], result["optimal"], strict=True), 1
        )
    ]
    header = ("state", "cooperates", *(f"{o} →" for o in OUTCOMES), "best reply")
    mean = mean_in_words(settings["discount"])
    title = f"{settings['strategy']}, {mean} (outcomes → next state; own action first)"
    print_table(header, rows, title=title)
    print_verdicts(result)
    lines = [
        f"earns {result['earns_against_itself']:.6f} a step against itself",
        f"a best reply to it, which knows its state, earns {result['best_reply_earns']:.6f}",
        f"payoffs {payoffs_in_words(settings['payoffs'])}; error {settings['error']:g}",
    ]
    results.print("\n".join(lines), soft_wrap=True)


def _parts(automaton: Any) -> dict[str, Any]:
    import numpy as np

    return {name: np.asarray(getattr(automaton, name)) for name in ("cooperate", "moves", "start")}


def _onward(chances: Any) -> str:
    """Return where an outcome leads: the state, or states with their chances."""
    led = [(state, chance) for state, chance in enumerate(chances, 1) if chance > 0]
    return " ".join(f"{state}" if chance == 1 else f"{state}:{chance:.2g}" for state, chance in led)
