# %% [markdown]
# # From tables to sequence models, and from play back to strategies
#
# *Goals:* ask with strategies played by hand whether shaping a learner pays; see what a sequence model remembers;
# train one with COALA-PG for a minute; and read the strategy of an agent off its play: counts, intervals, what it
# enforces and what beats it. *Needs:* [notebook 10](10_coala_pg_in_fractions.ipynb); notebooks
# [5](05_zero_determinant_strategies.ipynb) and [6](06_best_replies_partners_and_rivals.ipynb) for section 6.
# *Reading:* 40 minutes; exercises 45.
#
# *Play first*, in the explorer: [a strategy to be
# read](../ipd_theory/explorer/index.html#1/sandbox?mine=0.9,0.95,0.2,0.6,0.3); five numbers that might come from a
# log of play. What does it enforce, and what beats it?
#
# The other notebooks know everything: strategies are tables of five numbers, returns and gradients are exact. Here an
# agent knows nothing but what it sees. It plays against co-players that learn while it plays, remembers a long
# history, and improves by policy gradients from experience alone.
#
# Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import IntSlider, interact

import ipd_theory as ipd
from ipd_theory import inference, replies, zero_determinant
from ipd_theory.drawing import style
from ipd_theory.rl import run_folder, runs, train
from ipd_theory.rl.config import PRESETS
from ipd_theory.rl.policies import Policy, playing
from ipd_theory.rl.rollout import CoPlayers

plt.style.use("ipd_theory.drawing.ipd_theory")

# %% quick="config = replace(config, iterations=10)"
config = replace(PRESETS["ipd-shaping-quick"], meta_batch=8, iterations=160)

# %%
start = train.initial_state(config, jax.random.key(0))

# %% [markdown]
# ## 1. Play first
#
# You will meet a learner in 20 inner episodes of 5 rounds. After each of them it changes a little, towards what would
# have paid it better against you; it begins as a coin. You are paid for all 100 rounds, R = 1, S = −1, T = 2, P = 0.
# You may defect throughout, cooperate throughout, play tit for tat, or extort (earn twice what it earns). Order the
# four by what they will bring, in the *first* episode and over *all*.
#
# ## 2. Does shaping pay?
#
# A *meta-episode* is 20 inner episodes of 5 rounds, in 8 games at once. After each inner episode the co-player takes
# one actor-critic step on the 8 games it just saw, and forgets them. The ego player is paid over all 20 episodes, so
# what it teaches early it can harvest late. Four simple strategies, played by hand:

# %%
by_hand = {
    "always defect": ipd.strategies.always_defect(),
    "always cooperate": ipd.strategies.always_cooperate(),
    "tit for tat": ipd.strategies.tit_for_tat(),
    "extortion": zero_determinant.extortion(ipd.prisoners_dilemma(), 2.0, 0.15),
}
keys = jax.random.split(jax.random.key(1), 8)


@jax.jit
def against_learners(strategy):
    """Rewards a step [20] by inner episode, averaged over meta-episodes."""

    def once(key):
        return train.against_naive(config, playing(strategy), start.naive, key)["reward"]

    return jax.lax.map(once, keys).mean(0)


rewards = {name: np.asarray(against_learners(jnp.asarray(s, jnp.float32))) for name, s in by_hand.items()}
for name, by_episode in rewards.items():
    print(f"{name:18s} first episode {by_episode[0]:6.2f}   last {by_episode[-1]:6.2f}   all {by_episode.mean():6.2f}")

# %% [markdown]
# Defection takes 1 a step from a learner that still cooperates half of the time, and then teaches it to defect: over
# all episodes only about 0.3 is left. Tit for tat starts low and ends near mutual cooperation. **The best way to
# treat a learner is not the best way to treat its current policy.** An agent that credits its actions only with what
# follows in the same game will not find this out.

# %%
assert abs(rewards["always defect"][0] - 1.0) < 0.15
assert rewards["always defect"][-1] < 0.1
assert abs(rewards["always defect"].mean() - 0.3) < 0.1
assert rewards["tit for tat"].mean() > rewards["always defect"].mean() + 0.2
assert rewards["tit for tat"][-1] > 0.75

# %% [markdown]
# ## 3. A memory
#
# The agent is a small *Hawk* network: a gated linear recurrence $h_t = a_t \odot h_{t-1} + b_t$ between an embedding
# and a gated MLP. The gates $a_t, b_t$ depend on the observations only, here on the last four of them, so for a game
# with five observations they are a **table** of 5 + 25 + 125 + 625 = 780 rows; and a whole history is one cheap scan.

# %%
agent = jax.tree.map(lambda x: x[0], start.meta)
windows = agent.ready(steps=10**6).front.table
num_weights = sum(x.size for x in jax.tree.leaves(agent))
print(f"{num_weights} weights; table of windows {windows.shape}")
assert windows.shape[0] == 780

# %% [markdown]
# ## 4. Training
#
# 160 updates of PPO with COALA-PG's advantages, against learners only. That is the quick preset with a quarter of its
# meta-batch and 160 of its 180 iterations, so that it fits in a notebook; the presets run from the command line:
#
# ```
# ipd-theory train ipd-shaping-quick
# ipd-theory evaluate runs/ipd-shaping-quick-coala-seed0
# ```

# %% trained=true alt="The reward a step rises past always-defect; beside it the share of defection by inner episode."
with TemporaryDirectory() as folder:
    directory = runs.train(
        config, Path(folder) / "run", (0,), log_every=min(10, config.iterations), checkpoint_every=config.iterations
    )
    lines, trained = run_folder.read_metrics(directory), runs.read_states(directory)

iteration = [line["iteration"] for line in lines]
by_episode = np.array([line["against_naive"]["reward"][0][0] for line in lines])  # [lines, 20]
defection = np.array([line["against_naive"]["defection"][0][0] for line in lines])
figure, (left, right) = plt.subplots(1, 2, figsize=(6, 2.4))
left.plot(iteration, by_episode.mean(1), color=style.ESTIMATORS["COALA-PG"], label="COALA-PG")
for name in ("always defect", "tit for tat"):
    left.axhline(rewards[name].mean(), color="0.5", linestyle=":" if name == "tit for tat" else "--", label=name)
left.set(xlabel="iteration", ylabel="reward a step")
left.legend()
right.plot(np.arange(1, 21), defection[0], color=style.DARK, label="first iterations")
right.plot(np.arange(1, 21), defection[-3:].mean(0), color=style.VERMILION, label="last iterations")
right.set(xlabel="inner episode", ylabel="share of defection", ylim=(0, 1))
right.legend()
plt.show()

# %% [markdown]
# From an even coin the agent climbs past always-defect. Within a meta-episode it has learnt to be milder at first,
# while the learner can still be led to cooperate, than at the end, when no future is left to protect.

# %% trained=true
late, early = by_episode[-3:].mean(), by_episode[0].mean()
late_defection = defection[-3:].mean(0)
print(f"reward a step: {early:.2f} at first, {late:.2f} at last; always defect {rewards['always defect'].mean():.2f}")
first, last = late_defection[:5].mean(), late_defection[-5:].mean()
print(f"share of defection: first five episodes {first:.2f}, last five {last:.2f}")
assert late > early + 0.2
assert late > rewards["always defect"].mean() + 0.15
assert last > first + 0.05

# %% [markdown]
# ## 5. From play back to a strategy
#
# What *is* the thing we have trained? It has thousands of weights. But it can be watched: count how often it
# cooperates after each of the five contexts, and put an interval on each share that holds 95 % of what is credible
# after these counts. First a player whose table we know, so that we can trust the counting:


# %%
def watch(ego: Policy, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Both players' actions and rewards [inner episodes, rounds, learners, 2, games]."""
    learners = CoPlayers(
        jax.tree.map(lambda w: jnp.broadcast_to(w[0], (16, *w.shape[1:])), start.naive), jnp.ones(16, bool)
    )
    record = jax.jit(train.meta_episode, static_argnums=0)(config, ego, learners, jax.random.key(seed))
    return np.asarray(record.actions), np.asarray(record.rewards)


known = np.asarray(by_hand["extortion"])
actions, _ = watch(playing(jnp.asarray(known, jnp.float32)), 3)
fit = inference.fit_counts(inference.fit_episodes(actions).counts.sum(0))
for s, context in enumerate(ipd.strategies.contexts(1)):
    kindly, met = fit.counts[s, 0], fit.counts[s].sum()
    print(f"{context:6s} {kindly:5d} of {met:5d}: {fit.low[s]:.3f} to {fit.high[s]:.3f}, in truth {known[s]:.3f}")

assert ((fit.low <= known) & (known <= fit.high)).sum() >= 4  # all five: 77 in 100
assert np.abs(fit.estimate - known).max() < 0.05

# %% [markdown]
# Now the trained agent. Its memory is longer than one round, so that five numbers are a summary: what it does after
# each context *on average*. They need not stay the same over the meta-episode, so let us count early and late.

# %% trained=true alt="Shares of cooperation after each context, with intervals, in early and in late inner episodes."
agent = jax.tree.map(lambda w: w[0, 0], trained.meta)
actions, earned = watch(agent, 4)
hers, theirs = (inference.fit_episodes(actions, player=player) for player in (0, 1))


def over_five(fit: inference.TableFit, first: int) -> inference.TableFit:
    """A player's table in five inner episodes from one on."""
    return inference.fit_counts(fit.counts[first : first + 5].sum(0))


def draw(first: int) -> None:
    """The agent's table in the first five inner episodes, and in five from another on."""
    _, ax = plt.subplots(figsize=(4.4, 2.6))
    for shift, begin, colour in ((-0.12, 0, style.GREEN), (0.12, first, style.VERMILION)):
        fit = over_five(hers, begin)
        error = np.maximum([fit.estimate - fit.low, fit.high - fit.estimate], 0)
        label = f"inner episodes {begin + 1} to {begin + 5}"
        ax.errorbar(np.arange(5) + shift, fit.estimate, error, fmt="o", capsize=3, color=colour, label=label)
    ax.set_xticks(range(5), ipd.strategies.contexts(1))
    ax.set(ylabel="share of cooperation", xlabel="after", ylim=(-0.03, 1.03))
    ax.legend()
    plt.show()


draw(15)

# %% tags=["live"]
interact(draw, first=IntSlider(value=15, min=1, max=15))

# %% trained=true
early_table, late_table = (over_five(hers, first).estimate for first in (0, 15))
print("early:", early_table.round(2), " late:", late_table.round(2))
assert early_table.mean() > late_table.mean()  # milder at first

# %% [markdown]
# ## 6. What it enforces, and what beats it
#
# A table can be asked what notebooks 5 and 6 ask. Which line of payoffs does it come nearest to enforcing? What is
# the best reply to it, in games of five rounds, and what does the agent get then? Does the table say what was earned?

# %% trained=true
game = ipd.prisoners_dilemma()
for name, first in (("early", 0), ("late", 15)):
    table = over_five(hers, first).estimate
    line = zero_determinant.relation(game, table)
    best = replies.best_responses(game, table, horizon=5)
    parallel = abs(float(line.slope) - 1) < 1e-3  # to equal payoffs, which it meets nowhere
    through = "" if parallel else f" through {float(line.baseline):+.2f}"
    print(
        f"{name:6s} line of slope {float(line.slope):+.2f}{through} (residual {float(line.residual):.2f}); "
        f"a best reply earns {float(best.value):.2f} a round"
    )

predicted, measured = [], []
for first in range(0, 20, 5):
    tables = (over_five(fit, first).estimate for fit in (hers, theirs))
    predicted.append(float(ipd.expected_returns(game, *tables, horizon=5)[0]))
    measured.append(float(earned[first : first + 5, ..., 0, :].mean()))
print("two tables predict", np.round(predicted, 2), "measured", np.round(measured, 2))
assert np.abs(np.subtract(predicted, measured)).max() < 0.15

# %% [markdown]
# Two tables of five numbers, read off play, say what both earn nearly as well as playing does, though neither player
# is a table. What they do not say is how the agent *leads*: that is in what differs from early to late, and in the
# learner.
#
# ## Exercises
#
# **Exercise 1.** How many rounds in a context does it take until an interval tells a coin from somebody who
# cooperates with probability 0.6? Where do so many rounds come from for a context that is seldom met?


# %% tags=["solution"]
def least(n: int) -> float:
    """The lower end of the interval after n rounds, three fifths of them cooperative."""
    return inference.fit_counts(np.array([[3 * n // 5, 2 * n // 5]])).low[0]


enough = next(n for n in range(10, 1000, 10) if least(n) > 0.5)
print(enough)
assert 90 < enough < 130  # about (1.96 · 0.49 / 0.1)², and a little more

# %% [markdown]
# **Exercise 2.** From which inner episode on has tit for tat earned more than always defecting, counted from the
# start?

# %% tags=["solution"]
ahead = rewards["tit for tat"].cumsum() > rewards["always defect"].cumsum()
overtakes = int(np.argmax(ahead)) + 1
print("from inner episode", overtakes, "on")
assert ahead[overtakes - 1 :].all()
assert 2 <= overtakes <= 10

# %% [markdown]
# **Exercise 3.** How large is the table of windows for a memory of $w$ observations, of which there are $k$? For
# which $w$ would it pass a million rows in this game?

# %% tags=["solution"]
rows = {w: sum(5**i for i in range(1, w + 1)) for w in range(1, 10)}
assert rows[4] == windows.shape[0]
assert next(w for w, number in rows.items() if number > 10**6) == 9  # (5^9 − 1) · 5/4 = 2,441,405

# %% [markdown]
# **Exercise 4.** Half of a crowd always cooperates, half always defects, and each plays ten rounds with a coin. What
# table do counts over the whole crowd show, and what is wrong with it? What would show that nobody plays it?

# %% tags=["solution"]
kinds = np.repeat([0, 1], 500)  # 0 cooperates, 1 defects
crowd, coins = np.tile(kinds[:, None], 10), np.random.default_rng(0).integers(0, 2, (1000, 10))
played = inference.from_actions(np.stack([crowd, coins], -1), [(f"kind {kind}", "coin") for kind in kinds])
counts = inference.count(played.of("kind 0", "kind 1"))  # [kinds, contexts, 2]
together = inference.fit_counts(counts.sum(0)).estimate
assert np.allclose(together, [0.5, 1, 1, 0, 0])  # "repeat my own last action, begin with a coin"
alone = counts[..., 0].sum(1) / counts.sum((1, 2))
assert alone.tolist() == [1.0, 0.0]  # counted by player, no one begins with a coin

# %% [markdown]
# **Exercise 5.** Take the rewards of section 2. Which strategy is best for somebody who cares for the first inner
# episode alone, and does tit for tat still beat always defecting if each inner episode counts half as much as the one
# before?

# %% tags=["solution"]
weight = 0.5 ** np.arange(20)
impatient = {name: float((weight * by_episode).sum() / weight.sum()) for name, by_episode in rewards.items()}
patient = {name: float(by_episode.mean()) for name, by_episode in rewards.items()}
print({name: round(x, 2) for name, x in impatient.items()})
assert max(rewards, key=lambda name: rewards[name][0]) == "always defect"
assert patient["tit for tat"] > patient["always defect"]
assert impatient["always defect"] > impatient["tit for tat"]  # shaping is for the patient

# %% [markdown]
# ## Sources
#
# De, Smith, Fernando et al., "Griffin: mixing gated linear recurrences with local attention for efficient language
# models", 2024, for the network. Schulman, Wolski, Dhariwal, Radford & Klimov, "Proximal policy optimization
# algorithms", 2017. Meulemans et al., "Multi-agent cooperation through learning-aware policy gradients", ICLR 2025.
