# %% [markdown]
# # Where cooperation begins and ends
#
# Learning-aware agents trained on a mixture of naive learners and each other do one of three things: they
# **cooperate**, they **extort** (naive learners give in, other such agents do not), or they **defect**. Which of them
# depends on the weight $p_{\text{naive}}$ of the naive learners, the learners' step $\eta$, their number of steps $M$,
# the discount $\gamma$ and the payoffs. This notebook builds that map up
#
# 1. from **one gradient** at unconditional defection,
# 2. through the **window of steps** $\eta$ in which defection is unstable, in symbols and in numbers,
# 3. what **batch size** and **trembles** do to it,
# 4. and **one curve of fixed points** that holds defection, cooperation and extortion,
# 5. to **the whole map**, measured in trained pools.
#
# All returns and gradients are exact. Every number in the text is asserted in the cell beside it.

# %%
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import sympy
from IPython.display import Math
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from scipy.special import expit, logit

import ipd_theory as ipd
from ipd_theory import symbolic
from ipd_theory.drawing import style
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
# ## 1. One gradient
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
# Now and then answering the learner's cooperation with cooperation costs something at once, and teaches the learner to
# cooperate, which pays more. Agents that always defect never visit DC among themselves, so for them that response is
# free: **whether defection is unstable does not depend on $p_{\text{naive}}$, so long as it is above 0.**
#
# ## 2. The window of steps
#
# For a learner that moves in probability space the condition is an inequality between rational functions. For one
# step, $M = 1$, and the payoffs of this game (contexts 0, …, 4 are start, CC, CD, DC, DD in the learner's view, $q'$ is
# the learner after its step and $u'$ its derivative in the agent's answer to DC, fractions in $q$, $\eta$ and $\gamma$
# that `condition.definitions` holds):

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
# $\gamma = 0.5$ it is near $12/M$. The upper end lies between 40 and 80.
#
# ## 3. Batches and trembles
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
# ## 4. One curve of fixed points
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
axes.plot(branch.parameter, between, "C0:", linewidth=0.8)
axes.plot(branch.parameter, np.where(stable, between, np.nan), "C0", label="stable")
axes.plot(branch.parameter[branch.folds], between[branch.folds], "o", color="C1", markersize=4, label="fold")
axes.set_xlabel(r"$p_{\mathrm{naive}}$")
axes.set_ylabel("return between the two agents")
axes.legend()
plt.show()
print("folds near p_naive =", branch.parameter[branch.folds].round(2))

# %% [markdown]
# Extortion ends in a fold when $p_{\text{naive}}$ falls, and cooperation in another when it rises. Between the two both
# are stable, and the start decides; below, only cooperation is left.

# %%
assert branch.folds.size == 2
leaves_extortion, leaves_cooperation = branch.parameter[branch.folds]
assert leaves_extortion < 0.65 < 0.75 < leaves_cooperation
assert between[0] < 0.1
assert between[np.argmin(np.abs(branch.parameter - 0.1))] > 0.9

# %% [markdown]
# ## 5. The whole map
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
