"""The paper's findings, figures and table, read off the figures' data, and its estimators' properties."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ipd_theory.sampling import enumeration, estimators, trials
from paper_figures.about import PAPER
from paper_figures.published.rows import Number, Row, Statement, Work, mean

COOPERATES, DEFECTS = Statement("cooperates", 0.75, 1.25), Statement("defects", -0.25, 0.25)
BASELINES = ("batch_unaware", "m_fos")
paper = functools.partial(Row, PAPER)


def _end(figure: str, *, of: str, pool: int | None = None) -> Callable[[Work], Number]:
    """Measure the mean over seeds, of both agents, at the end of a figure's curve."""

    def measure(work: Work) -> Number:
        x = work.figure(figure)[of][-1]
        each = x if pool is None else x[pool]
        return mean(each.mean(-1))

    return measure


def _look_aheads(figure: str, i: int) -> Callable[[Work], Number]:
    """Measure the mean over pairs at the end, with the i-th number of look-aheads."""
    return lambda work: mean(work.figure(figure)["rewards"][-1, i].mean(-1))


def _less(figure: str, first: str, second: str) -> Callable[[Work], Number]:
    return lambda work: mean((work.figure(figure)[first][-1] - work.figure(figure)[second][-1]).mean(-1))


def _extorted(work: Work) -> Number:
    last = work.figure("4B")["rewards"][-1]
    return mean(last[:, 0] - last[:, 1])


def _ratio(work: Work) -> Number:
    found = work.figure("8")
    return Number(float(np.median(found["learned_residual"]) / np.median(found["random_residual"])))


def _path_gain(work: Work) -> Number:
    """Reward of the trained agents over tit for tat's, from the same fresh learners, mean over episodes."""
    path = work.figure("10")["path"].mean(0)[..., 0]
    return mean((path[1] - path[0]).mean(-1))


def _away(work: Work) -> Number:
    """Largest change of a probability of cooperation from tit for tat's, mean over seeds."""
    end = 1 / (1 + np.exp(-work.figure("10")["logits"][-1]))
    return mean(np.abs(end - (0.99, 0.99, 0.01, 0.99, 0.01)).max(-1).mean(-1))


def _future_share(work: Work) -> Number:
    """How often the future's gradient over the present's, of COALA-PG, is that of batch-unaware at the start."""
    ratios = work.figure("12")["ratios"][:, :, 0]
    return mean(ratios[0] / ratios[1])


def _late(arrays: dict[str, Any], name: str) -> Any:
    """Return the mean over the last quarter of a run's lines, one number a seed."""
    x = arrays[name]
    lines = x[:, -max(1, x.shape[1] // 4) :]
    return lines.reshape(len(x), -1).mean(-1)


def _over_baselines(figure: str, pattern: str) -> Callable[[Work], Number]:
    """Measure COALA-PG's mean less the better baseline's, with the error of the difference."""

    def measure(work: Work) -> Number:
        arrays = work.figure(figure)
        coala = mean(_late(arrays, pattern.format("coala")))
        best = max((mean(_late(arrays, pattern.format(name))) for name in BASELINES), key=lambda x: x.value)
        return Number(coala.value - best.value, float(np.hypot(coala.error, best.error)))

    return measure


def _later_defection(work: Work) -> Number:
    """Share of defection in the last quarter of a meta-episode less that in the first two inner episodes."""
    late = work.figure("5")["shaping coala defection"][:, -5:].mean(1)
    return mean(late[:, -late.shape[1] // 4 :].mean(1) - late[:, :2].mean(1))


def _of_table(agent: int) -> Callable[[Work], Number]:
    return lambda work: mean(work.figure("H3")["against_meta"][:, agent])


@functools.cache
def _enumerated(batch: int) -> tuple[Any, ...]:
    """Return a problem's meta-episodes, its true gradient and the estimators' moments, by exact enumeration."""
    from ipd_theory import games

    problem = trials.trial("", games.prisoners_dilemma(), trials.REINFORCE, (batch, 2, 1))
    everything = enumeration.enumerate_meta_episodes(problem.pomdp)
    truth = enumeration.true_gradient(everything, problem.ego_logits)
    rewards = everything.episodes.ego.rewards
    found = {
        name: enumeration.moments(everything, problem.ego_logits, getattr(estimators, name)(rewards))
        for name in ("coala_pg", "batch_unaware", "m_fos", "full")
    }
    return truth, found


def _bias(estimator: str) -> Callable[[Work], Number]:
    def measure(work: Work) -> Number:
        truth, found = _enumerated(3)
        return Number(float(np.abs(np.asarray(found[estimator].mean - truth.total)).max()))

    return measure


def _baselines_apart(work: Work) -> Number:
    _, found = _enumerated(3)
    return Number(float(np.abs(np.asarray(found["m_fos"].mean - 3 * found["batch_unaware"].mean)).max()))


def _future_forgotten(work: Work) -> Number:
    truth, found = _enumerated(3)
    return Number(float(np.abs(np.asarray(found["batch_unaware"].mean - truth.current - truth.shaping / 3)).max()))


def _spread(name: str) -> float:
    _, found = _enumerated(4)
    x = found[name]
    return float(np.sqrt(np.trace(x.covariance)) / np.linalg.norm(x.mean))


SMALL_RUNS = "recorded runs, presets ipd-shaping-quick and ipd-mixed-quick"
CLEANUP = "recorded runs, 3 × 3 cells, T 32, M 20, one seed"
NO_SHAPING = "at this size shaping does not pay; the paper plays 100 inner episodes of 64 steps"
POOLS = "γ 0.95, η 5, M 20, 8 seeds (full: 32)"
LOLA = "γ 0.95, η 5 (10 at one look-ahead), 16 pairs (full: 64)"
FIRST_THREE = "ours end lower between the ends: those pairs come to cooperate late, or not in all seeds"
ROWS: tuple[Row, ...] = (
    paper("1: an agent among naive learners from pure defection: its reward", COOPERATES,
          _end("3A", of="against_naive"), "figure 3A", POOLS),
    paper("1: it extorts: its reward less the learner's", Statement("far above", 0.4, 2.0),
          _less("3A", "against_naive", "of_naive"), "figure 3A", POOLS),
    paper("2: extortioners that meet come to cooperate", COOPERATES, _end("3B", of="among_meta"), "figure 3B", POOLS,
          reason="cooperation does not last for every pair once no naive learners are met"),
    paper("3: a mixed pool, agents among each other", COOPERATES, _end("3C", of="among_meta", pool=0), "figure 3C",
          f"p_naive 0.25; {POOLS}"),
    paper("3: a pool of meta agents alone", DEFECTS, _end("3C", of="among_meta", pool=1), "figure 3C",
          f"p_naive 0; {POOLS}"),
    paper("3: agents that saw naive learners only meet", DEFECTS, _end("3C", of="among_meta", pool=2), "figure 3C",
          f"p_naive 1; {POOLS}"),
    *(paper(f"Figure 4A: LOLA-DiCE, {k} look-ahead{'s' * (k > 1)}", claim,
            _look_aheads("4A", i), "figure 4A", LOLA,
            reason=FIRST_THREE * (k == 3))
      for i, (k, claim) in enumerate(((1, COOPERATES), (2, COOPERATES), (3, COOPERATES)))),
    paper("Figure 4A: LOLA-DiCE, 20 look-aheads", DEFECTS,
          _look_aheads("4A", 4), "figure 4A", LOLA),
    paper("Figure 4B: the frozen 20-look-ahead policy over the naive learner", Statement("extorts it", 0.1, 2.0),
          _extorted, "figure 4B", LOLA),
    *(paper(f"Figure 4C: {k} look-aheads, naive gradient mixed in", COOPERATES,
            _look_aheads("4C", i), "figure 4C", LOLA,
            reason="more than half of the pairs still defect" * (k == 20))
      for i, k in ((2, 3), (3, 10), (4, 20))),
    paper("Figure 5A: COALA-PG over both baselines, against naive", Statement("above", 0.3, 3.0),
          _over_baselines("5", "shaping {} reward"), "figure 5", f"{SMALL_RUNS}, seeds 0 to 4"),
    paper("Figure 5B: COALA-PG shapes, then exploits: defection late less early", Statement("more", 0.2, 1.0),
          _later_defection, "figure 5", f"{SMALL_RUNS}, seeds 0 to 4"),
    paper("Figure 5C: mixed pool, COALA-PG agents among each other", COOPERATES,
          lambda work: mean(_late(work.figure("5"), "mixed coala reward")), "figure 5",
          f"{SMALL_RUNS}, seeds 0 to 5 and 7", small=True),
    paper("Figure 5C: mixed pool, batch-unaware agents among each other", DEFECTS,
          lambda work: mean(_late(work.figure("5"), "mixed batch_unaware reward")), "figure 5",
          f"{SMALL_RUNS}, seeds 0 to 2"),
    paper("Figure 6: CleanUp-lite, COALA-PG over both baselines, against naive", Statement("above", 0.0),
          _over_baselines("6", "{} against_naive reward"), "figure 6", CLEANUP, reason=NO_SHAPING, small=True),
    paper("Figure 7: CleanUp-lite, mixed pool, COALA-PG over both baselines", Statement("above", 0.0),
          _over_baselines("7", "{} against_meta reward"), "figure 7", CLEANUP, reason=NO_SHAPING, small=True),
    paper("Figure 8: distance of learned policies to extortion, of random ones'", Statement("close", 0.0, 0.5),
          _ratio, "figure 8", "medians; γ 0.999, 8 seeds (full: 64)"),
    paper("Figure 9: from pure defection to cooperation", COOPERATES, _end("9", of="among_meta"), "figure 9",
          f"p_naive 0.02; {POOLS}",
          reason="p_naive is 0.02 here; at 0.25 pools that start there stay extortionate"),
    paper("Figure 10: from tit for tat, agents still cooperate", COOPERATES, _end("10", of="among_meta"), "figure 10",
          f"p_naive 0.25; {POOLS}"),
    paper("Figure 10: and drift away from it: largest change of a probability", Statement("away", 0.2, 1.0), _away,
          "figure 10", f"p_naive 0.25; {POOLS}"),
    paper("Figure 10: and shape naive learners faster: reward over tit for tat's", Statement("above", 0.0), _path_gain,
          "figure 10", f"p_naive 0.25; {POOLS}"),
    paper("Figure 12: the future's share, COALA-PG's over batch-unaware's", Number(3.0), _future_share, "figure 12",
          "exact, at the start; B 3 (full: 5)", rounding=1e-6),
    paper("Table H.3: COALA-PG with M-FOS in a mixed pool", Number(0.850, 0.037), _of_table(0), "figure H3",
          f"{SMALL_RUNS}, seeds 0 and 1", telling=0.1, rounding=5e-4,
          reason="one of the two pairs does not hold cooperation"),
    paper("Table H.3: M-FOS with COALA-PG in a mixed pool", Number(0.853, 0.017), _of_table(1), "figure H3",
          f"{SMALL_RUNS}, seeds 0 and 1", telling=0.1, rounding=5e-4,
          reason="one of the two pairs does not hold cooperation"),
    *(paper(f"{name} is unbiased: largest |E ĝ − ∇J̄|", Statement("0", -1e-13, 1e-13), _bias(key),
            "sampling.enumeration", "prisoner's dilemma, REINFORCE, (B, M, T) = (3, 2, 1), all 816 meta-episodes")
      for name, key in (("COALA-PG", "coala_pg"), ("the full estimator", "full"))),
    *(paper(f"{name} is biased: largest |E ĝ − ∇J̄|", Statement("not 0", 1e-3), _bias(key), "sampling.enumeration",
            "the same")
      for name, key in (("batch-unaware", "batch_unaware"), ("M-FOS", "m_fos"))),
    paper("E[M-FOS] is B times E[batch-unaware]: largest difference", Statement("0", -1e-13, 1e-13), _baselines_apart,
          "sampling.enumeration", "the same"),
    paper("E[batch-unaware] is g_cur + g_shape / B: largest difference", Statement("0", -1e-13, 1e-13),
          _future_forgotten, "sampling.enumeration", "the same"),
    paper("relative deviation at B = 4: COALA-PG's over M-FOS's", Statement("about twice", 1.5, 2.5),
          lambda work: Number(_spread("coala_pg") / _spread("m_fos")), "sampling.enumeration",
          "prisoner's dilemma, REINFORCE, (B, M, T) = (4, 2, 1)"),
)  # fmt: skip
