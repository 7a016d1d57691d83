"""Rules by name: what is written is what enters, and what its own reports disown is in no equilibrium."""

import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.learning import rules
from ipd_theory.learning.rules import entrants
from ipd_theory.learning.rules.base import Problem
from ipd_theory.learning.tournament import (
    Entrant,
    MetaGame,
    Tournament,
    disowned_remarks,
    meta_game,
    nash_equilibria,
    survivors,
    tournament,
)

GAME = ipd.prisoners_dilemma()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("naive", rules.naive()),
        ("lola", rules.lola_with_look_ahead(20.0)),  # a step of 1 on sums, at γ 0.95
        ("lola(2.5)", rules.lola_with_look_ahead(2.5)),
        ("lola-dice( 3 , 5 )", rules.lola_dice(3, 5.0)),
        ("lola-dice(3)", rules.lola_dice(3, 6.0)),
        ("loqa", rules.loqa(1.0)),
        ("advantage-alignment", rules.advantage_alignment(1.0)),
        ("coala", rules.coala(20, 5.0)),
        ("meta-value(10, 5, 0.9)", rules.meta_value(10, 5.0, 0.9)),
        ("sga()", rules.sga()),
    ],
)
def test_a_name_with_arguments_is_the_rule_at_those_and_the_published_ones(text, rule):
    entered = entrants.entrant(text, 0.95)
    assert entered.name == text
    a, b = np.asarray(list(entered.rule.numbers.values()), float), np.asarray(list(rule.numbers.values()), float)
    np.testing.assert_allclose(a, b, rtol=1e-12)
    assert entered.rule.choices == rule.choices
    assert entered.rule.name == rule.name


@pytest.mark.parametrize("name", entrants.names())
def test_every_name_is_a_rule_at_its_published_settings(name):
    assert isinstance(entrants.entrant(name, 0.9).rule, rules.Rule)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "is no rule; the rules are advantage-alignment, cgd, .* sos, symplectic-surgery, or NAME"),
        (
            "Lolla(20)",
            r"is no rule; .*symplectic-surgery, or NAME\(argument, …\), FILE.py:NAME\(…\); did you mean lola\?",
        ),
        ("lola(", "is no rule"),
        ("lola(x)", "finite number; got 'x'"),
        ("lola(nan)", "finite number"),
        ("lola(-1)", "step must be .* at least 0; got -1"),
        ("lola(1, 2)", "takes 1 arguments or fewer; got 2"),
        ("meta-value(2, 1, 1.5)", "meta_discount"),
    ],
)
def test_what_is_no_rule_is_one_clear_error(text, message):
    with pytest.raises(ValueError, match=message):
        entrants.entrant(text, 0.9)


def test_without_discounting_a_step_on_sums_has_to_be_written():
    with pytest.raises(ValueError, match="at discount 1"):
        entrants.entrant("lola", 1.0)
    assert entrants.entrant("lola(3)", 1.0).rule == rules.lola_with_look_ahead(3.0)


def table_of(problem):
    """Three rules of which the last would win, and what each reported in each of its pairs."""
    scores = jnp.broadcast_to(jnp.array([[0.0, 0, 0], [0, 1.0, 0], [9.0, 9, 9]])[None, :, :, None], (2, 3, 3, 2))
    nothing = jnp.zeros_like(scores)
    return meta_game(GAME, Tournament(scores, nothing, problem, problem, nothing))


def test_a_rule_that_its_reports_disown_is_in_no_equilibrium():
    problem = np.zeros((2, 3, 3, 2), int)
    problem[:, 2] = Problem.UNCONVERGED
    problem[:, 1, :1] = Problem.NOT_FINITE  # in a third of its pairs
    problem[:, 0] = Problem.SINGULAR  # has a remedy of its own
    table = table_of(problem)
    np.testing.assert_array_equal(table.disowned, [False, False, True])
    found = nash_equilibria(table)
    assert len(found) == 2  # of the coordination between the first two
    assert all(e.row[2] == e.column[2] == 0 for e in found)
    np.testing.assert_allclose(survivors(table), [0, 1, 0], atol=1e-6)
    assert list(disowned_remarks(("a", "b", "c"), table)) == ["c"]
    whole = table_of(np.zeros_like(problem))
    assert [e.row.tolist() for e in nash_equilibria(whole)] == [[0, 0, 1]]
    nobody = MetaGame(*whole[:4], np.ones(3, bool))
    assert nash_equilibria(nobody) == []
    np.testing.assert_array_equal(survivors(nobody), 0)


def test_a_tournament_in_one_call():
    settings = {"seeds": 2, "steps": 3, "tail": 1, "discount": 0.9}
    own = Entrant("mine", rules.cola(1e5))
    played = tournament(GAME, ("naive", own), **settings)
    assert [e.name for e in played.entrants] == ["naive", "mine"]
    np.testing.assert_array_equal(played.table.disowned, [False, True])
    assert played.problems["mine"][0].startswith("unconverged in 8 of 8 pairs")
    assert [e.row.tolist() for e in played.equilibria] == [[1, 0]]
    np.testing.assert_array_equal(played.survivors, [1, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": -1.0}, "step"),
        ({"step": float("nan")}, "step"),
        ({"step": float("inf")}, "step"),
        ({"seeds": 0}, "seeds"),
        ({"tail": 4}, "tail"),
        ({"every": (1,)}, "every"),
        ({"discount": 1.5}, "discount"),
        ({"entrants": ()}, "entrants"),
        ({"entrants": ("naive", "naive")}, "each once"),
    ],
)
def test_bad_settings_of_a_tournament_are_one_clear_error(change, message):
    settings = {"entrants": ("naive", "lola(1)"), "seeds": 2, "steps": 3, "tail": 1} | change
    with pytest.raises(ValueError, match=message):
        tournament(GAME, settings.pop("entrants"), **settings)
