"""Good values for the walk over the learning room, and what is left out of it and why."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import ipd_theory as ipd
from ipd_theory.learning import bounds, meta_value, play, pool, rules, tournament, views
from tests.bad_input.sampling import Thunk

ZEROS = jnp.zeros(5)
GAME = ipd.prisoners_dilemma()


@functools.cache
def small_pool() -> pool.Pool:
    """Two agents, one learner, one inner step."""
    return pool.Pool(0.5, num_inner_episodes=1, num_learners=1)


@functools.cache
def pool_state() -> pool.PoolState:
    """Where it starts."""
    return pool.init(small_pool(), jax.random.key(0))


@functools.cache
def network() -> meta_value.MetaValueNetwork:
    """A small one that knows nothing."""
    return meta_value.MetaValueNetwork(meta_value.FitSettings(width=2, quantiles=2), False, jax.random.key(0))


@functools.cache
def played() -> tournament.Tournament:
    """Two rules that met once."""
    pair, logits = (rules.naive(), rules.naive()), jnp.zeros((2, 2, 5))
    return tournament.play_all(GAME, pair, logits, discount=0.9, optimizers=(optax.sgd(1.0),) * 2, steps=1)


@functools.cache
def table() -> tournament.MetaGame:
    """The game between them."""
    return tournament.meta_game(GAME, played())


@functools.cache
def solved() -> tournament.SolvedTournament:
    """A tournament of two rules and one step."""
    return tournament.tournament(GAME, ("naive", "lola"), discount=0.9, seeds=2, steps=1, tail=1)


@functools.cache
def learned() -> play.Learning:
    """One step of a pair."""
    pair, optimizers = (rules.naive(), rules.naive()), (optax.sgd(1.0), optax.sgd(1.0))
    return play.learn(GAME, pair, ZEROS, ZEROS, discount=0.9, optimizers=optimizers, steps=1)


def view() -> views.RepeatedGame:
    """The game from player 1's side."""
    return views.repeated_game(GAME, 0.9, np.dtype(float))


GOOD: dict[str, Thunk] = {
    "beta": lambda: 1.0,
    "beta_in": lambda: 1.0,
    "beta_out": lambda: 1.0,
    "learners": lambda: jnp.zeros((2, 5)),
    "meta_discount": lambda: 0.5,
    "num_look_aheads": lambda: 1,
    "num_steps": lambda: 2,
    "order": lambda: 1,
    "pool": small_pool,
    "rule": rules.naive,
    "state": pool_state,
    "table": table,
    "text": lambda: "naive",
    "view": view,
    "weights": lambda: (0.5, 0.5),
}
THREE: dict[str, Thunk] = {
    "game": lambda: ipd.games.public_goods(3, 2.0),
    "logits": lambda: jnp.zeros(9),
    "other_logits": lambda: jnp.ones(9),
    "more_logits": lambda: (jnp.zeros(9),),
}
BEST: dict[str, Thunk] = {
    "starts": lambda: 1,
    "seed": lambda: 0,
    "num_inner_episodes": lambda: 0,
    "learner": rules.still,
}
OWN: dict[str, dict[str, Thunk]] = {
    "learning.bounds.ceiling": {"num_inner_episodes": lambda: 1},
    "learning.bounds.ceilings": {"num_inner_episodes": lambda: 1},
    "learning.bounds.earned": {"num_inner_episodes": lambda: 0, "policies": lambda: jnp.full(5, 0.5)},
    "learning.bounds.efficiency": {"value": lambda: 0.5, "defection": lambda: 0.2, "bound": lambda: 1.0},
    "learning.bounds.fixed_policy": BEST,
    "learning.bounds.open_loop": BEST,
    "learning.bounds.sequence_from": {
        "fixed": lambda: bounds.Best(0.5, np.full(5, 0.5), np.zeros(1), np.zeros(1), np.full((1, 1, 5), 0.5)),
        "num_inner_episodes": lambda: 0,
        "learner": rules.still,
    },
    "learning.in_context.bayes_value": {"horizon": lambda: 2},
    "learning.in_context.bayes_player": {"horizon": lambda: 2},
    "learning.in_context.exploitation": {"horizon": lambda: 2},
    "learning.in_context.informed_value": {"horizon": lambda: 2, "opponents": lambda: jnp.full(5, 0.5)},
    "learning.in_context.policy_improvement": {"horizon": lambda: 2, "inverse_temperature": lambda: 1.0},
    "learning.learned_start.learn_start": {
        "learning_rates": lambda: (1.0, 1.0),
        "updates": lambda: 1,
        "num_opponents": lambda: 1,
        "opponents_mean": lambda: jnp.zeros(5),
        "opponents_spread": lambda: 1.0,
    },
    "learning.meta_value.fit_meta_value": {
        "opponent": rules.still,
        "settings": lambda: meta_value.FitSettings(rounds=1, steps=1, stride=1, pairs=1, width=2, quantiles=2),
    },
    "learning.meta_value.fitted_meta_value": {"network": network},
    "learning.play.describe_problems": {"problem": lambda: np.array([1]), "problem_step": lambda: np.array([3])},
    "learning.play.learn": {
        **THREE,
        "rules": lambda: (rules.naive(),) * 3,
        "optimizers": lambda: (optax.sgd(1.0),) * 3,
        "every": lambda: (1, 1, 1),
        "steps": lambda: 1,
    },
    "learning.play.direction": THREE,
    "learning.pool.Pool": {"p_naive": lambda: 0.5, "num_inner_episodes": lambda: 1, "num_learners": lambda: 1}
    | {name: lambda: jnp.ones(()) for name in ("shaping_weight",)}
    | {"inner_episodes": lambda: jnp.ones((), int), "tremble": lambda: jnp.zeros(())},
    "learning.pool.init": {"logits": lambda: jnp.zeros((2, 5))},
    "learning.pool.evaluate": {"logits": lambda: jnp.zeros((2, 5))},
    "learning.pool.naive_path": {
        "logits": lambda: jnp.zeros((2, 5)),
        "learner_logits": lambda: jnp.zeros((2, 1, 5)),
    },
    "learning.pool.train": {"num_steps": lambda: 1, "record_every": lambda: 1},
    "learning.pool_efficiency.shares_of": {
        **{"logits": lambda: jnp.zeros((2, 5)), "learners": lambda: jnp.zeros((2, 5))},
        **{"starts": lambda: 2, "steps": lambda: 1, "seed": lambda: 0},
    },
    "learning.rules.anticipation.path_gradient": {"learner": rules.naive},
    "learning.rules.base.ascent": {"name": lambda: "mine", "field": lambda: rules.gradients.naive_field},
    "learning.tournament_efficiency.against_naive": {
        **{"played": solved, "step": lambda: 5.0, "steps": lambda: 1, "tail": lambda: 1, "seed": lambda: 0},
        "every": lambda: (1, 1),
    },
    "learning.shaping.shaping_return": {
        **{name: thunk for name, thunk in THREE.items() if name in ("game", "logits")},
        "learner_logits": lambda: jnp.zeros(9),
        "more_learners": lambda: (jnp.zeros(9),),
        "num_inner_episodes": lambda: 1,
    },
    "learning.shaping.good_shepherd": {"learner_logits": lambda: jnp.zeros((2, 5)), "steps": lambda: 1},
    "learning.shaping.meta_mapg_return": {"learning_rates": lambda: (1.0, 1.0)},
    "learning.shaping.weighted_shaping_return": {"weights": lambda: jnp.ones(2), "learner": rules.naive},
    "learning.tournament.disowned_remarks": {"names": lambda: ("a", "b")},
    "learning.tournament.meta_game": {"tournament": played},
    "learning.tournament.play_all": {"logits": lambda: jnp.zeros((2, 2, 5)), "every": lambda: (1, 1)},
    "learning.tournament.tournament": {
        "entrants": lambda: ("naive", "sos"),
        "seeds": lambda: 2,
        "steps": lambda: 1,
        "tail": lambda: 1,
        "every": lambda: (1, 1),
    },
}


def _in(module: str, names: str, why: str) -> dict[str, str]:
    return {f"learning.{module}.{name}": why for name in names.split()}


FIELD = "a field: called by its rule inside compiled code, on a view that a door made"
PIECE = "a piece of compiled code, behind doors that check what they are given"
CHECK = "the check itself, shared by rooms, of what they were given"
MADE = "made by the function that checks its fields"
INSIDE = {
    **_in("batching", "side_by_side batched pairs_first over_pairs", PIECE),
    **_in("bounds", "largest_step", PIECE),
    **_in("bounds", "Best", "a result, made by the functions that find it"),
    **_in("in_context", "Exploitation Improvement", "results, made by the functions that compute them"),
    **_in("meta_value", "Dense NormalisedDense MetaValueNetwork begin improve", "made and called by `fit_meta_value`"),
    **_in("meta_value", "both_returns foresight quantile_loss lambda_targets", PIECE),
    **_in("naive_path", "cooperation naive_step naive_shaping_return naive_path_returns", PIECE),
    **_in("episodes", "flat mean_return every_return", PIECE),
    **_in("group_path", "group_shaping_return group_path_returns", PIECE),
    **_in("encounters", "meetings among_agents seated_with group_return", PIECE),
    **_in("views", "returns_of_all checked_last_axes", PIECE),
    **_in("optimizers", "checked_optimizer checked_optimizers", CHECK),
    **_in("optimizers", "Optimizer structure_of", "made and called by `checked_optimizer`"),
    **_in(
        "paths",
        "checkpointed_scan scale_gradient last_learner path_returns policies_returns path_returns_of_both",
        PIECE,
    ),
    **_in("play", "enter advance advance_in_turn facing", PIECE),
    **_in("play", "turns_of checked_players held_among_many", CHECK),
    **_in("pool", "objective advance against_naive episode_mean path_of_learners", PIECE),
    **_in("pool_efficiency", "ascended", PIECE),
    **_in("rules.anticipation", "hola_step hola_residual cola_solution", FIELD),
    **_in("rules.base", "Ascent Mixture OnSums Published", MADE),
    **_in("rules.base", "number checked_rule checked_rules distinct_rules", CHECK),
    **_in("rules.base", "nothing_wrong", PIECE),
    **_in("rules.gradients", "own_gradients naive_field look_ahead_field shaping_field solve", FIELD),
    **_in("rules.proximal", "bernoulli_kl", PIECE),
    **_in("rules.q_aware", "others_value_gaps alignment_term", FIELD),
    **_in("roles", "looks_the_same agents_payoffs opponents over_opponents against_copy against_others", PIECE),
    **_in("shaping", "returns_while_both_learn", PIECE),
    **_in("shaping", "checked_shaping_arguments checked_step", CHECK),
    **_in("views", "checked_logits", CHECK),
}
MEANT: dict[str, str] = {
    "learning.bounds.efficiency defection huge": "then there is nothing to be gained",
    "learning.learned_start.learn_start opponents_mean a number": "the mean of all five logits",
    "learning.meta_value.fit_meta_value opponent nothing": "both players then climb the value that is fitted",
    "learning.pool.Pool learn*_* a number": "a number is a setting of all pools",
    "learning.rules.base.ascent name *": "what a rule is called when it is printed",
    "learning.rules.anticipation.path_gradient weights another last axis": "a path of another length",
    "learning.shaping.weighted_shaping_return weights another last axis": "a path of another length",
    "learning.tournament.tournament every nothing": "all then move always",
}
