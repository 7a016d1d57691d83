# %% [markdown]
# # From tables to sequence models
#
# The other notebooks know everything: strategies are tables of five numbers, returns and gradients are exact. Here an
# agent knows nothing but what it sees. It plays the iterated prisoner's dilemma against co-players that learn while it
# plays, remembers a long history, and improves by policy gradients from experience alone. We will
#
# 1. ask with **strategies played by hand** whether shaping a learner pays at all,
# 2. look at the **memory** of the sequence model,
# 3. **train** it with COALA-PG for a minute, and see what it has found: shape first, exploit later.
#
# Every number in the text is asserted in the cell beside it.

# %%
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import ipd_theory as ipd
from ipd_theory.rl import run_folder, runs, train
from ipd_theory.rl.config import PRESETS
from ipd_theory.rl.policies import playing

plt.style.use("ipd_theory.drawing.ipd_theory")

# %% quick="config = replace(config, iterations=10)"
config = replace(PRESETS["ipd-shaping-quick"], meta_batch=8, iterations=160)

# %%
start = train.initial_state(config, jax.random.key(0))

# %% [markdown]
# ## 1. Does shaping pay?
#
# A *meta-episode* is 20 inner episodes of 5 rounds, in 8 games at once. After each inner episode the co-player takes
# one actor-critic step on the 8 games it just saw, and forgets them. The ego player is paid over all 20 episodes, so
# what it teaches early it can harvest late. Four simple strategies, played by hand:

# %%
by_hand = {
    "always defect": ipd.strategies.always_defect(),
    "always cooperate": ipd.strategies.always_cooperate(),
    "tit for tat": ipd.strategies.tit_for_tat(),
    "extortion": ipd.zero_determinant.extortion(ipd.prisoners_dilemma(), 2.0, 0.15),
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
# all episodes only about 0.3 is left. Tit for tat starts low and ends near mutual cooperation. **The best way to treat
# a learner is not the best way to treat its current policy.** An agent that credits its actions only with what
# follows in the same game will not find this out.

# %%
assert abs(rewards["always defect"][0] - 1.0) < 0.15
assert rewards["always defect"][-1] < 0.1
assert abs(rewards["always defect"].mean() - 0.3) < 0.1
assert rewards["tit for tat"].mean() > rewards["always defect"].mean() + 0.2
assert rewards["tit for tat"][-1] > 0.75

# %% [markdown]
# ## 2. A memory
#
# The agent is a small *Hawk* network: a gated linear recurrence $h_t = a_t \odot h_{t-1} + b_t$ between an embedding
# and a gated MLP. The gates $a_t, b_t$ depend on the observations only, here on the last four of them, so for a game
# with five observations they are a **table** of 5 + 25 + 125 + 625 = 780 rows; and a whole history is one cheap scan.

# %%
agent = jax.tree.map(lambda x: x[0], start.meta)
table = agent.ready(steps=10**6).front.table
num_weights = sum(x.size for x in jax.tree.leaves(agent))
print(f"{num_weights} weights; table of windows {table.shape}")
assert table.shape[0] == 780

# %% [markdown]
# ## 3. Training
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
left.plot(iteration, by_episode.mean(1), label="COALA-PG")
for name in ("always defect", "tit for tat"):
    left.axhline(rewards[name].mean(), color="0.5", linestyle=":" if name == "tit for tat" else "--", label=name)
left.set(xlabel="iteration", ylabel="reward a step")
left.legend()
right.plot(np.arange(1, 21), defection[0], label="first iterations")
right.plot(np.arange(1, 21), defection[-3:].mean(0), label="last iterations")
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
