"""`ipd-theory verify`."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ipd_theory import _places
from ipd_theory._arguments import did_you_mean
from ipd_theory.commands.certificate import write_certificate
from ipd_theory.commands.console import file_to_write, messages, print_json, print_table, progress_bar, results
from ipd_theory.commands.design import print_design
from ipd_theory.commands.options import Count, Seed
from ipd_theory.commands.strategy_argument import strategy

Games = Literal["prisoners-dilemma", "stag-hunt", "chicken", "matching-pennies", "battle-of-the-sexes", "axelrod"]
LEAST = 1000


def verify(
    estimator: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME|FILE:NAME …")] = (),
    game: Games | None = None,
    payoffs: tuple[float, ...] = (),
    learner: str | None = None,
    batch: Count | None = None,
    episodes: Count | None = None,
    length: Count | None = None,
    ego: tuple[str, ...] = (),
    remember: bool = False,
    thorough: bool = False,
    meta_episodes: int | None = None,
    design: bool = False,
    certificate: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None,
    seed: Seed = 0,
    json: bool = False,
) -> None:
    """Hold policy-gradient estimators to what they claim, exactly and by sampling; exit status 1 if a claim fails.

    On small problems every meta-episode can be listed, so that an estimator's mean, variance and bias are known
    exactly; the true gradient comes from differentiating the expected return as a polynomial. Then the same problems
    are played, and the sample mean is tested against the claim. All claims being true, one run in 1,000 raises a
    false alarm.

      ipd-theory verify --estimator mine.py:weights

      ipd-theory verify --game chicken --batch 3 --length 1 --ego 0.9,0.8,0.3,0.6,0.2

    Args:
        estimator: Some of the built-in four, or your own as FILE:NAME: a function of rewards [..., B, M, T]
            (trajectory, inner episode, step) that returns weights of the same shape, which is held to being unbiased,
            or an `ipd_theory.sampling.estimators.Estimator`, held to what it claims; with `sees_all=True` its weights
            are a function of all that ego knows (contexts, actions, rewards, log-probabilities, values). Array methods
            only (sum, cumsum, mean) let the check in fractions run as well.
        game: The stage game of one problem of your own, instead of the built-in problems; any of the next six options
            asks for one, too.
        payoffs: The stage game by its payoffs: R S T P, or eight numbers, the first player's in CC CD DC DD first.
        learner: The co-player: reinforce, actor-critic, or FILE:NAME of a `TabularLearner`.
        batch: B, trajectories played at once; 2.
        episodes: M, inner episodes; 2.
        length: T, steps of an inner episode; 2. There are 4^(B M T) meta-episodes.
        ego: Your player's chances of cooperation, strictly between 0 and 1: one table, 5 entries with commas between
            them at the start and after CC, CD, DC, DD (or 21, of memory two), a name (random) or a file (mine.json), or
            one of these for each inner episode.
        remember: Your player remembers across inner episodes.
        thorough: More problems, ten times the samples, and 65,536 trajectories in fractions; some minutes.
        meta_episodes: Meta-episodes to sample for each problem; 200,000, or ten times as many with --thorough.
        design: Instead, print what the built-in estimators cost: their exact errors by the number of meta-episodes, the
            weight of later inner episodes that has the least, and what the best baseline saves.
        certificate: Instead, write the proof in fractions that the one estimator named (COALA-PG if none) is unbiased,
            for a player with memory and a learner that follows REINFORCE in probabilities at the rate 1/16. Entries of
            --ego may be fractions such as 1/3; --game, --payoffs, --batch, --episodes and --length (1) name the rest.
        seed: Seed of the sampling, and of what is drawn for a problem of your own.
        json: Print the results as JSON on standard output, with the true gradient and the bias of each component.
    """
    size = meta_episodes if meta_episodes is not None else 2_000_000 if thorough else 200_000
    if size < LEAST:
        raise ValueError(f"--meta-episodes must be {LEAST} or more for the normal approximation; got {size}")
    if game and payoffs:
        raise ValueError("--game and --payoffs both name the game; give one of them")
    if certificate is not None:
        file_to_write("--certificate", certificate, (".json",))
        twice = {"estimator twice": estimator[1:], "ego twice": ego[1:]}
        _alone("--certificate", learner=learner, remember=remember, thorough=thorough, meta_episodes=meta_episodes)
        _alone("--certificate", seed=seed, json=json, design=design, **twice)
    if design:
        _alone("--design", estimator=estimator, meta_episodes=meta_episodes)
    import jax

    jax.config.update("jax_enable_x64", True)
    from ipd_theory.sampling import claims, trials
    from ipd_theory.sampling.estimators import ESTIMATORS, UNBIASED

    if certificate is not None:
        one = _estimator(estimator[0]) if estimator else ESTIMATORS[0]
        stage = _stage(game or "axelrod", payoffs)
        write_certificate(certificate, one, stage, (batch or 2, episodes or 2, length or 1), ego)
        return
    held = [_estimator(name) for name in estimator] or list(ESTIMATORS)
    tried = list(trials.trials(thorough))
    if game or payoffs or learner or batch or episodes or length or ego or remember:
        shape = (batch or 2, episodes or 2, length or 2)
        tried = [_own_problem(game or "prisoners-dilemma", payoffs, learner or "reinforce", shape, ego, remember, seed)]
    if design:
        print_design(tried, json)
        return
    with progress_bar("verifying") as progress:
        verdicts = claims.verify(held, tried, size, jax.random.key(seed), progress)
        fractions = {
            one.label: claims.unbiased_in_fractions(one, (2, 2, 2) if thorough else (2, 2, 1))
            for one in held
            if one.claim == UNBIASED
        }
    failed = [v for v in verdicts if v.reason]
    refuted = [name for name, equal in fractions.items() if equal is False]
    if json:
        rows = [v._asdict() for v in verdicts]
        print_json({"verdicts": rows, "equal_in_fractions": fractions, "holds": not failed and not refuted})
    else:
        _print_verdicts(verdicts, fractions)
    if failed or refuted:
        for verdict in failed:
            messages.print(f"{verdict.estimator} on {verdict.problem}: {verdict.reason}", soft_wrap=True)
        messages.print(f"a claim fails in {len(failed)} of {len(verdicts)} checks", style="bold red", soft_wrap=True)
        sys.exit(1)
    messages.print(f"all claims hold ({size:,} sampled meta-episodes a problem, false-alarm rate 0.001 a run)")


def _alone(option: str, **others: object) -> None:
    """Raise `ValueError` if an option is given together with some that it does not heed."""
    if given := [f"--{name.replace('_', '-')}" for name, value in others.items() if value]:
        raise ValueError(f"{option} does not go together with {', '.join(given)}")


def _loaded(option: str, place: str) -> Any:
    """Return what stands at a place that an option names."""
    try:
        return _places.load(place)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from error


def _estimator(name: str) -> Any:
    """Return a built-in `Estimator`, what FILE:NAME is, or one of a function of rewards, held to being unbiased."""
    from ipd_theory.sampling.estimators import ESTIMATORS, Estimator

    by_name = {estimator.name: estimator for estimator in ESTIMATORS}
    if name in by_name:
        return by_name[name]
    if ":" not in name:
        near = did_you_mean(name, by_name.keys())
        raise ValueError(f"--estimator must be FILE:NAME or {', '.join(by_name)}; got {name!r}{near}")
    found = _loaded("--estimator", name)
    if isinstance(found, Estimator):
        return found
    if not callable(found):
        raise ValueError(f"--estimator: {name!r}: it must be a function of rewards or an Estimator; got {found!r}")
    return Estimator(name, found)


def _stage(game: str, payoffs: tuple[float, ...]) -> Any:
    """Return the stage game by its payoffs, or else by its name."""
    import jax.numpy as jnp

    from ipd_theory import games

    if len(payoffs) not in (0, 4, 8):
        raise ValueError(f"--payoffs must be four numbers R S T P, or eight; got {len(payoffs)}")
    if len(payoffs) == 8:
        return games.MatrixGame(jnp.array(payoffs).reshape(2, 2, 2))
    return games.symmetric_game(*payoffs) if payoffs else getattr(games, game.replace("-", "_"))()


def _own_problem(
    game: str,
    payoffs: tuple[float, ...],
    learner: str,
    shape: tuple[int, int, int],
    ego: tuple[str, ...],
    remember: bool,
    seed: int,
) -> Any:
    import jax.numpy as jnp

    from ipd_theory.sampling import trials
    from ipd_theory.sampling.learners import TabularLearner

    stage = _stage(game, payoffs)
    named = {"reinforce": trials.REINFORCE, "actor-critic": trials.ACTOR_CRITIC}
    if learner not in named and ":" not in learner:
        raise ValueError(f"--learner must be {', '.join(named)} or FILE:NAME; got {learner!r}")
    rule = named[learner] if learner in named else _loaded("--learner", learner)
    if not isinstance(rule, TabularLearner):
        raise ValueError(f"--learner: {learner!r}: it must be a TabularLearner; got {rule!r}")
    tables = [strategy("--ego", text, stage, 1.0) for text in ego]
    if len(tables) not in (0, 1, shape[1]) or len({table.size for table in tables}) > 1:
        raise ValueError(f"--ego must be one table, or one for each of {shape[1]} inner episodes; got {len(tables)}")
    p = jnp.stack(tables) if tables else None
    if p is not None and not ((p > 0) & (p < 1)).all():
        raise ValueError(f"--ego must lie strictly between 0 and 1, where ∇log π is finite; got {' '.join(ego)}")
    words = f"payoffs {' '.join(f'{x:g}' for x in payoffs)}" if payoffs else game
    return trials.trial(
        f"{words}, {learner}{', memory' if remember else ''}, B M T = {' '.join(map(str, shape))}",
        stage,
        rule,
        shape,
        ego_logits=None if p is None else jnp.log(p) - jnp.log1p(-p),
        remember_across_episodes=remember,
        seed=seed,
    )


def _print_verdicts(verdicts: list[Any], fractions: dict[str, bool | None]) -> None:
    from rich.text import Text

    said = {True: Text("holds", "green"), False: Text("fails", "bold red"), None: Text("–")}
    header = ("estimator", "bias", "cosine", "noise", "shaping", "exact", "sampled", "finds")
    for problem in dict.fromkeys(v.problem for v in verdicts):
        rows = [
            (
                v.estimator,
                *(_number(x, form) for x, form in ((v.bias, ".1e"), (v.cosine, ".3f"), (v.noise, ".1f"))),
                _number(v.shaping_to_noise, ".3f"),
                said[v.exact_holds],
                said[v.sampled_holds],
                _number(v.detectable, ".3f"),
            )
            for v in verdicts
            if v.problem == problem
        ]
        print_table(header, rows, title=problem)
        results.print()
    for name, claim in {v.estimator: v.claim for v in verdicts if v.claim != "none"}.items():
        results.print(f"{name} claims the mean {claim}", soft_wrap=True)
    for name, equal in fractions.items():
        word = {True: "equal to", False: "different from", None: "not computed against"}[equal]
        results.print(f"in fractions, the mean of {name} is {word} the true gradient", soft_wrap=True)
    results.print(
        "\nbias     ‖E ĝ − ∇J̄‖ / ‖∇J̄‖, exact\n"
        "cosine   of E ĝ and ∇J̄\n"
        "noise    √(tr Cov ĝ) / ‖E ĝ‖ of one meta-episode; squared, the critical batch\n"
        "shaping  the share of later inner episodes in ‖E ĝ‖, over √(tr Cov ĝ)\n"
        "exact    the mean is as claimed, to 1e-12 (–: nothing is claimed here)\n"
        f"sampled  the sample mean is, all its components within {verdicts[0].z_limit:.2f} standard errors\n"
        "finds    the error / ‖∇J̄‖ that the sample finds with 99 % power",
        soft_wrap=True,
    )


def _number(x: float, form: str) -> str:
    return "–" if x != x else format(x, form)
