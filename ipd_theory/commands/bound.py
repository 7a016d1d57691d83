"""`ipd-theory bound`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands.console import print_json, print_table, progress_bar, results
from ipd_theory.commands.options import PICTURES, FileToWrite, Probability, Seed, Within
from ipd_theory.commands.stage import four_payoffs


def bound(
    payoffs: str = "1,-1,2,0",
    discount: Probability = 0.95,
    learning_rate: Annotated[float, Within(0)] = 5.0,
    inner_episodes: Annotated[int, Within(0, 1000)] = 20,
    learners: Annotated[int, Within(1, 4096)] = 16,
    learner_std: Annotated[float, Within(0)] = 1.0,
    memory: Literal[1, 2] = 1,
    starts: Annotated[int, Within(1, 1000)] = 8,
    seed: Seed = 0,
    plot: Annotated[Path, FileToWrite(PICTURES)] | None = None,
    json: bool = False,
) -> None:
    """How much could be earned by shaping naive learners: the best policies, and what no agent exceeds.

    A learning-aware agent plays M + 1 inner episodes with a learner that takes M gradient steps in between. The best
    that it could do, with one policy and with another in each episode, is found by ascent from many starts with exact
    gradients. Below stands unconditional defection, above a ceiling that is proved. Who replies best lets no agent
    have more than "sustainable", which one comes near as γ → 1.

      ipd-theory bound --inner-episodes 20 --learning-rate 20 --plot bound.png

    Args:
        payoffs: R,S,T,P with commas.
        discount: γ from 0 to 1 of play within an inner episode; 1 is the limit of means.
        learning_rate: The learners' step η on their average return.
        inner_episodes: M, the learners' steps.
        learners: How many, evenly spread; every result is a mean over them.
        learner_std: Standard deviation of the learners' first logits.
        memory: Of the agent: how many outcomes it remembers. The learners remember one.
        starts: From how many policies the best is looked for.
        seed: Of the learners, and of the starts.
        plot: Where to draw what is earned in each episode, .png, .pdf or .svg.
        json: Print JSON.
    """
    R, S, T, P = four_payoffs(payoffs)
    import jax

    jax.config.update("jax_enable_x64", True)
    from ipd_theory.games import symmetric_game

    game = symmetric_game(R=R, S=S, T=T, P=P)
    settings: dict[str, Any] = {
        "payoffs": [R, S, T, P],
        "discount": discount,
        "learning_rate": learning_rate,
        "inner_episodes": inner_episodes,
        "learners": learners,
        "learner_std": learner_std,
        "memory": memory,
        "starts": starts,
        "seed": seed,
    }
    found = _found(game, settings)
    if plot is not None:
        import numpy as np

        from ipd_theory.drawing import bounds, style

        figure = bounds.shaping_bounds(
            {name: np.array(earned) for name, earned in found["by_episode"].items()},
            np.array(found["policies"]),
            found["sustainable"],
            caption=f"Naive learners; {_words(settings)}.",
        )
        style.save(figure, plot)
    if json:
        print_json({"settings": settings, **found})
    else:
        _print(settings, found)


def _found(game: Any, settings: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from ipd_theory.learning import bounds
    from ipd_theory.phases.drift import sobol_learners

    spread = sobol_learners(int(np.ceil(np.log2(settings["learners"]))), settings["learner_std"], settings["seed"])
    spread = spread[: settings["learners"]]
    of_learners = {
        "discount": settings["discount"],
        "learning_rate": settings["learning_rate"],
        "num_inner_episodes": settings["inner_episodes"],
    }
    how = {x: settings[x] for x in ("memory", "starts", "seed")}
    with progress_bar("looking for the best") as progress:
        defection = bounds.earned(game, np.zeros(5), spread, **of_learners)
        progress(0.1)
        fixed = bounds.fixed_policy(game, spread, **of_learners, **how)
        progress(0.4)
        controlled = bounds.sequence_from(fixed, game, spread, **of_learners)
    ceiling = bounds.ceiling(game, spread, **of_learners, any_agent=settings["memory"] > 1)
    return {
        "defection": float(defection.mean()),
        "fixed_policy": fixed.value,
        "open_loop": controlled.value,
        "ceiling": ceiling,
        "sustainable": bounds.sustainable(game),
        "policy": fixed.policy.tolist(),
        "policies": controlled.policy.tolist(),
        "starts_that_agree": [fixed.agree, controlled.agree],
        "by_episode": {
            "unconditional defection": defection.tolist(),
            "best policy": fixed.returns.tolist(),
            "best policy in each episode": controlled.returns.tolist(),
        },
    }


def _print(settings: dict[str, Any], found: dict[str, Any]) -> None:
    from ipd_theory import strategies
    from ipd_theory.learning.bounds import efficiency

    rows = []
    for words, key in (
        ("unconditional defection", "defection"),
        ("the best policy", "fixed_policy"),
        ("the best in each episode", "open_loop"),
        ("no agent of memory one exceeds" if settings["memory"] == 1 else "no agent exceeds", "ceiling"),
    ):
        share = float(efficiency(found[key], found["defection"], found["ceiling"]))
        rows.append((words, f"{found[key]:.4f}", f"{share:.0%}" if share == share else "–"))
    title = f"against naive learners, {mean_in_words(settings['discount'])}"
    print_table(("", "earns a step", "of the ceiling's gain"), rows, title=title)
    results.print(f"sustainable with one who replies best: {found['sustainable']:.4f} at most", soft_wrap=True)
    if settings["memory"] == 1:
        parts = [f"{c} {x:.2f}" for c, x in zip(strategies.contexts(1), found["policy"], strict=True)]
        results.print(f"the best policy cooperates after: {', '.join(parts)}", soft_wrap=True)
    else:
        results.print("--json has the policies", soft_wrap=True)
    agree, of = found["starts_that_agree"], settings["starts"]
    results.print(f"found from {agree[0]} of {of} starts, in each episode from {agree[1]}", soft_wrap=True)
    results.print(_words(settings), soft_wrap=True)


def _words(settings: dict[str, Any]) -> str:
    return (
        f"payoffs {payoffs_in_words(settings['payoffs'])}; discount {settings['discount']:g}, "
        f"M {settings['inner_episodes']}, η {settings['learning_rate']:g}, learners: {settings['learners']}"
    )
