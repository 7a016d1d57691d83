"""What `ipd-theory fit --run` says of a trained agent: what it plays and enforces, inner episode by inner episode."""

from pathlib import Path
from typing import Any

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands.console import messages, print_table, results
from ipd_theory.commands.fit_words import ReadingSettings, read
from ipd_theory.commands.strategy_argument import table_or_automaton


def facts(
    run: Path,
    agent: int,
    iteration: int | None,
    meta_episodes: int,
    against: tuple[str, ...],
    discount: float | None,
    asked: ReadingSettings,
) -> tuple[dict[str, Any], Any]:
    """Return what an agent of a run enforces on naive learners in each inner episode, and how to draw it."""
    from ipd_theory.rl import run_folder
    from ipd_theory.rl.environments import IteratedDilemma

    config, _ = run_folder.read_config(run)
    if not isinstance(config.environment, IteratedDilemma):
        raise ValueError(f"--run {run} plays {type(config.environment).__name__}; it must play IteratedDilemma")
    steps = config.episode_length
    gamma = discount or (1 - 1 / steps if steps > 1 else 1.0)
    from ipd_theory import games

    game = games.symmetric_game(*config.environment.payoffs)
    opponents = {x: table_or_automaton("--against", x, game, gamma) for x in against}
    from ipd_theory.rl import evaluation

    messages.print("playing (compiling takes a moment) …")
    actions = evaluation.play_of(run, agent, iteration=iteration, meta_episodes=meta_episodes, seed=asked.seed)
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    from ipd_theory import inference, strategies

    game = games.symmetric_game(*config.environment.payoffs)
    fitted = inference.fit_episodes(actions, asked.memory, level=asked.level)
    said = inference.read_out(
        game,
        inference.posterior_tables(fitted, asked.draws, asked.seed),
        discount=gamma,
        against=opponents,
        level=asked.level,
        margin=asked.margin,
        closeness=asked.closeness,
    )
    by_side = np.moveaxis(actions, -2, 0).reshape(2, len(actions), -1)
    payoffs = np.asarray(game.outcome_payoffs, float)[:, 2 * by_side[0] + by_side[1]].mean(-1)
    result = {
        "settings": {
            "run": run,
            "agent": agent,
            "method": config.methods[agent],
            "iteration": iteration,
            "meta_episodes": meta_episodes,
            "discount": gamma,
            "payoffs": config.environment.payoffs,
            **asked._asdict(),
        },
        "rounds_in_an_episode": by_side[0, 0].size,
        "contexts": strategies.contexts(asked.memory),
        "table": {
            "counts": fitted.counts,
            "estimate": fitted.estimate,
            "low": fitted.low,
            "high": fitted.high,
            "seen": fitted.visited,
        },
        "played": {"cooperation": 1 - by_side.mean(-1), "payoff": payoffs},
        **read(said),
    }

    def picture() -> Any:
        from ipd_theory.drawing import readings

        return readings.enforcement(fitted, said, payoffs, name=f"agent {agent} ({config.methods[agent]})")

    return result, picture


def print_facts(result: dict[str, Any]) -> None:
    """Print what `facts` returned, a row an inner episode."""
    settings, table, played = result["settings"], result["table"], result["played"]
    episodes = range(1, len(table["estimate"]) + 1)
    name = f"{settings['run']}, agent {settings['agent']} ({settings['method']})"
    rows = [
        (str(m), *(f"{x:.2f}" for x in estimate), f"{own:.2f}", f"{other:.2f}")
        for m, estimate, own, other in zip(episodes, table["estimate"][:, -5:], *played["payoff"], strict=True)
    ]
    contexts = result["contexts"][-5:]
    many = f"{result['rounds_in_an_episode']:,} rounds an episode"
    title = f"{name}: how often it cooperates after what, {many}"
    print_table(("episode", *contexts, "it earns", "the other earns"), rows, title=title)
    if result["enforces"] is None:
        results.print("a line of payoffs is asked of memory 0 or 1 alone")
        return
    line, is_, chi = result["enforces"], result["is"], result["chi"]
    rows = []
    for i, m in enumerate(episodes):
        slope, baseline, distance = ({k: v[i] for k, v in line[x].items()} for x in ("slope", "baseline", "distance"))
        factor = f"{chi['median'][i]:.2f}" if chi is not None and chi["defined"][i] else "none"
        extorts = f"{is_['extortionate'][i]:.2f}" if chi is not None else "no dilemma"
        rows.append(
            (
                str(m),
                f"{slope['median']:.2f} ({slope['low']:.2f} to {slope['high']:.2f})",
                f"{baseline['median']:.2f}",
                f"{distance['median']:.3f}",
                extorts,
                factor,
            )
        )
    print_table(
        ("episode", "slope", "baseline", "distance", "extorts", "χ"),
        rows,
        title=f"the nearest enforced line, {mean_in_words(settings['discount'])}",
    )
    closeness = f"extorts: probability that p̃ is within {result['closeness']:g} of an extortioner, of factor χ"
    results.print(f"payoffs {payoffs_in_words(settings['payoffs'])}; {closeness}", soft_wrap=False)
    if not table["seen"].all():
        results.print("some contexts were never seen in some episodes (nan); what follows of them is the prior's")
