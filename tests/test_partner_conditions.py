"""Derived conditions against published ones, and against best replies of random strategies in random games."""

import json

import numpy as np
import pytest
import sympy

import ipd_theory as ipd
from ipd_theory import cli, partner_conditions, replies, strategies, symbolic

b, c = sympy.symbols("b c")
DONATION = (b - c, -c, b, 0)


def as_bounds(memory: int, family: partner_conditions.Family, payoffs: object) -> set[tuple[sympy.Expr, sympy.Expr]]:
    found = partner_conditions.conditions(memory, family, payoffs)
    return {(sympy.expand(x.inequality.lhs), sympy.expand(x.inequality.rhs)) for x in found}


def mean(*names: str) -> sympy.Expr:
    return sympy.expand(sum(map(sympy.Symbol, names)) / len(names))


def test_the_donation_game_as_published() -> None:
    """Glynatsi, Akin, Nowak & Hilbe 2024: reactive-1 to -3, and counting."""
    assert as_bounds(1, "reactive", DONATION) == {(mean("p_D"), 1 - c / b)}
    assert as_bounds(2, "reactive", DONATION) == {(mean("p_CD", "p_DC"), 1 - c / (2 * b)), (mean("p_DD"), 1 - c / b)}
    assert as_bounds(3, "reactive", DONATION) == {
        (mean("p_DDD"), 1 - c / b),
        (mean("p_CDC", "p_DCD"), 1 - c / (2 * b)),
        (mean("p_CCD", "p_CDC", "p_DCC"), 1 - c / (3 * b)),
        (mean("p_CDD", "p_DCD", "p_DDC"), 1 - 2 * c / (3 * b)),
        (mean("p_CCD", "p_CDD", "p_DCC", "p_DDC"), 1 - c / (2 * b)),
    }
    for n in (1, 2, 3):
        wanted = {(mean(f"r_{n - k}"), 1 - sympy.Rational(k, n) * c / b) for k in range(1, n + 1)}
        assert as_bounds(n, "counting", DONATION) == wanted


def test_reactive_one_in_any_game_is_nowak_and_sigmunds_edge() -> None:
    R, S, T, P = symbolic.PAYOFFS
    found = {x.cycle: x.inequality for x in partner_conditions.conditions(1)}
    assert sympy.simplify(found["D"].rhs - (R - P) / (T - P)) == 0
    assert sympy.simplify(found["CD"].rhs - (1 - (T - R) / (R - S))) == 0


@pytest.mark.parametrize(("memory", "family"), [(1, "reactive"), (2, "reactive"), (3, "reactive"), (3, "counting")])
def test_they_say_what_best_replies_say(
    rng: np.random.Generator, memory: int, family: partner_conditions.Family
) -> None:
    """In random games, for probabilities drawn so that about half of the strategies are partners."""
    payoffs = np.sort(rng.integers(-5, 9, (12, 4)), 1) + np.arange(4)  # S < P < R < T
    S, P, R, T = payoffs.T.astype(float)
    partners, said = [], []
    for i in range(len(payoffs)):
        size = 2**memory if family == "reactive" else memory + 1
        table = rng.random((20, size)) * rng.random((20, 1))
        table[:, 0 if family == "reactive" else -1] = 1.0
        found = partner_conditions.conditions(memory, family, tuple(int(x[i]) for x in (R, S, T, P)))
        words = [format(k, f"0{memory}b").replace("0", "C").replace("1", "D") for k in range(size)]
        names = [f"p_{word}" for word in words] if family == "reactive" else [f"r_{k}" for k in range(size)]
        for row in table:
            values = dict(zip(names, row, strict=True))
            said.append(all(bool(x.inequality.subs(values)) for x in found))
        made = (strategies.reactive_n if family == "reactive" else strategies.counting_n)(table)
        game = ipd.games.symmetric_game(R=R[i], S=S[i], T=T[i], P=P[i])
        partners.extend(np.asarray(replies.is_partner(game, made)).tolist())
    assert said == partners
    assert 20 < sum(said) < 220


def test_the_command_in_words_latex_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["derive", "partner", "--memory", "2", "--payoffs", "b-c,-c,b,0"])
    assert "p_DD <= 1 - c/b    (against D)" in capsys.readouterr().out
    cli.main(["derive", "partner", "--memory", "1", "--latex"])
    assert r"p_{D} \leq \frac{P - R}{P - T}" in capsys.readouterr().out
    cli.main(["derive", "partner", "--memory", "3", "--family", "counting", "--payoffs", "3,0,5,1", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert {x["cycle"]: x["inequality"] for x in said["conditions"]}["CDD"] == "r_1 <= 7/11"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"memory": 4}, "memory must be 1, 2 or 3; got 4"),
        ({"memory": 2, "family": "x"}, "family must be one of 'reactive', 'counting'; got 'x'"),
        ({"memory": 2, "payoffs": (3, 0, 5)}, "payoffs has 3 entries"),
        ({"memory": 2, "payoffs": (5, 0, 3, 1)}, "payoffs must have T > R"),
    ],
)
def test_bad_input_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        partner_conditions.conditions(**arguments)
