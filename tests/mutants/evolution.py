"""Mutants of evolution: finite populations, replicator and adaptive dynamics, populations on networks."""

from tests.mutants import Mutant

BIRTH_DEATH, INVASIONS = "ipd_theory/evolution/birth_death.py", "ipd_theory/evolution/invasions.py"

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
)
