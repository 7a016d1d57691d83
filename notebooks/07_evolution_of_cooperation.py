# %% [markdown]
# # The evolution of cooperation
#
# *Goals:* follow strategies through populations without chance, with chance, with small mutations, and on networks;
# compute fixation probabilities and the shares under rare mutation; know why tit for tat opens the door for others.
# *Needs:* [notebook 6](06_best_replies_partners_and_rivals.ipynb). *Reading:* 40 minutes; exercises 45.
#
# *Play first*, in the explorer: [a population](../ipd_theory/explorer/index.html#1/population?names=ALLC+ALLD+TFT);
# predict it first: equal shares of unconditional cooperators, unconditional defectors and tit for tat. Who is left?
#
# Strategies that earn more spread. What spreads then, and does cooperation? We take the same few strategies through
# five kinds of populations, each time first the exact answer, then a simulation that has to agree:
#
# 1. **play**: who earns what from whom,
# 2. a population **without chance**, in continuous time and in generations,
# 3. a **finite** population, where one mutant may take over or be lost,
# 4. **all strategies of a family** and their smallest mutants: adaptive dynamics,
# 5. a hundred random strategies at once, and players who only know their **neighbours**.
#
# Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np
import sympy
from IPython.display import Math

import ipd_theory as ipd
from ipd_theory import evolution
from ipd_theory.drawing import evolution as drawing
from ipd_theory.drawing import invasion, style
from ipd_theory.evolution import imitation
from ipd_theory.strategies import reactive_n

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")
plt.switch_backend(plt.get_backend())  # shows the library's figures, too

axelrod = ipd.games.axelrod()  # R, S, T, P = 3, 0, 5, 1
rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. Who earns what
#
# Tit for tat, the unconditional cooperator and the unconditional defector, 100 rounds. Tit for tat loses to nobody by
# more than one round: the defector gets 5 once and then 1 for ever, $(5 + 99)/100 = 1.04$ a round; tit for tat gets
# $0.99$.

# %%
names = ["TFT", "ALLC", "ALLD"]
tables = [ipd.strategies.named(name) for name in names]
A = np.asarray(ipd.round_robin(axelrod, tables, horizon=100))
print(A)
np.testing.assert_allclose(A, [[3, 3, 0.99], [3, 3, 0], [1.04, 5, 1]], rtol=1e-12)

# %% [markdown]
# ## 2. No chance
#
# *Replicator dynamics*, $\dot x_i = x_i\,((Ax)_i - x^\top A x)$. From equal shares the defector first feeds on the
# cooperator, then has nobody left to feed on: tit for tat and the cooperator end at 77.4 % and 22.6 %.

# %%
path = ipd.equilibria.replicator(A, np.full(3, 1 / 3), np.linspace(0, 60, 300))
print("at the end", path[-1].round(6), " most defectors", path[:, 2].max().round(3))
np.testing.assert_allclose(path[-1], [0.774143, 0.225857, 0], atol=1e-6)

# %% alt="Streams in the triangle of three strategies: first towards the defector, then up to tit for tat."
drawing.simplex_flow(names, A, path, caption="R 3, S 0, T 5, P 1; 100 rounds")

# %% [markdown]
# *Axelrod's ecological tournament* moves in generations instead, each share in proportion to what it earned. The end
# is a little different, 79.4 % and 20.6 %, for a generation is a finite step: add a constant to all payoffs, so that
# selection is slow, and it becomes the replicator's.

# %%
for offset in (0, 10, 100):
    end = evolution.ecological(A + offset, np.full(3, 1 / 3), 20_000)[-1]
    print(f"payoffs + {offset:3d}: {end.round(6)}")
    np.testing.assert_allclose(end[0], {0: 0.794426, 10: 0.777577, 100: 0.774549}[offset], atol=1e-6)

# %% [markdown]
# ## 3. A finite population
#
# In the *Moran process* a player chosen by fitness has a child that takes the place of a random player. One tit for
# tat among $N - 1$ defectors takes over with probability
#
# $$\rho = \Bigl(1 + \sum_{k=1}^{N-1} \prod_{i=1}^{k} \frac{f_{\mathrm{ALLD}}(i)}{f_{\mathrm{TFT}}(i)}\Bigr)^{-1}.$$
#
# Defectors are evolutionarily stable here, and yet one tit for tat among 20 takes over more often than a neutral
# mutant would: 1.98 times $1/N$. Ten thousand simulated populations agree.

# %%
N, w = 20, 0.2
tft_alld = A[np.ix_([0, 2], [0, 2])]
rho = float(evolution.fixation_probability(tft_alld, N, w))


def moran(runs):
    """How many of so many populations one tit for tat takes over."""
    i = np.ones(runs, int)
    while ((i > 0) & (i < N)).any():
        mine = ((i - 1) * tft_alld[0, 0] + (N - i) * tft_alld[0, 1]) / (N - 1)
        theirs = (i * tft_alld[1, 0] + (N - i - 1) * tft_alld[1, 1]) / (N - 1)
        weight = i * (1 - w + w * mine)
        born = rng.random(runs) < weight / (weight + (N - i) * (1 - w + w * theirs))
        dies = rng.random(runs) < i / N
        i = np.where((i > 0) & (i < N), i + born.astype(int) - dies, i)
    return (i == N).sum()


runs = 10_000
share = moran(runs) / runs
error = np.sqrt(rho * (1 - rho) / runs)
print(f"exact {rho:.5f}, {N * rho:.3f} times 1/N; simulated {share:.5f} ± {error:.5f}")
assert ipd.equilibria.is_ess(tft_alld, 1)
assert abs(N * rho - 1.98) < 0.005
assert abs(share - rho) < 4 * error

# %% [markdown]
# Now add win-stay lose-shift, let intended actions fail once in a hundred times, and let mutants be so rare that one
# takes over or is gone before the next comes. The population then jumps from strategy to strategy; the shares of time
# are exact. With Axelrod's payoffs and 100 players, win-stay lose-shift has a third of the time and defection more;
# let mutual cooperation pay 4 instead of 3, and win-stay lose-shift has 91 %. Tit for tat is only the bridge: it is
# who brings down defection.

# %%
four = ["ALLC", "ALLD", "TFT", "WSLS"]
shares = {}
for R in (3.0, 4.0):
    game = ipd.games.symmetric_game(R=R, S=0.0, T=5.0, P=1.0)
    payoffs = np.asarray(ipd.round_robin(game, [ipd.strategies.named(x) for x in four], discount=1.0, error=0.01))
    shares[R] = evolution.rare_mutation(payoffs, 100, 0.1)
    print(f"R = {R:g}:", ", ".join(f"{name} {100 * s:.1f} %" for name, s in zip(four, shares[R], strict=True)))
    if R == 3.0:
        fixation = evolution.fixation_matrix(payoffs, 100, 0.1)
assert 0.33 < shares[3.0][3] < 0.35
assert shares[3.0][1] > shares[3.0][3]
assert 0.90 < shares[4.0][3] < 0.92

# %% alt="Four strategies in a circle; arrows from the cooperator to the defector, from it to tit for tat, and on."
invasion.invasion_graph(four, fixation, population=100, shares=shares[3.0], caption="R 3, S 0, T 5, P 1; error 0.01")

# %% [markdown]
# ## 4. Small mutants of all kinds
#
# A *reactive* strategy cooperates with probability $p$ after the other's cooperation and $q$ after its defection. In
# the donation game (benefit $b$, cost $c$) a mutant's payoff is a rational function, and its slope can be derived:

# %%
P, Q, p, q, b, c = sympy.symbols("P Q p q b c")
mine = (Q + (P - Q) * q) / (1 - (P - Q) * (p - q))  # how often the mutant cooperates, in the long run
theirs = (q + (p - q) * Q) / (1 - (P - Q) * (p - q))
slopes = [sympy.factor((b * theirs - c * mine).diff(x).subs({P: p, Q: q})) for x in (P, Q)]
r = sympy.Symbol("r")
closed = [(b * r - c) / ((1 - r) * (1 - r**2)) * direction for direction in (q, 1 - p)]
assert all(sympy.simplify(s - t.subs(r, p - q)) == 0 for s, t in zip(slopes, closed, strict=True))
Math(r"(\dot p, \dot q) = " + sympy.latex(closed[0] / q) + r"\,(q,\; 1 - p), \quad r = p - q")

# %% [markdown]
# So a population moves on a circle around tit for tat, $(1-p)^2 + q^2 = \mathrm{const}$: towards cooperation where $r
# > c/b$, towards defection elsewhere. The engine knows nothing of this formula; it differentiates the repeated game,
# and follows the slope to the edge of the square, where $p$ stays 1.

# %%
donation = ipd.games.donation_game(3.0, 1.0)
points = rng.uniform(size=(1000, 2))
engine = evolution.selection_gradient(donation, points, discount=1.0, family=reactive_n)
print("largest difference", f"{np.abs(engine - evolution.donation_gradient(points, 3.0, 1.0)).max():.0e}")
np.testing.assert_allclose(engine, evolution.donation_gradient(points, 3.0, 1.0), rtol=1e-8, atol=1e-11)

starts = np.array([[0.7, 0.2], [0.5, 0.4]])
paths = evolution.trajectory(donation, starts, np.geomspace(1e-3, 40, 60), discount=1.0, family=reactive_n)
radius = np.hypot(1 - paths[..., 0], paths[..., 1])
print("ends", paths[:, -1].round(4).tolist(), " radii", radius[:, 0].round(4).tolist())
np.testing.assert_allclose(radius, radius[:, :1].repeat(60, 1), atol=1e-6)
np.testing.assert_allclose(paths[0, -1], [1, np.hypot(0.3, 0.2)], atol=1e-6)

# %% alt="Streams on circles around tit for tat: in the blue zone towards cooperation, outside towards defection."
drawing.reactive_flow(donation, discount=1.0, paths=paths, caption="donation game, b = 3, c = 1; limit of means")

# %% [markdown]
# In Axelrod's game the same question has a famous answer. On the edge $p = 1$ more generosity pays up to
# $q = 1/3$, *generous tit for tat* (with a tremble of one in a thousand, to make every situation occur). Defection
# stays what it was: it comes back after every small disturbance, and no small mutant gains there.

# %%
rest = evolution.rest_points(axelrod, 2, discount=1.0, family=reactive_n, error=0.001, starts=4)
edge = rest.x[(rest.x[:, 0] == 1) & rest.free[:, 1]]
defection = np.flatnonzero((rest.x == 0).all(-1))
print("rest on the edge p = 1:", edge.round(4).tolist())
np.testing.assert_allclose(edge, [[1, 1 / 3]], atol=5e-4)
assert rest.convergence_stable[defection].all()
assert rest.evolutionarily_stable[defection].all()

# %% [markdown]
# ## 5. A hundred strategies, and neighbours
#
# Nowak and Sigmund drew 99 reactive strategies at random, added one that is nearly tit for tat, and let shares grow
# in proportion to payoffs. First the defectors win; when they have eaten up the gullible, tit for tat grows, and
# makes way for someone more generous. Of 40 such draws 29 end in cooperation after a thousand generations; without
# the one tit for tat, 2 do.

# %%
drawn = np.stack([evolution.random_reactive(seed) for seed in range(40)])
without = np.stack([evolution.random_reactive(seed, nearly_tit_for_tat=False) for seed in range(40)])
cooperate = [(evolution.succession(x, 1000).mean_payoff[:, -1] > 2.5).sum() for x in (drawn, without)]
print("of 40 draws cooperate: with tit for tat", cooperate[0], " without", cooperate[1])
assert cooperate == [29, 2]

# %% alt="Mean p and q fall, then p jumps to 1; beside it who leads: a defector, tit for tat, a generous one."
drawing.succession(evolution.succession(evolution.random_reactive(3), 1000), caption="seed 3; R 3, S 0, T 5, P 1")

# %% [markdown]
# Last, players who meet and imitate only their neighbours, once and without memory. Defection gets $b$ against a
# cooperator, who gets 1 from another one. On a ring, where all have four neighbours, cooperation is gone at $b =
# 1.4$. On a scale-free network, where a few have very many, at $b = 1.6$ more than two of three still cooperate
# (Santos and Pacheco 2005): a hub that cooperates is soon among cooperators.

# %% alt="Cooperation against temptation: on the scale-free network high throughout, on the ring zero from 1.4 on."
sizes = imitation.StudySize(nodes=600, runs=4, transient=800, measured=100)
temptations = np.array([1.05, 1.2, 1.4, 1.6, 1.8])
found = {kind: imitation.cooperation(kind, temptations, sizes) for kind in ("scale-free", "ring")}
figure, axes = plt.subplots(figsize=(3.4, 2.4))
for (kind, levels), colour in zip(found.items(), (style.BLUE, style.VERMILION), strict=True):
    axes.plot(temptations, levels, ".", color=colour)
    axes.plot(temptations, levels.mean(1), color=colour, label=kind)
axes.set(xlabel="temptation b", ylabel="share of cooperators", ylim=(-0.02, 1.02))
axes.legend()
plt.show()
assert found["ring"][0].mean() > 0.5
assert (found["ring"][2:] == 0).all()
assert found["scale-free"][3].mean() > 2 / 3

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Of two neutral types in a population of N, each takes over with probability 1/N. Check it, and find
# for which N a defector in a population of cooperators (one round of Axelrod's game, intensity 0.1) is the most
# favoured, as a multiple of 1/N, among N = 2, 5, 10, 50.

# %% tags=["solution"]
one_round = np.array([[1.0, 5.0], [0.0, 3.0]])  # strategy 0 defects
assert np.isclose(evolution.fixation_probability(np.ones((2, 2)), 10, 0.5), 0.1)
favour = {n: n * float(evolution.fixation_probability(one_round, n, 0.1)) for n in (2, 5, 10, 50)}
print(favour)
assert all(x > 1 for x in favour.values())
assert max(favour, key=favour.get) == 50

# %% [markdown]
# **Exercise 2.** In the replicator dynamics of section 2, start with 90 % defectors, and tit for tat and cooperators
# equal. Does cooperation return? And with 99 %? Find the share of defectors from which on it does not.

# %% tags=["solution"]


def ends(defectors: float) -> float:
    """The share of defectors in the end."""
    start = [(1 - defectors) / 2, (1 - defectors) / 2, defectors]
    return float(ipd.equilibria.replicator(A, start, np.linspace(0, 4000, 50))[-1, 2])


low, high = 0.5, 0.9999
for _ in range(12):
    middle = (low + high) / 2
    low, high = (low, middle) if ends(middle) > 0.5 else (middle, high)
print(f"up to {100 * low:.1f} % defectors")
assert ends(0.9) < 1e-3
assert 0.9 < low < 0.9999

# %% [markdown]
# **Exercise 3.** A rare mutation chain with two strategies: show that the shares are in the ratio of the fixation
# probabilities, for tit for tat and always defect over 100 rounds.

# %% tags=["solution"]
pair = A[np.ix_([0, 2], [0, 2])]
up = float(evolution.fixation_probability(pair, 50, 0.1))
down = float(evolution.fixation_probability(pair[::-1, ::-1], 50, 0.1))
shares_of_two = evolution.rare_mutation(pair, 50, 0.1)
assert np.isclose(shares_of_two[0] / shares_of_two[1], up / down)

# %% [markdown]
# ## Sources
#
# Taylor & Jonker 1978; Nowak & Sigmund, "The evolution of stochastic strategies in the prisoner's dilemma", 1990, and
# "Tit for tat in heterogeneous populations", 1992; Nowak, Sasaki, Taylor & Fudenberg, "Emergence of cooperation and
# evolutionary stability in finite populations", 2004; Fudenberg & Imhof, "Imitation processes with small mutations",
# 2006; Imhof, Fudenberg & Nowak, "Evolutionary cycles of cooperation and defection", 2005; Santos & Pacheco 2005.
