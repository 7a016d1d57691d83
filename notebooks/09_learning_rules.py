# %% [markdown]
# # LOLA and its relatives: learning rules that know of each other
#
# *Goals:* write down what a player should climb who knows that the other is about to learn; read reciprocity off its
# gradient; see it lift two players out of defection, and see that looking further is not simply better; play the game
# of choosing a rule. *Needs:* [notebook 8](08_why_naive_learners_defect.ipynb), second derivatives. *Reading:* 30
# minutes; exercises 45.
#
# *Play first*, in the explorer: [a learner that looks
# ahead](../ipd_theory/explorer/index.html#1/learner?me=RANDOM&rule=lola); it counts on your learning next, though
# you never do. Predict, reveal, and change its look-ahead. What does it gain by a hope that is in vain?
#
# Everything is exact: returns, gradients and gradients through gradients; a sampled check comes last. Every number in
# the text is asserted in the cell beside it.

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
from ipd_theory import equilibria
from ipd_theory.drawing import style
from ipd_theory.learning import rules
from ipd_theory.learning.play import Learning, direction, learn
from ipd_theory.learning.tournament import meta_game, play_all
from ipd_theory.sampling import dice, learners
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP
from ipd_theory.sampling.shaping_pomdp import play as sampled_play

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")

game = ipd.prisoners_dilemma()  # R, S, T, P = 1, -1, 2, 0
discount, step = 0.95, 5.0
sgd = optax.sgd(step)
CONTEXTS = ("start", "CC", "CD", "DC", "DD")

# %% [markdown]
# ## 1. Play first
#
# We both toss coins. I am a naive learner: after this round I shall move each of my five probabilities a little, in
# the direction that would have paid me better against *you*. You may change yours first, and you know how I learn.
# Notebook 8 says that any C of yours costs you something at once. Which change of yours would make me, in my next
# step, **kinder to you**? Write down the sign of each of your five; then read on.
#
# ## 2. One step ahead
#
# Write $x$ and $y$ for both players' logits and $g_i = \nabla_i J_i$ for the naive gradients. You will move to
# $y + \alpha g_2(x, y)$. So I climb what I will earn *there*,
#
# $$ \nabla_x\, J_1\bigl(x,\; y + \alpha\, g_2(x, y)\bigr)
#    = \underbrace{g_1(x, y + \alpha g_2)}_{\text{look-ahead}}
#    + \underbrace{\alpha\, (\nabla_x g_2)^{\top}\, \nabla_y J_1(x, y + \alpha g_2)}_{\text{shaping}} . $$
#
# The first part plays well against the *next* you. The second is new: my strategy moves your gradient, and that moves
# you, towards or away from what is good for me. **LOLA** (learning with opponent-learning awareness) climbs both. The
# package differentiates through the step, exactly (`lola_dice(1, α)`); its first-order form is the older one. They
# differ by order $\alpha^2$:

# %%
x, y = jax.random.normal(jax.random.key(1), (2, 5))
differences = {}
for alpha in (0.4, 0.2, 0.1):
    through = direction(game, rules.lola_dice(1, alpha), x, y, discount=discount)
    first_order = direction(game, rules.lola_with_look_ahead(alpha), x, y, discount=discount)
    differences[alpha] = float(jnp.abs(through - first_order).max())
    print(f"α = {alpha:.1f}: largest difference {differences[alpha]:.2e}")

assert 3.4 < differences[0.4] / differences[0.2] < 4.6
assert 3.7 < differences[0.2] / differences[0.1] < 4.3

# %% [markdown]
# What does the shaping part say at two coins? There the naive gradient is negative throughout:

# %%
indifferent = jnp.zeros(5)
gradient = direction(game, rules.naive(), indifferent, indifferent, discount=discount)
look_ahead = direction(game, rules.look_ahead(10.0), indifferent, indifferent, discount=discount)
shaping = direction(game, rules.lola_with_look_ahead(10.0), indifferent, indifferent, discount=discount) - look_ahead
print("         naive   shaping")
for context, now, later in zip(CONTEXTS, gradient, shaping, strict=True):
    print(f"{context:6s}{float(now):+8.4f}  {float(later):+8.4f}")

assert (gradient < 0).all()
assert (shaping[jnp.array([1, 3])] > 0.05).all()  # after CC and DC: answer the other's cooperation
assert (shaping[jnp.array([2, 4])] < -0.05).all()  # after CD and DD, where the other defected: withdraw

# %% [markdown]
# Be kinder where the other has just cooperated, harder where it has just defected: that is **reciprocity**, and
# nobody wrote it in.
#
# ## 3. Out of defection
#
# Followed for a while, it lifts both players out of what naive learners end in. Sixty-four pairs from random logits:

# %% alt="Return a step over learning: naive learners fall to 0, LOLA rises above one half."
first = jax.random.normal(jax.random.key(0), (64, 2, 5))


def play(one, two, steps=200, pairs=64):
    x, y = first[:pairs, 0], first[:pairs, 1]
    return learn(game, (one, two), x, y, discount=discount, optimizers=(sgd, sgd), steps=steps)


naive = play(rules.naive(), rules.naive())


def draw(alpha: float) -> Learning:
    """Median and quartiles of returns over learning, for naive learners and for LOLA with a step α."""
    lola = play(rules.lola_as_published(alpha), rules.lola_as_published(alpha))
    _, axes = plt.subplots(figsize=(4.2, 2.8))
    for label, out, colour in (("naive", naive, style.DARK), (f"LOLA, α = {alpha:g}", lola, style.BLUE)):
        low, middle, high = np.percentile(out.returns.mean(-1), [25, 50, 75], axis=0)
        axes.plot(middle, color=colour, label=label)
        axes.fill_between(range(len(low)), low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="learning step", ylabel="return (payoff a step)", title="median and quartiles, 64 pairs")
    axes.legend()
    plt.show()
    return lola


lola = draw(10.0)
print(f"mean return at the end: naive {naive.returns[:, -1].mean():.2f}, LOLA {lola.returns[:, -1].mean():.2f}")

assert lola.returns[:, -1].mean() > naive.returns[:, -1].mean() + 0.4
assert naive.returns[:, -1].mean() < 0.1

# %% [markdown]
# How far must one look? Move $\alpha$ with a running kernel: below about 1 nothing happens.

# %% tags=["live"]
interact(lambda alpha: draw(alpha) and None, alpha=FloatSlider(value=10.0, min=0.0, max=20.0, step=0.5))

# %%
short = play(rules.lola_as_published(0.5), rules.lola_as_published(0.5))
assert short.returns[:, -1].mean() < 0.15

# %% [markdown]
# ## 4. Further ahead is not simply better
#
# A player that thinks ten steps ahead finds that a naive learner can be *extorted*: it gives up resisting and
# concedes. Against another like itself that pays less than it seems to.

# %%
far = rules.lola_dice(10, step)
against_naive, against_itself = play(far, rules.naive(), 80, 16), play(far, far, 80, 16)
print("ten look-aheads against naive: ", against_naive.returns[:, -1].mean(0).round(2))
print("ten look-aheads against itself:", against_itself.returns[:, -1].mean(0).round(2))

assert against_naive.returns[:, -1, 0].mean() > against_naive.returns[:, -1, 1].mean() + 0.2
assert against_naive.returns[:, -1, 0].mean() > against_itself.returns[:, -1].mean()

# %% [markdown]
# ## 5. Which rule survives
#
# Choosing a learning rule is itself a move in a game: the **meta-game**, whose payoffs are what the rules earn from
# each other. Both players move at every step, from the same parameters; scores average the last quarter of learning.

# %%
names = ("naive", "look-ahead", "LOLA", "3 look-aheads", "COALA")
field = (
    rules.naive(),
    rules.look_ahead(step),
    rules.lola_as_published(step),
    rules.lola_dice(3, step),
    rules.coala(10, step),
)
outcome = play_all(game, field, first[:32], discount=discount, optimizers=(sgd,) * 5, steps=100, tail=25)
table = meta_game(game, outcome)
print(" " * 14 + "".join(f"{name:>15s}" for name in names))
for name, row, error in zip(names, table.A, table.A_error, strict=True):
    print(f"{name:14s}" + "".join(f"{a:8.2f} ±{e:.2f} " for a, e in zip(row, error, strict=True)))

assert table.A[0].max() < 0.3  # naive learners earn little from anybody
assert table.A[3:, 0].min() > 0.7  # shaping rules earn much from naive learners
assert (outcome.problem == 0).all()  # no rule diverged

# %% [markdown]
# Naive learning is a bad reply to everything that shapes, and so it dies out. The equilibria of the table, each with
# its certificate (the most that either side could gain by another rule), and what replicator dynamics leave of equal
# shares:

# %%
found = equilibria.nash_equilibria(table.A, table.A.T)
for e in found:
    mixed = [" + ".join(f"{w:.2f} {n}" for w, n in zip(mix, names, strict=True) if w > 1e-9) for mix in e[:2]]
    print(" against ".join(mixed), f"(gap {e.gap:.0e})")
shares = equilibria.survivors(table.A)
print("survivors:", {name: round(float(share), 2) for name, share in zip(names, shares, strict=True) if share > 0})

assert len(found) >= 1
assert all(e.gap < 1e-6 for e in found)
assert shares[:2].max() == 0
assert shares[3] + shares[4] > 0.99  # those that differentiate through several of the other's steps

# %% [markdown]
# Look at the standard errors before believing fine differences between the survivors: `ipd-theory tournament
# --seeds 64` plays twelve rules with more seeds, and `--every` changes who learns while whom is frozen.
#
# ## 6. Simulate, and see that it agrees
#
# Must one know the other's return to look ahead? One can play. The magic box $\square(u) = e^{u - \text{stop}(u)}$ is
# worth 1 and differentiates to $\nabla u$, any number of times; a sampled return whose rewards carry the box of all
# log-probabilities before them, *both* players', has the right derivatives of every order for its means (**DiCE**).
# The shaping term is a mixed second derivative times a first one. Here is the second, $\partial^2 J_2/\partial x_s\,
# \partial y_s$ summed over contexts $s$, in games of five rounds, from 40,000 of them:

# %%
T, GAMES = 5, 40_000
environment = ShapingPOMDP(game, learners.reinforce(0.0), y, GAMES, 1, T)
met = sampled_play(jax.random.key(2), environment, x[None], 1)
mine, yours = (jax.tree.map(lambda z: z[0, :, 0], seen) for seen in (met.ego, met.learner))


def surrogate(x: jax.Array, y: jax.Array, chosen: slice) -> jax.Array:
    """The DiCE surrogate of player 2's sum of rewards, a mean over some of the games."""
    of_mine, of_yours = (jax.tree.map(lambda z: z[chosen], seen) for seen in (mine, yours))
    both = dice.log_probabilities(x, of_mine) + dice.log_probabilities(y, of_yours)
    return dice.dice(both, of_yours.rewards).mean()


def exact_sum(x: jax.Array, y: jax.Array) -> jax.Array:
    p, q = jax.nn.sigmoid(x), jax.nn.sigmoid(y)
    return ipd.expected_returns(game, p, q, horizon=T, normalized=False)[1]


def mixed(f):
    """∂²f/∂x_s∂y_s, summed over s."""
    return jnp.trace(jax.jacfwd(jax.grad(f, 1), 0)(x, y))


groups = jnp.array([mixed(lambda x, y, k=k: surrogate(x, y, slice(k, k + 4000))) for k in range(0, GAMES, 4000)])
estimate, error, truth = groups.mean(), groups.std(ddof=1) / jnp.sqrt(len(groups)), mixed(exact_sum)
print(f"sampled {float(estimate):+.4f} ± {float(error):.4f}, exact {float(truth):+.4f}")

assert abs(estimate - truth) < 6 * error  # Student's t of ten groups: a false alarm once in 5,000 runs
assert error < abs(truth)

# %% [markdown]
# Second derivatives from samples are noisy, and each needs a model of how the other learns. The [next
# notebook](10_coala_pg_in_fractions.ipynb) does without: it lets the other learn, and looks.
#
# ## Exercises
#
# **Exercise 1.** Show on paper that shaping vanishes where there is no next round, $\gamma = 0$, in this game; then
# check it. (What does your gradient depend on there? Is it the same in Axelrod's game, 3, 0, 5, 1?)

# %% tags=["solution"]
for other, shapes in ((game, False), (ipd.games.axelrod(), True)):
    without = direction(other, rules.naive(), x, y, discount=0.0)
    term = direction(other, rules.lola_as_published(1.0), x, y, discount=0.0) - without
    assert bool((jnp.abs(term) > 1e-6).any()) == shapes  # T − R = P − S: your gain from D does not depend on me

# %% [markdown]
# **Exercise 2.** *Stable opponent shaping* (SOS) takes the look-ahead part whole, and a share $p$ of the shaping
# part. Which rules are its ends, $p = 0$ and $p = 1$?

# %% tags=["solution"]
for share, same in ((0.0, rules.look_ahead(3.0)), (1.0, rules.lola_with_look_ahead(3.0))):
    ends = direction(game, rules.sos(3.0, share=share), x, y, discount=discount)
    assert jnp.allclose(ends, direction(game, same, x, y, discount=discount), atol=1e-12)

# %% [markdown]
# **Exercise 3.** What does LOLA earn from a *naive* learner, and the learner from it? Who of the two would rather
# that the other changed its rule?

# %% tags=["solution"]
mixed_pair = play(rules.lola_as_published(10.0), rules.naive()).returns[:, -1].mean(0)
assert mixed_pair[0] > naive.returns[:, -1].mean() + 0.3  # it pays to look ahead, whoever the other is
assert lola.returns[:, -1, 1].mean() > mixed_pair[1]  # and the naive one would earn more by doing the same

# %% [markdown]
# **Exercise 4.** Does LOLA at mutual defection want to leave? Put both players at 1 % cooperation everywhere and look
# at the five signs of the naive and of LOLA's direction.

# %% tags=["solution"]
low = jnp.full(5, jnp.log(0.01 / 0.99))
stay = direction(game, rules.naive(), low, low, discount=discount)
leave = direction(game, rules.lola_dice(1, 1e4), low, low, discount=discount)
assert (stay < 0).all()
assert leave[3] > 0  # after DC: answer the other's rare cooperation; notebook 11 begins there

# %% [markdown]
# **Exercise 5.** Remove the rule that wins from the meta-game of section 5. Who survives now? Is there a field in
# which naive learners do?

# %% tags=["solution"]
remaining = [i for i in range(5) if i != int(np.argmax(shares))]
smaller = equilibria.survivors(table.A[np.ix_(remaining, remaining)])
print({names[i]: round(float(share), 2) for i, share in zip(remaining, smaller, strict=True) if share > 0})
assert smaller[0] == 0  # naive, once more
assert equilibria.survivors(table.A[:1, :1])[0] == 1  # alone they are safe

# %% [markdown]
# ## Sources
#
# Zhang & Lesser, "Multi-agent learning with policy prediction", 2010. Foerster, Chen, Al-Shedivat, Whiteson, Abbeel &
# Mordatch, "Learning with opponent-learning awareness", 2018. Foerster, Farquhar, Al-Shedivat, Rocktäschel, Xing &
# Whiteson, "DiCE: the infinitely differentiable Monte Carlo estimator", 2018. Letcher, Foerster, Balduzzi,
# Rocktäschel & Whiteson, "Stable opponent shaping in differentiable games", 2019. Willi, Letcher, Treutlein &
# Foerster, "COLA: consistent learning with opponent-learning awareness", 2022.
