# %% [markdown]
# # Where cooperation begins and ends
#
# *Goals:* see the same agents extort, cooperate and defect, by whom they meet; explain the borders from one gradient
# at mutual defection, a window of steps and a curve of fixed points; draw the whole map. *Needs:* [notebook
# 9](09_learning_rules.ipynb); [notebook 10](10_coala_pg_in_fractions.ipynb) for section 4. *Reading:* 40 minutes;
# exercises 60.
#
# *Play first*, in the explorer: [the phase map](../ipd_theory/explorer/index.html#1/map); move the share of naive
# learners and the size of the batch. Where does unconditional defection lose its hold, and what do the agents of a
# cell become?
#
# All returns and gradients are exact. Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import sympy
from IPython.display import Math
from ipywidgets import FloatLogSlider, interact
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from scipy.special import expit, logit

import ipd_theory as ipd
from ipd_theory import symbolic
from ipd_theory.drawing import style
from ipd_theory.drawing.bounds import shaping_bounds
from ipd_theory.learning import bounds
from ipd_theory.learning import pool as pools
from ipd_theory.phases import continuation, mixed_pool, stability, sweep
from ipd_theory.phases.boundaries import learning_rate_windows
from ipd_theory.phases.drift import AFTER_DC, defection_drift, sobol_learners
from ipd_theory.phases.grid import Axis, Sweep
from ipd_theory.phases.outcomes import Outcome

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")

game = ipd.prisoners_dilemma()  # R, S, T, P = 1, -1, 2, 0
learners = sobol_learners(7)  # 128 naive learners, evenly spread normal logits

# %% [markdown]
# ## 1. Play first, then three pools
#
# A *meta agent* chooses its policy for where it leads a naive learner: it differentiates through all of the learner's
# steps, here 20 of size $\eta = 5$. In a **pool** of two such agents, each also plays the other. With weight
# $p_{\text{naive}}$ its objective is what it earns from learners, with the rest what it earns from the other agent.
#
# Before you run the cell, guess for $p_{\text{naive}} = 1$, $1/4$ and $0$: what will the agents earn from learners,
# and what from each other? (Mutual cooperation is worth 1, defection 0.)

# %% quick="STEPS = 40"
P_NAIVE, STEPS = (1.0, 0.25, 0.0), 1000

# %% trained=true alt="Returns over training for p_naive 1, 0.25 and 0: extortion, cooperation, defection."
trio = pools.Pool(
    p_naive=jnp.array(P_NAIVE)[:, None],
    learning_rate=5.0,
    num_inner_episodes=20,
    num_learners=8,
    optimizer=optax.adamw(0.02),
)
keys = jnp.broadcast_to(jax.random.split(jax.random.key(0), 4), (3, 4))  # four pools each
state, history = pools.train(trio, pools.init(trio, keys), num_steps=STEPS, record_every=STEPS // 20)

figure, axes = plt.subplots(1, 3, figsize=(8.6, 2.6), sharey=True, layout="constrained")
last = {}
for colour, name, values in (
    (style.PLAYERS["agent"], "agent, from learners", history.returns.against_naive),
    (style.PLAYERS["naive learner"], "learner, from agents", history.returns.of_naive),
    (style.PLAYERS["among agents"], "agent, from the other agent", history.returns.among_meta),
):
    for i, ax in enumerate(axes):
        each = np.asarray(values[:, i].mean(-1))  # [records, pools]
        ax.plot(history.steps, each.mean(1), color=colour, label=name)
        ax.fill_between(history.steps, each.min(1), each.max(1), color=colour, alpha=0.2, linewidth=0)
        ax.set(title=f"$p_{{\\mathrm{{naive}}}}$ = {P_NAIVE[i]:g}", xlabel="training step")
    last[name] = np.asarray(values[-1].mean((-1, -2)))
axes[0].set_ylabel("return a round")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=3)
plt.show()
for name, values in last.items():
    print(f"{name:28s}", *(f"{x:6.2f}" for x in values))

# %% [markdown]
# 1. **Meet only learners: extortion.** The agents take more than 0.9 from learners, who are left with less than half
#    of that. From each other they get less than 0.2: extortioners have nobody to lead.
# 2. **Meet both: cooperation.** With learners in a quarter of the objective the same agents earn more than 0.85 *from
#    each other*. Learners make it pay to be worth cooperating with, and the other agent is under the same pressure.
# 3. **Meet only each other: defection**, like any naive pair.

# %% trained=true
extorted, shared = last["agent, from learners"], last["agent, from the other agent"]
assert extorted[0] > 0.9
assert last["learner, from agents"][0] < extorted[0] / 2
assert shared[0] < 0.2
assert shared[1] > 0.85
assert abs(shared[2]) < 0.1

# %% [markdown]
# Which of the three it is depends on $p_{\text{naive}}$, the learners' step $\eta$ and their number $M$ of steps, the
# discount $\gamma$ and the payoffs. We now build up the map, from its simplest corner.
#
# ## 2. One gradient
#
# Let all agents defect, always. A naive learner that meets such an agent cooperates at the rate
# $c = (\delta q_0 + \gamma q_{DD})/(1 - \gamma(q_{CD} - q_{DD}))$, less and less as it learns. Which of the agent's
# five probabilities should move? Play visits the start, DC ("I defected, you cooperated") and DD only. The derivative
# of the agent's return has a *current* part, with the learner's path held fixed, and a *shaping* part, through it.

# %%
drift = defection_drift(game, learners, discount=0.95, learning_rate=5.0, num_inner_episodes=20)
print("after      current   shaping       sum   among meta agents")
for s, context in enumerate(("start", "CC", "CD", "DC", "DD")):
    current, shaping, among = (float(x[s]) for x in drift)
    print(f"{context:7s}{current:+11.4f}{shaping:+10.4f}{current + shaping:+10.4f}{among:+13.4f}")

total = np.asarray(drift.against_naive())
assert total[AFTER_DC] > 0.2  # cooperating after DC pays …
assert total[0] < 0
assert total[4] < 0  # … and nothing else does
assert (total[1:3] == 0).all()  # CC and CD are never visited
assert float(drift.among_meta[AFTER_DC]) == 0  # nor is DC among agents that always defect

# %% [markdown]
# Now and then answering the learner's cooperation with cooperation costs something at once, and teaches the learner
# to cooperate, which pays more. Agents that always defect never visit DC among themselves, so for them that response
# is free: **whether defection is unstable does not depend on $p_{\text{naive}}$, so long as it is above 0.**
#
# ## 3. The window of steps
#
# For a learner that moves in probability space the condition is an inequality between rational functions. For one
# step, $M = 1$, and the payoffs of this game (contexts 0, …, 4 are start, CC, CD, DC, DD in the learner's view, $q'$
# is the learner after its step and $u'$ its derivative in the agent's answer to DC, fractions in $q$, $\eta$ and
# $\gamma$ that `condition.definitions` holds):

# %%
condition = stability.stability_condition(1)
payoffs = dict(zip(symbolic.PAYOFFS, (1, -1, 2, 0), strict=True))
terms = [sympy.factor(term) for term in sympy.Add.make_args(condition.drift.subs(payoffs))]
Math(stability.StabilityCondition((), sympy.Add(*terms)).latex())

# %% [markdown]
# A learner that starts at one half everywhere makes it a quadratic in $\eta$, and the window is between its roots.

# %%
half = dict.fromkeys(symbolic.Q_SYMBOLS, sympy.Rational(1, 2)) | payoffs
drift_at_half = sympy.factor(condition.substituted(half))
Math(
    r"0 < " + sympy.latex(drift_at_half, symbol_names={symbolic.DISCOUNT: r"\gamma", stability.LEARNING_RATE: r"\eta"})
)

# %%
patient = drift_at_half.subs(symbolic.DISCOUNT, 1)
print("γ → 1:", sympy.Eq(2 * patient, 0), sympy.solve(patient, stability.LEARNING_RATE))

assert sympy.expand(-2 * patient) == stability.LEARNING_RATE**2 - 7 * stability.LEARNING_RATE + 2

# %% [markdown]
# For more steps, and for a population of learners with logits, the ends of the window are found numerically:

# %%
print("   M      γ    from       to    from × M")
windows = {}
for M in (5, 10, 20):
    for discount in (0.5, 0.8, 0.96, 0.99):
        ((low, high),) = learning_rate_windows(game, learners, discount=discount, num_inner_episodes=M, points=24)
        windows[M, discount] = low, high
        print(f"{M:4d}{discount:7.2f}{low:8.3f}{high:9.2f}{low * M:12.2f}")

for M in (5, 10, 20):
    low, high = windows[M, 0.99]
    assert 6.5 < low * M < 8  # about 7/M where the future matters …
    assert 35 < high < 60
    assert windows[M, 0.5][0] > 1.5 * low  # … but not at every discount

# %% [markdown]
# The lower end is $7/M$ to within a few percent for $\gamma$ near 1, and hardly depends on the discount there; at
# $\gamma = 0.5$ it is near $12/M$. The upper end lies between 40 and 80. In between, cooperating after DC is what
# pays, and nothing else:


# %% alt="What pays at mutual defection, over the learner's step: cooperating after DC is positive in a window."
def draw(steps: float) -> None:
    """What a meta agent gains by cooperating more in each context at mutual defection, over η."""
    rates = np.geomspace(0.05, 200, 60)
    gains = defection_drift(game, learners, discount=0.95, learning_rate=rates, num_inner_episodes=round(steps))
    _, ax = plt.subplots(figsize=(4.4, 2.7))
    for s, context in ((0, "start"), (3, "DC"), (4, "DD")):
        ax.semilogx(rates, gains.against_naive()[:, s], color=style.CONTEXTS[context], label=f"C after {context}")
    ax.axhline(0, color="0.6", linewidth=0.6)
    ax.set(xlabel=r"learner's step $\eta$", ylabel="gradient", title=f"M = {round(steps)} steps")
    ax.legend()
    plt.show()


draw(20)

# %% tags=["live"]
interact(draw, steps=FloatLogSlider(value=20, base=10, min=0, max=1.7, step=0.1))

# %% [markdown]
# ## 4. Batches and trembles
#
# An estimator that ignores the batch of $B$ trajectories follows $g_{\text{current}} + g_{\text{shaping}}/B$ on
# average.
# Shaping survives only below a critical $B$, with no sampling noise involved:

# %%
rates = np.array([0.5, 1.0, 2.0, 5.0, 10.0, 20.0])
critical = defection_drift(
    game, learners, discount=0.95, learning_rate=rates, num_inner_episodes=20
).critical_batch_size()
for rate, batch in zip(rates, critical, strict=True):
    print(f"η = {rate:4.1f}: shaping pays for B below {float(batch):.2f}")

assert float(critical.max()) < 6  # B = 16, as in the paper's experiments, is far above

# %% [markdown]
# If every action is flipped with probability $\epsilon$, meta agents do visit DC among themselves, and answering it
# costs them. Defection is then unstable only above a threshold of $p_{\text{naive}}$, which grows with $\epsilon$:

# %%
tremble = np.array([0.0, 0.01, 0.05, 0.1])
threshold = defection_drift(
    game, learners, discount=0.95, learning_rate=5.0, num_inner_episodes=20, tremble=tremble
).critical_p_naive()
for error, least in zip(tremble, threshold, strict=True):
    print(f"ε = {error:.2f}: p_naive above {abs(float(least)):.3f}")

assert float(threshold[0]) == 0
assert (np.diff(threshold) > 0).all()

# %% [markdown]
# ## 5. One curve of fixed points
#
# Leaving defection is not yet cooperating. Take two agents that are alike, a small weight decay, and follow the fixed
# points of their learning as $p_{\text{naive}}$ varies, from the extortioners at $p_{\text{naive}} = 1$:

# %% alt="Return between two agents over the share of naive learners: a curve with two folds."
pool = mixed_pool.MixedPool(sobol_learners(4))
field = pool.linearized
extortion = continuation.fixed_point(field, continuation.settled(field, logit(np.full(5, 0.01)), 1.0, 3000.0), 1.0)
branch = continuation.follow(field, extortion, 1.0, direction=-1, low=0.05)
table = expit(branch.points)
between = np.asarray(ipd.expected_returns(game, table, table, discount=0.95))[:, 0]
stable = branch.unstable_directions == 0

figure, axes = plt.subplots()
axes.plot(branch.parameter, between, ":", color=style.BLUE, linewidth=0.8)
axes.plot(branch.parameter, np.where(stable, between, np.nan), color=style.BLUE, label="stable")
axes.plot(branch.parameter[branch.folds], between[branch.folds], "o", color=style.VERMILION, markersize=4, label="fold")
axes.set_xlabel(r"$p_{\mathrm{naive}}$")
axes.set_ylabel("return between the two agents")
axes.legend()
plt.show()
print("folds near p_naive =", branch.parameter[branch.folds].round(2))

# %% [markdown]
# Extortion ends in a fold when $p_{\text{naive}}$ falls, and cooperation in another when it rises. Between the two
# both are stable, and the start decides; below, only cooperation is left.

# %%
assert branch.folds.size == 2
leaves_extortion, leaves_cooperation = branch.parameter[branch.folds]
assert leaves_extortion < 0.65 < 0.75 < leaves_cooperation
assert between[0] < 0.1
assert between[np.argmin(np.abs(branch.parameter - 0.1))] > 0.9

# %% [markdown]
# ## 6. The whole map
#
# What do pools find that start from random policies? Train a grid of them, two seeds a cell, and name what became of
# each by its returns against naive learners, among its agents and against a best reply. The lines are the ends of the
# window in which defection is unstable. `ipd-theory phase` draws the map finer, over any two settings.

# %% quick="import dataclasses; coarse = dataclasses.replace(coarse, steps=20)"
weights, rates = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 1.0), (0.2, 0.6, 2.0, 6.0, 20.0, 60.0, 200.0)
coarse = Sweep((Axis("p_naive", weights), Axis("learning_rate", rates)), seeds=2, steps=800, block=64)

# %% trained=true alt="What pools become, over the share of naive learners and the learner's step: a map a seed."
with tempfile.TemporaryDirectory() as folder:
    grid = sweep.run(coarse, Path(folder) / "sweep.zarr")
((low, high),) = learning_rate_windows(game, learners, discount=0.95, num_inner_episodes=20, points=24)

colors = ListedColormap([*style.OUTCOMES.values()])  # one an `Outcome`
columns, rows = np.arange(len(weights)), np.arange(len(rates))
figure, panels = plt.subplots(1, 2, sharey=True, figsize=(6.0, 2.8))
for seed, axes in enumerate(panels):
    one = grid.outcome.isel(seed=seed).transpose("learning_rate", "p_naive")
    axes.pcolormesh(columns, rows, one, cmap=colors, vmin=-0.5, vmax=5.5, shading="nearest")
    axes.set(xlabel=r"$p_{\mathrm{naive}}$", title=f"seed {seed}")
    axes.set_xticks(columns, [f"{p:g}" for p in weights])
    axes.set_yticks(rows, [f"{rate:g}" for rate in rates])
    for end in (low, high):
        axes.axhline(np.interp(np.log(end), np.log(rates), rows), color="white", linewidth=1)
panels[0].set_ylabel(r"learner's step $\eta$")
names = {kind: kind.name.lower().replace("_", "-") for kind in Outcome if (grid.outcome == int(kind)).any()}
handles = [Patch(color=colors(int(kind)), label=name) for kind, name in names.items()]
figure.legend(handles=handles, loc="outside lower center", ncol=len(names))
plt.show()

# %% [markdown]
# Meta agents alone defect, and so do all pools whose learners take too small steps to be shaped. Naive learners alone
# teach extortion. Cooperation lies between, where there are learners enough to be worth shaping and enough meta
# agents to make extortion unprofitable. Above the window defection is stable, but who starts elsewhere may still find
# extortion.

# %% trained=true
outcome = grid.outcome
assert (outcome.sel(p_naive=0.0) == Outcome.DEFECTION).all()
assert (outcome.sel(learning_rate=0.2) == Outcome.DEFECTION).all()
assert (outcome.sel(p_naive=1.0, learning_rate=[2.0, 6.0, 20.0]) == Outcome.EXTORTION).all()
assert (outcome.sel(p_naive=0.25, learning_rate=2.0) == Outcome.COOPERATION).all()

# %% [markdown]
# ## 7. The best there is
#
# Do pools that meet naive learners alone find the best there is? Ascent from several starts finds a best policy,
# and a best *sequence*, one policy for each inner episode. A ceiling on what any sequence earns is proved.

# %% alt="What the best policy and the best sequence of policies earn in each inner episode; both rise."
few = learners[:16]
setting = {"discount": 0.95, "learning_rate": 5.0, "num_inner_episodes": 20}
best = bounds.fixed_policy(game, few, **setting, starts=4)
each = bounds.sequence_from(best, game, few, **setting)
defector = bounds.earned(game, np.zeros(5), few, **setting)
print("ALLD", defector.mean().round(3), "best", round(best.value, 3), "in each episode", round(each.value, 3))
print("best policy", best.policy.round(2), "ceiling", round(bounds.ceiling(game, few, **setting), 3))
earned = {"ALLD": defector, "best policy": best.returns, "best in each episode": each.returns}
shaping_bounds(earned, each.policy, bounds.sustainable(game), caption="16 naive learners; γ 0.95, η 5, M 20")

# %% [markdown]
# The best policy is the extortioners' own: never cooperate first, nearly always after CC, half of the time after DC.
# With one for each episode a fifth more can be had: be generous after DC at first, ever less so, and defect in the end.
# More than 3/2, as is earned then, nobody can have of a player who replies best: it is what learning costs.

# %%
assert np.abs(best.policy - [0, 0.9, 0, 0.45, 0]).max() < 0.05
assert 1.15 < each.value / best.value < 1.25
assert each.returns[0] < best.returns[0] < defector[0]
assert each.returns.max() > bounds.sustainable(game) == 1.5
assert (np.diff(each.policy[:18, 3]) < 1e-6).all()

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Derive the rate $c$ of section 2 at which a learner cooperates with an agent that always defects,
# and check it against the occupancy.

# %% tags=["solution"]
q, gamma = np.random.default_rng(0).uniform(size=5), 0.8
# its C: at the start with q_0, after its C (CD in its view) with q_CD, after its D (DD) with q_DD
c = ((1 - gamma) * q[0] + gamma * q[4]) / (1 - gamma * (q[2] - q[4]))
occupied = ipd.state_occupancy(ipd.strategies.always_defect(), q, discount=gamma)
assert np.isclose(occupied[2], c)
assert np.isclose(occupied[3], 1 - c)

# %% [markdown]
# **Exercise 2.** Is defection unstable in a single round, $\gamma = 0$? At which discount does cooperating after DC
# begin to pay for $\eta = 5$, $M = 20$?

# %% tags=["solution"]
gammas = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
pays = defection_drift(game, learners, discount=gammas, learning_rate=5.0, num_inner_episodes=20).against_naive()
print(np.asarray(pays)[:, AFTER_DC].round(4))
assert pays[0, AFTER_DC] == 0  # DC is never answered
assert pays[-1, AFTER_DC] > 0

# %% [markdown]
# **Exercise 3.** Read the window of the one-step learner at $\gamma \to 1$ off its quadratic, $\eta^2 - 7\eta + 2 <
# 0$. What becomes of its lower end as $\gamma$ falls?

# %% tags=["solution"]
low_end, high_end = np.sort(np.roots([1, -7, 2]))
assert np.allclose([low_end, high_end], [(7 - np.sqrt(41)) / 2, (7 + np.sqrt(41)) / 2])
ends = []
for gamma in (0.999, 0.9, 0.7):
    quadratic = sympy.Poly(drift_at_half.subs(symbolic.DISCOUNT, gamma), stability.LEARNING_RATE)
    ends.append(min(x for x in np.roots([float(a) for a in quadratic.all_coeffs()]) if x > 0))
assert np.isclose(ends[0], low_end, atol=0.01)
assert ends == sorted(ends)  # the less the future counts, the larger a step it takes

# %% [markdown]
# **Exercise 4.** How often may hands tremble, for defection to be unstable at $p_{\text{naive}} = 1/4$? Bisect.

# %% tags=["solution"]
few, many = 0.0, 0.2
for _ in range(12):
    middle = (few + many) / 2
    needed = defection_drift(
        game, learners, discount=0.95, learning_rate=5.0, num_inner_episodes=20, tremble=middle
    ).critical_p_naive()
    few, many = (middle, many) if float(needed) < 0.25 else (few, middle)
print(f"ε below {few:.3f}")
assert 0.05 < few < 0.1  # between the rows of the table in section 4

# %% [markdown]
# **Exercise 5.** At $p_{\text{naive}} = 0.7$, between the folds, let two pools start: one from cooperation as it is
# at 0.1, one from extortion as it is at 1. Where do they settle?

# %% tags=["solution"]
from_peace = branch.points[np.argmin(np.abs(branch.parameter - 0.1))]
settled = [expit(continuation.settled(field, first, 0.7, 3000.0)) for first in (from_peace, extortion)]
earned = [float(ipd.expected_returns(game, x, x, discount=0.95)[0]) for x in settled]
print(np.round(earned, 2))
assert earned[0] > 0.7 > 0.2 > earned[1]  # history decides

# %% [markdown]
# ## Sources
#
# Meulemans, Kobayashi, von Oswald et al., "Multi-agent cooperation through learning-aware policy gradients", ICLR
# 2025, for the three findings. Press & Dyson, "Iterated prisoner's dilemma contains strategies that dominate any
# evolutionary opponent", 2012, for extortion. Kuznetsov, *Elements of Applied Bifurcation Theory*, 2004, for folds
# and how curves of fixed points are followed. Sobol, "On the distribution of points in a cube", 1967, for the
# learners.
