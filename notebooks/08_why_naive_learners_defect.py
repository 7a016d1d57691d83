# %% [markdown]
# # Why naive learners defect
#
# *Goals:* let two players climb their own gradients, and watch cooperation die; find the one inequality that decides
# it; measure how much of all starts leads to cooperation, with an interval; see that learners who only sample follow
# the same path. *Needs:* [notebook 4](04_closed_form_and_gradient.ipynb), derivatives. *Reading:* 35 minutes;
# exercises 45.
#
# *Play first*, in the explorer: [a learner](../ipd_theory/explorer/index.html#1/learner?me=TFT); it climbs its own
# payoff against your tit for tat. What will it have become, and what will you earn?
#
# Threats can carry cooperation ([notebook 2](02_repetition.ipynb)), evolution can find it ([notebook
# 7](07_evolution_of_cooperation.ipynb)). What do players find who simply *improve*, a little at a time, each taking
# the other for granted?
#
# Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from ipywidgets import FloatSlider, interact

import ipd_theory as ipd
from ipd_theory import games, strategies
from ipd_theory.drawing import style
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
from ipd_theory.phases import basins

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")
game = games.donation_game(2, 1)  # to cooperate costs 1 and gives the other 2: R, S, T, P = 1, -1, 2, 0
DISCOUNT = 0.95
CONTEXTS = ("start", "CC", "CD", "DC", "DD")

# %% [markdown]
# ## 1. Play first
#
# You and I toss coins: each cooperates with probability one half, at the start and after each of CC, CD, DC and DD.
# You may move **one** of your five probabilities, a little, up or down. Which one, and which way? (Try it: both
# players' sliders are in the [explorer](../ipd_theory/explorer/index.html#1/pair?p=RANDOM&q=RANDOM).) Then I may move
# one of mine. Where will we be after a hundred such turns?
#
# You get 0.5 a round now. The gradient says what each of your five numbers would change:

# %%
coin = strategies.random(0.5)
slope = ipd.return_gradient(game, coin, coin, discount=DISCOUNT)
for context, value in zip(CONTEXTS, slope, strict=True):
    print(f"C after {context:6s}{float(value):+.4f}")

assert np.isclose(ipd.expected_returns(game, coin, coin, discount=DISCOUNT)[0], 0.5)
assert (slope < 0).all()

# %% [markdown]
# Down with each of them. A coin does not care what I did, so my kindness is never returned and my defection never
# punished. The same holds for you, and so we both defect more. But coins are special. Who *would* make it worth my
# while to cooperate?
#
# ## 2. One inequality
#
# Take players who look at the other's last action only (**reactive** ones), in a game where to cooperate costs $c$
# and gives the other $b$. My *reactivity* is the difference $r = \Pr(\text{C after your C}) - \Pr(\text{C after your
# D})$; yours is $r'$. What is it worth to me, from now on, to cooperate in this round instead of defecting? Call it
# $V$. I pay $c$. In the next round you cooperate with probability $r'$ more; that gives me $b$, and in the round
# after it makes me cooperate with probability $r$ more, which is worth $V$ each time, by definition:
#
# $$ V = -c + \gamma r' \,(b + \gamma r V) \quad\Longrightarrow\quad
#    V = \frac{\gamma r' b - c}{1 - \gamma^2 r r'} . $$
#
# The denominator is positive. So whatever I do myself, cooperating pays if and only if
#
# $$ \gamma\, r' > \frac{c}{b} : $$
#
# **the other must react, and by enough.** And my gradient is $V$ times how often each context is met, so that all
# five of its entries have the same sign. Let us hold this against the gradient of notebook 4, for random reactive
# players:

# %%
b, c = 2.0, 1.0
dice = np.random.default_rng(0)
start, p, q = dice.uniform(size=(3, 2, 1000))
mine, yours = strategies.reactive(start, p, q)
r, r_other = p - q
worth = (DISCOUNT * r_other * b - c) / (1 - DISCOUNT**2 * r * r_other)
outcomes = np.asarray(ipd.state_occupancy(mine, yours, discount=DISCOUNT))
visits = np.hstack([np.full((1000, 1), 1 - DISCOUNT), DISCOUNT * outcomes])  # the start, and after each outcome
exact = np.asarray(ipd.return_gradient(game, mine, yours, discount=DISCOUNT))
print(f"largest difference {np.abs(exact - visits * worth[:, None]).max():.0e}")
print(f"cooperating pays against {(worth > 0).mean():.0%} of random reactive players")

assert np.allclose(exact, visits * worth[:, None], atol=1e-12)
assert ((worth > 0) == (DISCOUNT * r_other > c / b)).all()

# %% [markdown]
# With $b/c = 2$ and $\gamma = 0.95$ the other must react by more than 0.526. For $p$ and $q$ drawn evenly, $p - q$
# is that large with probability $(1 - 0.526)^2/2$, one in nine.
#
# ## 3. The flow
#
# *Naive learning* follows the gradient: $\dot x = \nabla_x J_1(x, y)$, $\dot y = \nabla_y J_2(x, y)$, each as if the
# other stood still. Here is the field for two reactive players who are alike, over their two probabilities. Up and
# to the right right of the line $p - q = c/(b\gamma)$; down and to the left everywhere else.


# %% alt="Arrows over C after C and C after D: below a line in the corner of tit for tat up, elsewhere down to (0, 0)."
def draw(discount: float) -> None:
    """The gradient field of two reactive players who are alike, and the line where it changes sign."""
    side = np.linspace(0.02, 0.98, 25)
    p, q = np.meshgrid(side, side)
    table = strategies.reactive(0.5, p, q)
    field = np.asarray(ipd.return_gradient(game, table, table, discount=discount))
    after_c, after_d = field[..., 1] + field[..., 3], field[..., 2] + field[..., 4]
    assert ((after_c > 0) == (p - q > c / (b * discount))).all()
    _, ax = plt.subplots(figsize=(3.6, 3.7), layout="constrained")
    ax.streamplot(p, q, after_c, after_d, color=style.DARK, linewidth=0.6, density=1.1, arrowsize=0.7)
    edge = np.array([c / (b * discount), 1.0])
    ax.fill_between(edge, edge - edge[0], color=style.GREEN, alpha=0.25, linewidth=0, label="cooperating pays")
    ax.plot(1, 0, "o", color=style.VERMILION, clip_on=False, label="tit for tat")
    ax.set(xlabel="C after the other's C", ylabel="C after the other's D", title=f"γ = {discount:g}")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncol=2)
    plt.show()


draw(DISCOUNT)

# %% tags=["live"]
interact(draw, discount=FloatSlider(value=DISCOUNT, min=0.51, max=0.99, step=0.02))

# %% [markdown]
# ## 4. Sixty-four pairs
#
# Now all five numbers, from random starts. So that probabilities stay probabilities, players step in their logits
# $\theta$, $x = 1/(1 + e^{-\theta})$, which multiplies the gradient by $x(1 - x)$. Written out, a step is two lines;
# the package's rule `naive()` takes the same one.


# %% alt="Mean returns of 64 pairs of naive learners over learning: most fall to 0, few rise to 1."
def naive_step(logits: jax.Array, rate: float) -> jax.Array:
    """Both players [2, pairs, 5] take a gradient step on their own returns."""
    x, y = jax.nn.sigmoid(logits)
    own = [ipd.return_gradient(game, x, y, discount=DISCOUNT, player=i, wrt=i) for i in (0, 1)]
    return logits + rate * jnp.stack([x * (1 - x) * own[0], y * (1 - y) * own[1]])


RATE = 5.0
starts = jax.random.normal(jax.random.key(0), (2, 64, 5))
naive, sgd = (rules.naive(),) * 2, (optax.sgd(RATE),) * 2
learned = learn(game, naive, *starts, discount=DISCOUNT, optimizers=sgd, steps=400)
once = learn(game, naive, *starts, discount=DISCOUNT, optimizers=sgd, steps=1)
assert np.allclose(jnp.moveaxis(once.logits, 1, 0), naive_step(starts, RATE), atol=1e-12)

both = np.asarray(learned.returns.mean(-1))  # [pairs, steps + 1]
peace, war = both[:, -1] > 0.99, both[:, -1] < 0.01
figure, ax = plt.subplots(figsize=(5.2, 3), layout="constrained")
for ends, colour, label in ((war, style.DARK, "ends in defection"), (peace, style.GREEN, "ends in cooperation")):
    lines = ax.plot(both[ends].T, color=colour, alpha=0.35, linewidth=0.8)
    lines[0].set_label(label)
ax.plot(both.mean(0), color=style.VERMILION, linewidth=2, label="mean of 64 pairs")
ax.set(xlabel="learning step", ylabel="mean return of the two")
ax.legend(loc="center right")
plt.show()
print(f"{war.sum()} pairs end in mutual defection, {peace.sum()} in cooperation; the mean is {both[:, -1].mean():.3f}")

assert (war.sum(), peace.sum()) == (61, 3)
assert np.isclose(both[:, 0].mean(), 0.5, atol=0.05)

# %% [markdown]
# They begin at about 0.5, as coins do, and 61 of 64 end with nothing. The other three cooperate, and stay there: it
# is an equilibrium, too. What set them apart? Let us look at how much both players reacted at the start, on the scale
# of section 2: what a player who tosses coins gains from cooperating more against each of them.

# %%
tables = jax.nn.sigmoid(starts)
reward = np.asarray(ipd.return_gradient(game, coin, tables, discount=DISCOUNT).sum(-1))  # [2, pairs]
print(
    f"of {reward.size} players, {(reward > 0).sum()} reward cooperation, and {(reward > 0).all(0).sum()} pairs do both"
)
print(f"mean reward: {reward[:, peace].mean():+.2f} where it ends well, {reward[:, war].mean():+.2f} elsewhere")

assert (reward > 0).mean() < 0.1
assert reward[:, peace].mean() > reward[:, war].mean() + 0.3

# %% [markdown]
# Hardly anybody rewards a stranger's cooperation, and where it ended well, both at least punished it less than others
# do. There is a second reason, and it makes things worse. The more both defect, the less they ever see of CC, and the
# gradient of what is never visited is nought: how a player *would* have answered cooperation is no longer improved by
# anything, while each rare attempt at cooperation after DD costs 1. At mutual defection nothing points away from it.

# %%
end = jax.nn.sigmoid(learned.logits)[war]
seen = np.asarray(ipd.state_occupancy(end[:, 0], end[:, 1], discount=DISCOUNT)).mean(0)
defector = strategies.always_defect()
stuck = ipd.return_gradient(game, defector, defector, discount=DISCOUNT)
print("share of time at the end (CC, CD, DC, DD):", seen.round(3))
print("gradient at mutual defection:", np.asarray(stuck).round(2))

assert seen[3] > 0.98
assert (stuck <= 0).all()

# %% [markdown]
# ## 5. How much of all starts?
#
# Sixty-four random pairs say 5 %, give or take a lot. The share of *all* pairs of strategies, the cube $[0, 1]^{10}$,
# from which naive learners end near mutual cooperation is the volume of its **basin**. `phases.basins` measures it
# with evenly spread (Sobol) points, scrambled independently several times; the scatter gives an interval that holds
# the truth 95 times in 100.

# %% quick="POINTS = 6"
POINTS = 8

# %% trained=true alt="The volume of the basin of cooperation over the discount, with intervals."
volumes = {}
for discount in (0.6, 0.8, 0.95, 0.99):
    ends = basins.basin(
        game, naive, basins.cooperation(game), discount=discount, optimizers=(optax.sgd(20.0),) * 2, steps=150
    )
    volumes[discount] = basins.volume(ends, 10, log2_points=POINTS, replicates=8, seed=0)
    print(f"γ = {discount:.2f}: {volumes[discount].mean:.3f} ± {volumes[discount].half_width:.3f}")

figure, ax = plt.subplots(figsize=(4.2, 2.6), layout="constrained")
ax.errorbar(
    list(volumes),
    [v.mean for v in volumes.values()],
    [v.half_width for v in volumes.values()],
    fmt="o",
    capsize=3,
    color=style.GREEN,
)
ax.set(
    xlabel="discount γ", ylabel="share of all starts", title="naive learners that find cooperation", ylim=(-0.003, None)
)
plt.show()

# %% trained=true
assert volumes[0.6].mean < volumes[0.99].mean

# %% [markdown]
# ## 6. Simulate, and see that it agrees
#
# Nobody hands a learner its exact gradient. It plays, and counts. The **score function** (REINFORCE) does with
# rounds alone: let a die end a game after each round with probability $1 - \gamma$; then
#
# $$ \hat g_s = (1 - \gamma) \sum_t \bigl(1[a_t = C] - x_{s_t}\bigr)\, 1[s_t = s] \sum_{k \ge t} r_k $$
#
# has the exact gradient in the logits for its mean. Twenty thousand games between a coin and generous tit for tat:


# %%
def reinforce(x: np.ndarray, y: np.ndarray, number: int, dice: np.random.Generator) -> np.ndarray:
    """Estimates [number, 2, 5] of both players' gradients in logits, one a game; each table in its owner's view."""
    A = np.asarray(game.payoffs)  # [player, my action, your action], 0 for C
    contexts, going = np.zeros((2, number), int), np.ones(number, bool)
    scores, gradients = np.zeros((2, 2, number, 5))
    games_of = np.arange(number)
    while going.any():
        chances = np.stack([x[contexts[0]], y[contexts[1]]])
        actions = (dice.random((2, number)) >= chances).astype(int)
        for i in (0, 1):  # a reward counts for all choices up to now
            scores[i, games_of, contexts[i]] += going * ((actions[i] == 0) - chances[i])
            gradients[i] += (going * A[i, actions[0], actions[1]])[:, None] * scores[i]
        contexts = 1 + 2 * actions + actions[::-1]
        going &= dice.random(number) < DISCOUNT
    return (1 - DISCOUNT) * np.moveaxis(gradients, 0, 1)


ours, theirs = np.asarray(coin), np.asarray(strategies.generous_tit_for_tat())
sampled = reinforce(ours, theirs, 20_000, np.random.default_rng(1))[:, 0]
exactly = np.asarray(ours * (1 - ours) * ipd.return_gradient(game, ours, theirs, discount=DISCOUNT))
error = sampled.std(0, ddof=1) / np.sqrt(len(sampled))
for context, mean, width, truth in zip(CONTEXTS, sampled.mean(0), error, exactly, strict=True):
    print(f"{context:6s} sampled {mean:+.4f} ± {width:.4f}   exact {truth:+.4f}")

assert (np.abs(sampled.mean(0) - exactly) < 5 * error).all()  # five numbers: a false alarm in 350,000 runs

# %% [markdown]
# So learners who sample follow the same path, with noise. Four pairs, from coins, with 100 games to a step:

# %% alt="Returns of an exact pair and of four pairs of sampling naive learners from coins: all fall from 0.5 to 0."
STEPS = 120
exact_path = learn(game, naive, jnp.zeros(5), jnp.zeros(5), discount=DISCOUNT, optimizers=sgd, steps=STEPS).returns
paths = []
for seed in range(4):
    dice, logits, earned = np.random.default_rng(seed), np.zeros((2, 5)), []
    for _ in range(STEPS + 1):
        x, y = 1 / (1 + np.exp(-logits))
        earned.append(ipd.expected_returns(game, x, y, discount=DISCOUNT).mean())
        logits += RATE * reinforce(x, y, 100, dice).mean(0)
    paths.append(earned)

figure, ax = plt.subplots(figsize=(4.6, 2.8), layout="constrained")
lines = ax.plot(np.transpose(paths), color=style.DARK, alpha=0.5, linewidth=0.8)
lines[0].set_label("100 games a step")
ax.plot(exact_path.mean(-1), color=style.BLUE, label="exact")
ax.set(xlabel="learning step", ylabel="mean return of the two")
ax.legend()
plt.show()

assert exact_path[-1].mean() < 0.05
assert max(earned[-1] for earned in paths) < 0.15

# %% [markdown]
# Naive learners defect because **the other does not react**, and each takes it that the other never will. But the
# other *is* reacting, all the time: it is learning. A player who reckons with that is the matter of the [next
# notebook](09_learning_rules.ipynb).
#
# ## Exercises
#
# **Exercise 1.** One round only, $\gamma = 0$. Show that naive learners defect from *every* start.

# %% tags=["solution"]
anybody = jax.random.uniform(jax.random.key(1), (2, 200, 5))
at_once = ipd.return_gradient(game, *anybody, discount=0.0)
assert np.allclose(at_once[:, 0], -c)  # V = −c: nobody can answer any more
assert np.allclose(at_once[:, 1:], 0)  # what comes after a first round is never met

# %% [markdown]
# **Exercise 2.** Against tit for tat, from which discount on does a naive learner that begins with a coin come to
# cooperate? Predict it with the inequality, then let one learn on either side of it.

# %% tags=["solution"]
tit_for_tat = jnp.array([40.0, 40.0, -40.0, 40.0, -40.0])  # its logits, all but infinite
for discount, cooperates in ((c / b - 0.05, False), (c / b + 0.05, True)):  # r' = 1: from γ = c/b = 1/2 on
    pair, moving = (rules.naive(), rules.still()), (optax.sgd(50.0),) * 2
    alone = learn(game, pair, jnp.zeros(5), tit_for_tat, discount=discount, optimizers=moving, steps=500)
    assert (alone.returns[-1, 1] > alone.returns[0, 1]) == cooperates  # tit for tat earns by the learner's kindness
    assert (alone.logits[0] > 0).all() == cooperates

# %% [markdown]
# **Exercise 3.** Generous tit for tat forgives a defection with probability $g$. How generous may it be before naive
# learners exploit it? Compare with the $1/3$ of the gallery in notebook 3.

# %% tags=["solution"]
most = 1 - c / (b * DISCOUNT)  # r' = 1 − g
for g, pays in ((most - 0.01, True), (most + 0.01, False)):
    against = ipd.return_gradient(game, coin, strategies.generous_tit_for_tat(g), discount=DISCOUNT)
    assert (np.sign(against) == (1 if pays else -1)).all()
assert np.isclose(most, 0.474, atol=1e-3)  # 1/3 is safely below

# %% [markdown]
# **Exercise 4.** Make cooperation cheaper: $b/c = 5$ instead of 2, with the same 64 starts. How many pairs end in
# mutual cooperation now? Is there a ratio at which most of them do?

# %% tags=["solution"]
found = {}
for ratio in (2, 5, 20):
    other = games.donation_game(2, 2 / ratio)
    path = learn(other, naive, *starts, discount=DISCOUNT, optimizers=sgd, steps=800)
    found[ratio] = int(basins.cooperation(other)(path).sum())
print(found)
assert found[2] < found[5] < found[20]

# %% [markdown]
# **Exercise 5.** Which of the 32 pure strategies teach a naive learner, that begins with a coin, to cooperate most of
# the time? Is there one among them that never cooperates first?

# %% tags=["solution"]
teachers = strategies.all_pure()
fixed = jnp.where(teachers > 0.5, 40.0, -40.0)
taught = learn(game, (rules.naive(), rules.still()), jnp.zeros(5), fixed, discount=DISCOUNT, optimizers=sgd, steps=500)
cooperation = ipd.state_occupancy(jax.nn.sigmoid(taught.logits[:, 0]), teachers, discount=DISCOUNT)[:, :2].sum(-1)
successful = np.asarray(teachers)[np.asarray(cooperation) > 0.8]
print(successful)
assert (successful == np.asarray(strategies.tit_for_tat())).all(1).any()
assert (successful[:, 0] == 0).any()  # suspicious tit for tat teaches as well

# %% [markdown]
# ## Sources
#
# Singh, Kearns & Mansour, "Nash convergence of gradient dynamics in general-sum games", 2000. Hofbauer & Sigmund,
# *Evolutionary Games and Population Dynamics*, 1998, for reactive strategies and the region where cooperation is
# rewarded. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
# 1992. Foerster, Chen, Al-Shedivat, Whiteson, Abbeel & Mordatch, "Learning with opponent-learning awareness", 2018,
# where naive learners of this game are found to defect. Owen, "Monte Carlo variance of scrambled net quadrature",
# 1997, for the points of section 5.
