"""What `ipd-theory fit` says of a log: the table, what it enforces, is and earns, and who plays what."""

from typing import Any, NamedTuple

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands.console import print_table, progress_bar, results


class ReadingSettings(NamedTuple):
    """What was asked of a reading (see `ipd_theory.inference.read_out`)."""

    memory: int
    level: float
    draws: int
    margin: float | None
    closeness: float
    seed: int


def facts(
    game: Any, plays: Any, discount: float, opponents: dict[str, Any], asked: ReadingSettings
) -> tuple[dict[str, Any], Any]:
    """Return what a log says of the strategy that all its players play, and how to draw it."""
    from ipd_theory import inference, strategies

    fitted = inference.fit_table(plays, asked.memory, level=asked.level)
    tables = inference.posterior_tables(fitted, asked.draws, asked.seed)
    said = inference.read_out(
        game,
        tables,
        discount=discount,
        against=opponents,
        level=asked.level,
        margin=asked.margin,
        closeness=asked.closeness,
    )
    table = {
        "cooperations": fitted.counts[:, 0],
        "defections": fitted.counts[:, 1],
        "estimate": fitted.estimate,
        "low": fitted.low,
        "high": fitted.high,
        "seen": fitted.visited,
    }
    result = {
        "rounds": plays.num_rounds,
        "matches": plays.num_matches,
        "players": len(plays.players),
        "contexts": strategies.contexts(asked.memory),
        "table": table,
        "memory": _memories(plays, asked),
        "change": _changes(plays, asked),
        "players_differ": inference.compare_players(plays, asked.memory, seed=asked.seed).p_value
        if len(plays.players) > 1
        else None,
        **read(said),
    }

    def picture() -> Any:
        from ipd_theory.drawing import readings

        return readings.reading(fitted, said)

    return result, picture


def _memories(plays: Any, asked: ReadingSettings) -> dict[str, Any] | None:
    """Return what speaks for each memory; None where no round has a known context as long."""
    from ipd_theory import inference

    longest = min(asked.memory + 1, 3) if asked.memory else 1
    if not inference.count(plays, longest).any():
        return None
    with progress_bar("testing memories") as progress:
        found = inference.compare_memories(plays, longest, seed=asked.seed, progress=progress)
    return {
        "probability": dict(zip(found.hypotheses, found.probability, strict=True)),
        "p_value": {name: test.p_value for name, test in found.tests.items()},
        "likeliest": found.likeliest,
        "shortest_accepted": found.accepted,
        "test_level": found.level,
    }


def _changes(plays: Any, asked: ReadingSettings) -> dict[str, float]:
    from ipd_theory import inference

    found = {by: inference.compare_halves(plays, asked.memory, by=by, seed=asked.seed) for by in ("rounds", "matches")}
    return {by: test.p_value for by, test in found.items()}


def spread(x: Any) -> dict[str, Any]:
    """Return a quantity with its interval, and the share of draws in which it is defined."""
    return {"median": x.median, "low": x.low, "high": x.high, "defined": x.defined}


def _encounter(x: Any) -> dict[str, Any]:
    return {name: spread(value) for name, value in x._asdict().items()}


def read(said: Any) -> dict[str, Any]:
    """Return what draws say (`inference.ReadOut`), without the draws."""
    line, extortion = said.line, said.extortion
    return {
        "is": {"Nash": said.nash, "partner": said.partner, "rival": said.rival}
        | ({} if extortion is None else {"extortionate": extortion.probability}),
        "margin": said.margin,
        "closeness": said.closeness,
        "enforces": None if line is None else {name: spread(x) for name, x in line._asdict().items()},
        "chi": None if extortion is None else spread(extortion.chi),
        "best_reply": {
            "earns": spread(said.best_reply_earns),
            "gains_over_the_strategy_itself": spread(said.gap),
            "gets_ahead_by": spread(said.lead),
            "cooperation_is_optimal": said.optimal[..., 0],
        },
        "exploiter": {"table": said.exploiter, "earns": spread(said.exploiter_earns)},
        "meets": {"itself": _encounter(said.itself)} | {name: _encounter(x) for name, x in said.against.items()},
    }


def of_mixture(mixed: Any) -> dict[str, Any]:
    """Return shares and trembles of a mixture with their errors, and the likeliest strategy of each player."""
    shares, trembles = mixed.share_intervals, mixed.tremble_intervals
    return {
        "strategies": mixed.names,
        "shares": mixed.shares,
        "share_errors": mixed.share_errors,
        "share_low": shares[0],
        "share_high": shares[1],
        "tremble": mixed.trembles[0],
        "tremble_error": mixed.tremble_errors[0],
        "tremble_low": trembles[0, 0],
        "tremble_high": trembles[1, 0],
        "log_likelihood": mixed.log_likelihood,
        "bic": mixed.bic,
        "aic": mixed.aic,
        "not_told_apart": mixed.alike,
        "membership": mixed.membership,
    }


def number(x: dict[str, Any], digits: int = 3) -> str:
    """Return a quantity with its interval, or that there is none."""
    if not float(x["defined"]):
        return "not defined"
    return f"{float(x['median']):.{digits}f} ({float(x['low']):.{digits}f} to {float(x['high']):.{digits}f})"


def print_facts(result: dict[str, Any]) -> None:
    """Print what `facts` returned, with the settings of the command."""
    settings, table = result["settings"], result["table"]
    level = f"{100 * settings['level']:g} %"
    replies = result["best_reply"]["cooperation_is_optimal"]
    rows = [
        (
            context,
            f"{c + d:,}",
            f"{estimate:.4f}" if c + d else "never seen",
            f"{low:.4f} to {high:.4f}",
            f"{optimal:.2f}",
        )
        for context, c, d, estimate, low, high, optimal in zip(
            result["contexts"],
            *(table[k] for k in ("cooperations", "defections", "estimate", "low", "high")),
            replies,
            strict=True,
        )
    ]
    many = f"{result['rounds']:,} rounds of {result['matches']:,} matches, players: {result['players']:,}"
    print_table(
        ("after", "rounds", "cooperates", level, "best to cooperate*"), rows, title=f"{settings['file']}: {many}"
    )
    results.print("own action first; * how likely a best reply is to cooperate after what itself did first")
    unseen = [c for c, seen in zip(result["contexts"], table["seen"], strict=True) if not seen]
    if unseen:
        shown = ", ".join(unseen[:8]) + (f" and {len(unseen) - 8} more" if len(unseen) > 8 else "")
        results.print(
            f"never seen: {shown}; there every probability is as likely as any other, and what follows says so"
        )
    results.print("\n".join(_of_memory(result)))
    results.print()
    meets = [
        (name, number(x["own"]), number(x["other"]), f"{float(x['own_cooperation']['median']):.2f}")
        for name, x in result["meets"].items()
    ]
    meets.append(("a best reply to it", "", number(result["best_reply"]["earns"]), ""))
    title = f"what it earns, {mean_in_words(settings['discount'])}, payoffs {payoffs_in_words(settings['payoffs'])}"
    print_table(("against", "it earns", "the other earns", "it cooperates"), meets, title=title)
    results.print("\n".join(_verdicts(result)))
    if "mixture" in result:
        _print_mixture(result["mixture"], level)


def _of_memory(result: dict[str, Any]) -> list[str]:
    lines = []
    if found := result["memory"]:
        tests = ", ".join(f"{name}: p = {p:.3f}" for name, p in found["p_value"].items())
        chance = max(found["probability"].values())
        lines.append(f"likeliest: {found['likeliest']} (probability {chance:.3f}); tests: {tests}")
        lines.append(
            f"the shortest memory that is not rejected at {found['test_level']:g}: {found['shortest_accepted']}"
        )
    else:
        lines.append("the rounds are too few to compare memories")
    change = result["change"]
    lines.append(
        f"does it change? within matches p = {change['rounds']:.3f}, from match to match p = {change['matches']:.3f}"
    )
    if (p := result["players_differ"]) is not None:
        lines.append(f"do players differ? p = {p:.3f}: the table is that of all together, --mixture tells them apart")
    return lines


def _verdicts(result: dict[str, Any]) -> list[str]:
    words = ", ".join(f"{word} {float(chance):.2f}" for word, chance in result["is"].items())
    lines = [
        f"probability to be, within {result['margin']:g} a step and {result['closeness']:g}: {words}",
        f"a best reply gains {number(result['best_reply']['gains_over_the_strategy_itself'])} over the strategy itself",
        f"an opponent gets ahead by {number(result['best_reply']['gets_ahead_by'])}",
    ]
    if (chi := result["chi"]) and float(chi["defined"]):
        lines.append(f"where it extorts, χ = {number(chi, 2)}")
    if enforced := result["enforces"]:
        lines.append(f"nearest enforced line: slope {number(enforced['slope'])},")
        lines.append(f"  baseline {number(enforced['baseline'])}, distance {number(enforced['distance'])}")
    actions = ", ".join(
        f"{context} {'C' if x else 'D'}"
        for context, x in zip(result["contexts"][:5], result["exploiter"]["table"], strict=False)
    )
    more = ", …" if len(result["contexts"]) > 5 else ""
    lines.append(f"how to exploit it: {actions}{more} (own action first) earns {number(result['exploiter']['earns'])}")
    return lines


def _print_mixture(mixed: dict[str, Any], level: str) -> None:
    columns = (mixed[k] for k in ("strategies", "shares", "share_errors", "share_low", "share_high"))
    rows = [
        (name, f"{share:.3f}", f"{error:.3f}", f"{low:.3f} to {high:.3f}")
        for name, share, error, low, high in zip(*columns, strict=True)
    ]
    results.print()
    print_table(("strategy", "share", "standard error", level), rows, title="who plays what, by maximum likelihood")
    tremble = f"{mixed['tremble_low']:.4f} to {mixed['tremble_high']:.4f}"
    results.print(f"tremble {mixed['tremble']:.4f} ± {mixed['tremble_error']:.4f} ({tremble})")
    results.print(f"log-likelihood {mixed['log_likelihood']:.2f}, BIC {mixed['bic']:.2f}, AIC {mixed['aic']:.2f}")
    for group in mixed["not_told_apart"]:
        results.print(f"no round tells {', '.join(group)} apart: only the sum of their shares means something")
