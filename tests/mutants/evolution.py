"""Mutants of evolution: finite populations, replicator and adaptive dynamics, populations on networks."""

from tests.mutants import Mutant

BIRTH_DEATH, INVASIONS = "ipd_theory/evolution/birth_death.py", "ipd_theory/evolution/invasions.py"
INFINITE, HETEROGENEOUS = "ipd_theory/evolution/infinite.py", "ipd_theory/evolution/heterogeneous.py"

MUTANTS = (
    Mutant(
        "a mutant's payoff counts itself as its opponent",
        BIRTH_DEATH,
        "mine = ((i - 1) * a + (N - i) * b) / (N - 1)",
        "mine = (i * a + (N - i) * b) / N",
        "test_evolution.py",
    ),
    Mutant(
        "the mutant's fixation is the resident's",
        BIRTH_DEATH,
        "return np.log(fitness[1]) - np.log(fitness[0])",
        "return np.log(fitness[0]) - np.log(fitness[1])",
        "test_evolution.py",
    ),
    Mutant(
        "children of the other strategy are not counted",
        BIRTH_DEATH,
        "np.log((1 - mu) * same + mu * other)",
        "np.log((1 - mu) * same)",
        "test_evolution.py",
        "whole_chain",
    ),
    Mutant(
        "a player may imitate itself",
        BIRTH_DEATH,
        "np.log(i / (N - 1)), np.log((N - i) / (N - 1))",
        "np.log(i / N), np.log((N - i) / N)",
        "test_evolution.py",
        "whole_chain",
    ),
    Mutant(
        "detailed balance takes the way down from the state above itself",
        BIRTH_DEATH,
        "np.cumsum(up[..., :-1] - down[..., 1:], -1)",
        "np.cumsum(up[..., :-1] - down[..., :-1], -1)",
        "test_evolution.py",
        "whole_chain",
    ),
    Mutant(
        "rates go from column to row",
        INVASIONS,
        "return np.stack(rows, -2)",
        "return np.stack(rows, -1)",
        "test_evolution.py",
    ),
    Mutant(
        "children do not mutate",
        INFINITE,
        "return earned @ Q - x * earned.sum()",
        "return earned - x * earned.sum()",
        "test_evolution_infinite.py",
        "linear",
    ),
    Mutant(
        "mutants flow from column to row",
        INFINITE,
        "+ x @ Q - x",
        "+ Q @ x - x",
        "test_evolution_infinite.py",
        "linear",
    ),
    Mutant(
        "mutation goes to each of the others whole",
        INFINITE,
        "1 - given, given / (n - 1))",
        "1 - given, given)",
        "test_evolution_infinite.py",
        "come_alive",
    ),
    Mutant(
        "strategies grow by their payoff alone, not by share times payoff",
        INFINITE,
        "grown = now * (payoffs @ now[..., None])[..., 0]",
        "grown = (payoffs @ now[..., None])[..., 0]",
        "test_evolution_infinite.py",
        "fractions",
    ),
    Mutant(
        "the mean payoff is what the others earn from a strategy",
        HETEROGENEOUS,
        "pairs[..., 0]",
        "pairs[..., 1]",
        "test_evolution_infinite.py",
        "products",
    ),
)
