"""What `ipd-theory strategy` says of a table, context by context."""

from typing import Any

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands.console import print_table, results
from ipd_theory.commands.verdicts import BEST, judged, print_verdicts

FINGERPRINT_POINTS = 5


def facts(game: Any, table: Any, discount: float) -> dict[str, Any]:
    """Return what a table [h] is in a game: best replies, verdicts, witnesses, what it enforces and leaves."""
    import ipd_theory as ipd
    from ipd_theory import fingerprints, payoff_sets, replies

    best = replies.best_responses(game, table, discount=discount)
    itself = ipd.expected_returns(game, table, table, discount=discount)
    held = judged(replies, game, table, discount)
    line = payoff_sets.enforced_line(game, table, discount)
    contexts = ipd.strategies.contexts(ipd.strategies.memory_of(table))
    print_ = fingerprints.fingerprint(game, table, discount=discount, points=FINGERPRINT_POINTS)
    return {
        "table": table,
        "contexts": contexts,
        "optimal": best.optimal,
        "earns_against_itself": float(itself[0]),
        "best_reply_earns": float(best.value),
        "gap": float(replies.gap(game, table, table, discount=discount)),
        "enforces": None if line is None else {"slope": line[0], "baseline": line[1]},
        "is": held["is"] | {"efficient": bool(replies.is_efficient(table))},
        "witnesses": _witnesses(game, table, discount, held["is"], contexts),
        "discounts": held["discounts"],
        "leaves": payoff_sets.left_by(game, table, discount=discount),
        "fingerprint": {"x_and_y": print_.axis, "scores_by_y": print_.scores},
    }


def _witnesses(game: Any, table: Any, discount: float, holds: dict[str, bool], contexts: list[str]) -> dict[str, Any]:
    """Return who shows each no."""
    import numpy as np

    from ipd_theory import replies

    found: dict[str, Any] = {}
    for word, search in (("Nash", replies.challenger), ("rival", replies.overtaker)):
        if not holds[word]:
            witness = search(game, table, discount=discount)
            found[word] = {
                "opponent": witness.strategy,
                "opponent_earns": float(witness.earns),
                "strategy_earns": float(witness.other_earns),
            }
            if np.isin(np.asarray(table), (0, 1)).all():
                found[word]["play"] = replies.path(witness.strategy, table)._asdict()
    if not holds["subgame perfect"]:
        wrong = np.asarray(replies.mistaken(game, table, discount=discount))
        found["subgame perfect"] = [context for context, bad in zip(contexts, wrong, strict=True) if bad]
    return found


def print_facts(result: dict[str, Any]) -> None:
    """Print what `facts` returned, with the settings of the command."""
    settings = result["settings"]
    rows = [
        (context, f"{chance:.4f}", BEST[bool(best[0]), bool(best[1])])
        for context, chance, best in zip(result["contexts"], result["table"], result["optimal"], strict=True)
    ]
    mean = mean_in_words(settings["discount"])
    title = f"{settings['strategy']}, {mean} (own action first; a best reply sees its own view)"
    print_table(("after", "cooperates", "best reply"), rows, title=title)
    print_verdicts(result)
    results.print("\n".join([*_lines(result), ""]))
    axis, scores = result["fingerprint"]["x_and_y"], result["fingerprint"]["scores_by_y"]
    print_table(
        ("fingerprint", *(f"x {x:g}" for x in axis)),
        [(f"y {y:g}", *(f"{float(score):.3f}" for score in row)) for y, row in zip(axis, scores, strict=True)],
        title="it earns against tit for tat that cooperates (x) or defects (y) instead",
    )
    played = f"payoffs {payoffs_in_words(settings['payoffs'])}; error {settings['error']:g}"
    results.print(played, soft_wrap=True)


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [
        f"earns {result['earns_against_itself']:.6f} a step against itself; "
        f"a best reply to it earns {result['best_reply_earns']:.6f}"
    ]
    for word in ("Nash", "rival"):
        if witness := result["witnesses"].get(word):
            earns, own = f"{witness['opponent_earns']:.4f}", f"{witness['strategy_earns']:.4f}"
            said = {
                "Nash": f"an opponent earns {earns} against it, more than it does against itself",
                "rival": f"an opponent gets ahead, {earns} to its {own}",
            }[word]
            play = f", playing {_played(witness['play'])}" if "play" in witness else ""
            lines.append(f"not {word}: {said}{play}")
    if wrong := result["witnesses"].get("subgame perfect"):
        shown = ", ".join(wrong[:6]) + (f" and {len(wrong) - 6} more" if len(wrong) > 6 else "")
        lines.append(f"not perfect: against its copy another action is better after {shown}")
    if result["enforces"]:
        slope, baseline = result["enforces"]["slope"], result["enforces"]["baseline"]
        lines.append(f"enforces π₂ − {baseline:.4g} = {slope:.4g} (π₁ − {baseline:.4g}) on whoever it meets")
    size = max(abs(payoff) for corner in result["leaves"] for payoff in corner)
    corners = ", ".join(f"({_rounded(a, size)}, {_rounded(b, size)})" for a, b in result["leaves"][:8])
    more = f" and {len(result['leaves']) - 8} more" if len(result["leaves"]) > 8 else ""
    return [*lines, f"leaves the payoffs (its, the opponent's) between {corners}{more}"]


def _rounded(payoff: float, size: float) -> str:
    return f"{payoff if abs(payoff) > 1e-12 * size else 0.0:.4g}"  # 0 for what rounding leaves of it


def _played(play: dict[str, Any]) -> str:
    """Return the outcomes of a match, the opponent's action first."""
    once, again = (" ".join(play[part]) for part in ("opening", "cycle"))
    return f"{once}, then {again} for ever" if once else f"{again} for ever"
