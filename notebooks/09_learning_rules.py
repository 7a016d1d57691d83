# %% [markdown]
# # Learning rules that know of each other
#
# Two players improve their strategies by following gradients of what they earn. What becomes of them depends on
# what each takes the other for: a fixed thing, or someone who is learning as well. This notebook shows
#
# 1. why **naive learners** of the repeated prisoner's dilemma end up defecting,
# 2. what changes when a player **looks ahead** through the other's next step,
# 3. **which rule survives** when every rule may meet every other.
#
# Everything is exact: returns, gradients and gradients through gradients; no game is ever sampled.
# Every number in the text is asserted in the cell beside it.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import ipd_theory as ipd
from ipd_theory import equilibria
from ipd_theory.learning import rules
from ipd_theory.learning.play import direction, learn
from ipd_theory.learning.tournament import meta_game, play_all

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")

game = ipd.prisoners_dilemma()  # R, S, T, P = 1, -1, 2, 0
discount, step = 0.95, 5.0
sgd = optax.sgd(step)

# %% [markdown]
# ## 1. Why naive learners defect
#
# A player is five logits: of the probability to cooperate at the start and after CC, CD, DC, DD. The naive learner
# ascends its own return $J_1(x, y)$ as if $y$ stood still, and so does the other. Sixty-four pairs, from random logits:

# %%
first = jax.random.normal(jax.random.key(0), (64, 2, 5))


def play(one, two, steps=200):
    return learn(game, (one, two), first[:, 0], first[:, 1], discount=discount, optimizers=(sgd, sgd), steps=steps)


naive = play(rules.naive(), rules.naive())
print(
    "mean return a step:",
    naive.returns[:, 0].mean().round(2),
    "at first,",
    naive.returns[:, -1].mean().round(2),
    "at last",
)

assert naive.returns[:, 0].mean() > 0.4
assert naive.returns[:, -1].mean() < 0.1  # mutual defection pays 0

# %% [markdown]
# The reason is in the gradient at the start of play. Against a player that hardly reacts to what one does (and
# random players hardly do), an extra defection is paid at once and punished never. Take an opponent that always
# cooperates with probability one half: all five entries of the gradient point to defection.

# %%
indifferent = jnp.zeros(5)
gradient = direction(game, rules.naive(), indifferent, indifferent, discount=discount)
print("naive gradient:", gradient.round(4))

assert (gradient < 0).all()

# %% [markdown]
# ## 2. Looking ahead
#
# The other is about to move, too: to $y + \alpha\, \partial J_2/\partial y$. LOLA ascends what it will earn *after*
# that step, $J_1(x, y + \alpha\, \partial J_2(x, y)/\partial y)$, and differentiates through it: my strategy moves
# your gradient, and your gradient moves your strategy. At the same indifferent point:

# %%
shaping = direction(game, rules.lola_dice(1, 10.0), indifferent, indifferent, discount=discount) - gradient
for context, value in zip(("start", "CC", "CD", "DC", "DD"), shaping, strict=True):
    print(f"{context:6s}{float(value):+.5f}")

assert shaping[1] > 0  # after CC: reward the other's cooperation by cooperating
assert shaping[2] < 0  # after CD, where the other defected: withdraw

# %% [markdown]
# The shaping term says: be kinder where the other has just cooperated, harder where it has just defected. That is
# **reciprocity**, and nobody wrote it in. Followed for a while, it lifts both players out of defection:

# %% alt="Return a step over learning: naive learners fall to 0, LOLA rises above one half."
lola = play(rules.lola_as_published(10.0), rules.lola_as_published(10.0))
figure, axes = plt.subplots()
for label, out, colour in (("naive", naive, "C0"), ("LOLA", lola, "C1")):
    low, middle, high = np.percentile(out.returns.mean(-1), [25, 50, 75], axis=0)
    axes.plot(middle, colour, label=label)
    axes.fill_between(range(len(low)), low, high, color=colour, alpha=0.2, linewidth=0)
axes.set_xlabel("learning step")
axes.set_ylabel("return (payoff a step)")
axes.set_title("median and quartiles, 64 pairs", fontsize=7)
axes.legend()
plt.show()

assert lola.returns[:, -1].mean() > naive.returns[:, -1].mean() + 0.4

# %% [markdown]
# Looking further ahead is not simply better. A player that thinks ten steps ahead finds that a naive learner can be
# *extorted*: it gives up resisting and concedes. Against another like itself that pays less than it seems to.

# %%
far = rules.lola_dice(10, step)
against_naive, against_itself = play(far, rules.naive()), play(far, far)
print("ten look-aheads against naive: ", against_naive.returns[:, -1].mean(0).round(2))
print("ten look-aheads against itself:", against_itself.returns[:, -1].mean(0).round(2))

assert against_naive.returns[:, -1, 0].mean() > against_naive.returns[:, -1, 1].mean() + 0.2
assert against_naive.returns[:, -1, 0].mean() > against_itself.returns[:, -1].mean()

# %% [markdown]
# ## 3. Which rule survives
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
