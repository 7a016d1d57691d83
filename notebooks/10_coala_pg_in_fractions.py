# %% [markdown]
# # A policy gradient that knows the others are learning
#
# *Goals:* see a learner as something that can be shaped; derive COALA-PG in four lines; believe it only when every
# trajectory has been listed and two vectors of **fractions** are equal; say what the baselines leave out, and what
# discounting does. *Needs:* [notebook 9](09_learning_rules.ipynb), the score function (section 6 of [notebook
# 8](08_why_naive_learners_defect.ipynb)). *Reading:* 40 minutes; exercises 45.
#
# *Play first*, in the explorer: [the batch](../ipd_theory/explorer/index.html#1/batch); choose a step of one
# trajectory. Which rewards, of which trajectories, did the action there help to bring about? Compare with what each
# estimator credits.
#
# Reinforcement learning treats the other players as part of the scenery. But scenery that *learns* from us can be
# shaped: what I do today changes what you will do tomorrow. COALA-PG, the policy gradient of [Meulemans et al.
# (2025)](https://arxiv.org/abs/2410.18636), is the gradient that counts this correctly.
#
# Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
from fractions import Fraction

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from ipywidgets import IntSlider, interact

import ipd_theory as ipd
from ipd_theory import estimators
from ipd_theory.drawing import style
from ipd_theory.sampling import enumeration, fractions, learners, prefixes
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP, estimates, play

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")

# %% [markdown]
# ## 1. Play first
#
# You play three games at once against one learner. After two rounds of each it looks at all three, adjusts its one
# policy, and you go on: three such *inner episodes*, so 3 × 3 × 2 = 18 rounds. In all of them you earn nothing but
# once: 1, in game 2, in the first round of its second episode. **Which of your 18 actions deserve credit for it?**
# Mark them in a table of three rows and six columns, before you read on.
#
# ## 2. One policy, many games, one learner
#
# Ego plays $B$ games in parallel against the *same* learner. After $T$ steps, an **inner episode**, the learner
# updates its policy from all $B$ games; then the next inner episode starts, $M$ in all. Ego's policy $\phi$ stays
# fixed over the whole **meta-episode** and is what we want to improve, for the mean over games of all rewards,
#
# $$\bar J(\phi) = E\Big[\tfrac1B \sum_{b=1}^B \sum_{l=1}^{MT} r_l^b\Big].$$
#
# Two effects of an action $a_l^b$ are hidden in it: on game $b$ right now, and, through the learner's update, on
# *every* game from the next inner episode on.
#
# ## 3. Four lines
#
# Write $s_l^b = \nabla_\phi \log \pi_\phi(a_l^b \mid h_l^b)$ for the score of an action, and $m_l$ for the inner
# episode that step $l$ belongs to.
#
# 1. The score function trick, with all that is random in a meta-episode: ego's actions carry $\phi$, the learner's
#    actions and updates do not, given what happened before:
#    $$\nabla \bar J = E\Big[\sum_{b,l} s_l^b \; \tfrac1B \sum_{b'} \sum_{k=1}^{MT} r_k^{b'}\Big].$$
# 2. An action cannot change the past: for $k < l$ the score has mean zero given everything up to then. What is left
#    is the **full** estimator, with weights $\tfrac1B \sum_{b'} \sum_{k \ge l} r_k^{b'}$.
# 3. *Within* an inner episode the learner stands still, so the games are independent: for $b' \ne b$ and $k$ in the
#    same inner episode, $E[s_l^b r_k^{b'}] = E[s_l^b]\,E[r_k^{b'}] = 0$ given the start of the episode. Only the own
#    game remains: $\tfrac1B \sum_{k=l}^{m_l T} r_k^b$.
# 4. *Beyond* it, all games run against a learner that has seen $a_l^b$, and all of them count:
#    $$w_l^b = \underbrace{\tfrac1B \sum_{k=l}^{m_l T} r_k^b}_{\text{own game, now}}
#      + \underbrace{\tfrac1B \sum_{b'} \sum_{k>m_l T} r_k^{b'}}_{\text{all games, later}}
#      \qquad \text{(COALA-PG)}.$$
#
# In code, with rewards `[B, M, T]`, this is a sum or two. Here is a batch of two games of two episodes of one step,
# in which only the second game's second step paid, 1:

# %%
rewards = jnp.zeros((2, 2, 1)).at[1, 1, 0].set(1.0)
weights = {
    "COALA-PG": estimators.coala_pg,
    "full": estimators.full,
    "batch-unaware": estimators.batch_unaware,
    "M-FOS": estimators.m_fos,
}
for name, estimator in weights.items():
    first, second = estimator(rewards)[..., 0]
    print(f"{name:14s} game 1: {first}   game 2: {second}")
np.testing.assert_array_equal(estimators.coala_pg(rewards)[..., 0], [[0.5, 0.0], [0.5, 0.5]])

# %% [markdown]
# COALA-PG gives half of that reward to the first action of *both* games, since both taught the learner, and the other
# half to the action that was paid. Batch-unaware never credits game 1. M-FOS, as in its public code, forgets $1/B$
# for the present. And the puzzle of section 1? Each row a game, each column a round, grey lines where the learner
# learns:


# %% alt="Credit of 18 actions for one reward by four estimators; only COALA-PG and full credit the other games."
def draw(paid: int) -> None:
    """The weights of 3 × 3 × 2 actions where one round paid 1, counted through game 2."""
    puzzle = jnp.zeros((3, 3, 2)).at[1, paid // 2, paid % 2].set(1.0)
    _, panels = plt.subplots(1, 4, figsize=(8.6, 1.7), sharey=True, layout="constrained")
    for ax, (name, estimator) in zip(panels, weights.items(), strict=True):
        credit = np.asarray(estimator(puzzle)).reshape(3, 6)
        ax.imshow(credit, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for b, l in np.argwhere(credit > 0):
            share = Fraction(float(credit[b, l])).limit_denominator(9)
            ax.text(l, b, str(share), ha="center", va="center", color="white" if credit[b, l] > 0.6 else "black")
        for edge in (1.5, 3.5):
            ax.axvline(edge, color="0.6", linewidth=1)
        ax.plot(paid, 1, "s", markersize=17, markerfacecolor="none", color=style.VERMILION)
        ax.set(title=name, xticks=range(6), xticklabels=range(1, 7), yticks=range(3), yticklabels=range(1, 4))
        ax.set_xlabel("round")
    panels[0].set_ylabel("game")
    plt.show()


draw(2)

# %% tags=["live"]
interact(draw, paid=IntSlider(value=2, min=0, max=5))

# %% [markdown]
# The square is the round that paid. By COALA-PG it owes a third each to all six actions of the first episode, in
# every game, and a third to itself; what other games did in the *same* episode cannot have helped.

# %%
solved = estimators.coala_pg(jnp.zeros((3, 3, 2)).at[1, 1, 0].set(1.0))
np.testing.assert_allclose(solved[:, 0], 1 / 3)
np.testing.assert_allclose(solved[:, 1], [[0, 0], [1 / 3, 0], [0, 0]])

# %% [markdown]
# ## 4. All 256 trajectories, in fractions
#
# Is it right? With $B = 2$, $M = 2$, $T = 1$ there are $4^4 = 256$ meta-episodes. We give ego probabilities that are
# fractions, and a learner that moves in probability space by a rational step,
#
# $$q \leftarrow q + \tfrac1{16}\, \tfrac1B \sum_b r^b (1[\text{cooperated}] - q),$$
#
# so that every probability of every trajectory is a fraction as well. Then $\bar J$ is a polynomial in ego's five
# probabilities with rational coefficients. We differentiate *that*, with sympy and without any score function. Ego
# remembers the last joint action across the boundary of the inner episodes. The payoffs are Axelrod's, 3, 0, 5, 1:
# where $T - R = P - S$, as in the paper's game, a learner gains from defecting whatever ego does, and its mean step
# in a game of a single round cannot be shaped.

# %%
B, M, T = 2, 2, 1
learner = learners.reinforce_in_probabilities(Fraction(1, 16))
pomdp = ShapingPOMDP(ipd.games.axelrod(), learner, jnp.full(5, 0.5), B, M, T, remember_across_episodes=True)
ego = fractions.exact([["1/3", "2/5", "3/7", "1/2", "5/8"]])  # after start, CC, CD, DC, DD
everything = fractions.enumerate_rationally(pomdp, ego.shape, fractions.exact(["1/2"] * 5))
probability = ((np.concatenate([ego, 1 - ego], 1) ** everything.exponents).prod(-1) * everything.occurs).sum()
print(f"{len(everything.occurs)} meta-episodes up to order, total probability {probability}")
assert probability == 1

# %%
truth = fractions.true_gradient(everything, ego)
means = {name: fractions.expectation(everything, ego, estimator) for name, estimator in weights.items()}
print("∇J̄           ", *(f"{x!s:>14}" for x in truth))
for name, mean in means.items():
    print(f"{name:14s}", *(f"{x!s:>14}" for x in mean), "  equal" if mean == truth else "  different")

assert means["COALA-PG"] == truth
assert means["full"] == truth
assert means["batch-unaware"] != truth
assert means["M-FOS"] != truth

# %% [markdown]
# Not close: **equal**. No tolerance was involved, and the two sides were computed in different ways.
#
# ## 5. What the baselines leave out
#
# Split the truth in two: $\nabla\bar J = g_{\text{cur}} + g_{\text{shape}}$, what an action does to its own inner
# episode and what it does to later ones. The weights of the first part are `now` below. For a policy that *forgets*
# at the start of an inner episode, the games are independent later on too, apart from the learner that they share,
# and so
#
# $$E[\text{batch-unaware}] = g_{\text{cur}} + \tfrac1B g_{\text{shape}}, \qquad
#   E[\text{M-FOS}] = B\,g_{\text{cur}} + g_{\text{shape}} = B\; E[\text{batch-unaware}].$$
#
# The two baselines point the same way! Both undervalue shaping by the factor $B$, which in the paper's experiments is
# 16 to 64. That is why they learn alike.


# %%
def now(rewards):
    return rewards[..., ::-1].cumsum(-1)[..., ::-1] / rewards.shape[-3]


forgetful = ShapingPOMDP(ipd.games.axelrod(), learner, jnp.full(5, 0.5), B, M, T)
listed_in_fractions = fractions.enumerate_rationally(forgetful, ego.shape, fractions.exact(["1/2"] * 5))
total = fractions.true_gradient(listed_in_fractions, ego)
current = fractions.expectation(listed_in_fractions, ego, now)
shaping = [a - b for a, b in zip(total, current, strict=True)]
unaware = fractions.expectation(listed_in_fractions, ego, estimators.batch_unaware)
m_fos = fractions.expectation(listed_in_fractions, ego, estimators.m_fos)
print(f"at the start: ∇J̄ = {total[0]}, of which {current[0]} now and {shaping[0]} by shaping")
print(f"batch-unaware {unaware[0]}, M-FOS {m_fos[0]}")

assert unaware == [c + s / B for c, s in zip(current, shaping, strict=True)]
assert m_fos == [B * u for u in unaware]
assert shaping[0] != 0

# %% [markdown]
# With memory across inner episodes the second identity breaks, and with it the comfortable story; here the policy of
# section 4, exactly:

# %%
gaps = [m - B * u for m, u in zip(means["M-FOS"], means["batch-unaware"], strict=True)]
print("E[M-FOS] − B · E[batch-unaware] =", *gaps)
assert any(gaps)

# %% [markdown]
# ## 6. Real learners
#
# Fractions are for proofs. For learners with Adam, a critic and normalised advantages we list the 65,536
# meta-episodes of $B = M = T = 2$ in floating point; the gradient of the polynomial is automatic differentiation's.

# %%
rng = np.random.default_rng(0)
rule = learners.policy_gradient(optax.adam(0.5), discount=0.99, critic=True, normalize_advantages=True)
start, logits = jnp.asarray(rng.normal(size=5)), jnp.asarray(rng.normal(size=(2, 5)))
pomdp = ShapingPOMDP(ipd.prisoners_dilemma(), rule, start, 2, 2, 2, remember_across_episodes=True)
listed = enumeration.enumerate_meta_episodes(pomdp)
exact = enumeration.true_gradient(listed, logits)
size = jnp.linalg.norm(exact.total)
moments = {n: enumeration.moments(listed, logits, w(listed.episodes.ego.rewards)) for n, w in weights.items()}
for name, (mean, covariance) in moments.items():
    bias, spread = jnp.linalg.norm(mean - exact.total) / size, jnp.sqrt(jnp.trace(covariance)) / jnp.linalg.norm(mean)
    print(f"{name:14s} relative bias {bias:7.1e}   standard deviation of one meta-episode {spread:.1f} times the mean")

assert jnp.linalg.norm(moments["COALA-PG"].mean - exact.total) < 1e-12
assert jnp.linalg.norm(moments["M-FOS"].mean - exact.total) / size > 0.5

# %% [markdown]
# Unbiased is not the same as quiet: COALA-PG's spread is the larger one, since every action is credited with the luck
# of the whole batch's future.
#
# ## 7. With a value function, and what discounting does
#
# Subtracting a baseline leaves the mean alone as long as it does not see the action. In Algorithm 1 of the paper the
# rewards are replaced by temporal-difference errors, and inner boundaries cut nothing. At $\gamma\lambda = 1$ *any*
# value function leaves the gradient unbiased, even a random one. But $\gamma\lambda < 1$ multiplies the credit for
# the next inner episode by $(\gamma\lambda)^T$, and that is a bias against shaping.

# %% alt="The relative bias of COALA-PG falls to zero as γλ of the advantages rises to one."
ego_seen = listed.episodes.ego
values = jnp.asarray(rng.normal(size=(2, 5)))[jnp.arange(2)[:, None], ego_seen.contexts]  # arbitrary, of what ego sees


def relative_bias(gae_lambda):
    advantages = estimators.advantages(ego_seen.rewards, values, estimators.coala_pg, gae_lambda=gae_lambda)
    return jnp.linalg.norm(enumeration.moments(listed, logits, advantages).mean - exact.total) / size


lambdas = np.linspace(0, 1, 21)
biases = np.array([relative_bias(x) for x in lambdas])
assert biases[-1] < 1e-12
assert biases[-2] > 1e-3
figure, axes = plt.subplots()
axes.plot(lambdas, biases, color=style.ESTIMATORS["COALA-PG"])
axes.set_xlabel("γλ of the advantages")
axes.set_ylabel("relative bias of COALA-PG")
plt.show()

# %% [markdown]
# ## 8. Growing batches, and sampling
#
# As $B$ grows the learner's step loses its noise, and COALA-PG's mean tends to the gradient that exact methods get by
# differentiating *through* the learner's expected steps. The distance falls like $1/B$, so that twice the gradient at
# $B = 6$ minus that at $B = 3$ comes much nearer than either:

# %%
game, rate = ipd.prisoners_dilemma(), 0.5
by_size = {}
for size_of_batch in (3, 6):
    env = ShapingPOMDP(game, learners.reinforce(rate), start, size_of_batch, 2, 2)
    by_size[size_of_batch] = prefixes.true_gradient_by_prefix(prefixes.enumerate_prefixes(env), logits[:1]).total
limit = enumeration.large_batch_gradient(game, logits[0], start, rate, 2, 2)
distance = {name: float(jnp.linalg.norm(g - limit)) for name, g in by_size.items()}
extrapolated = float(jnp.linalg.norm(2 * by_size[6] - by_size[3] - limit))
print(f"distance to the limit: B = 3 {distance[3]:.1e}, B = 6 {distance[6]:.1e}, extrapolated {extrapolated:.1e}")
assert extrapolated < distance[6] / 5 < distance[3] / 5

# %% [markdown]
# Nobody lists trajectories in practice; one samples. A hundred thousand sampled meta-episodes agree with the list:

# %%
N = 100_000
played = play(jax.random.key(0), pomdp, logits, N)
mean = estimates(played, logits, estimators.coala_pg(played.ego.rewards)).mean(0).ravel()
error = jnp.sqrt(jnp.diag(moments["COALA-PG"].covariance) / N)
z = jnp.where(error > 0, (mean - exact.total) / jnp.maximum(error, 1e-12), 0)
print("standardised deviations:", np.round(z, 1))
assert jnp.abs(z).max() < 5  # ten components: a false alarm once in 170,000 runs

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** With a single game, $B = 1$, which of the four estimators differ?

# %% tags=["solution"]
alone = jnp.asarray(rng.normal(size=(1, 3, 4)))
for estimator in weights.values():
    np.testing.assert_allclose(estimator(alone), estimators.coala_pg(alone), atol=1e-12)  # none of them do

# %% [markdown]
# **Exercise 2.** Subtract 3 from every reward. Does the mean of COALA-PG change? Decide first, then use fractions.

# %% tags=["solution"]
shifted = fractions.expectation(everything, ego, lambda rewards: estimators.coala_pg(rewards - 3))
assert shifted == truth  # the weights shift by what does not depend on the action, and scores have mean zero

# %% [markdown]
# **Exercise 3.** Write the estimator of the shaping part alone, credit for later inner episodes only, and show that
# its mean is $g_{\text{shape}}$ of section 5.

# %% tags=["solution"]
later = fractions.expectation(listed_in_fractions, ego, lambda rewards: estimators.coala_pg(rewards) - now(rewards))
assert later == shaping

# %% [markdown]
# **Exercise 4.** Line 3 throws away what other games earn in the same inner episode. Show that what is thrown away
# has mean zero, exactly. Is the estimator quieter without it?

# %% tags=["solution"]
thrown_away = fractions.expectation(
    everything, ego, lambda rewards: estimators.full(rewards) - estimators.coala_pg(rewards)
)
assert not any(thrown_away)
spread = {name: float(jnp.trace(moments[name].covariance)) for name in ("full", "COALA-PG")}
assert spread["COALA-PG"] < spread["full"]

# %% [markdown]
# **Exercise 5.** An estimator of your own: COALA-PG that counts later inner episodes at nine tenths. By how much is
# its mean off in each component, as a share of the shaping part? (The command `ipd-theory verify --estimator
# my_file.py:my_function` asks this of any function of rewards `[..., B, M, T]`, in fractions and by sampling.)

# %% tags=["solution"]
impatient = fractions.expectation(
    listed_in_fractions,
    ego,
    lambda rewards: now(rewards) + Fraction(9, 10) * (estimators.coala_pg(rewards) - now(rewards)),
)
assert [t - m for t, m in zip(total, impatient, strict=True)] == [g / 10 for g in shaping]

# %% [markdown]
# ## Sources
#
# Meulemans, Kobayashi, von Oswald, Scherrer, Elmoznino, Richards, Lajoie, Agüera y Arcas & Sacramento, "Multi-agent
# cooperation through learning-aware policy gradients", ICLR 2025. Lu, Willi, Schroeder de Witt & Foerster,
# "Model-free opponent shaping", 2022, for M-FOS. Schulman, Moritz, Levine, Jordan & Abbeel, "High-dimensional
# continuous control using generalized advantage estimation", 2016.
