"""`ipd-theory derive`: what it prints, read back, has the engine's values; bad input ends in one line."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

import ipd_theory as ipd
from ipd_theory import cli, symbolic
from ipd_theory.commands.derive import derive

P, Q = (0.3, 0.9, 0.2, 0.6, 0.1), (0.8, 0.7, 0.4, 0.5, 0.25)
POINT = {
    **dict(zip(map(str, symbolic.P_SYMBOLS), P, strict=True)),
    **dict(zip(map(str, symbolic.Q_SYMBOLS), Q, strict=True)),
    "γ": 0.9,
    **{"R": 1.0, "S": -1.0, "T": 2.0, "P": 0.0},
}


def derived(capsys: pytest.CaptureFixture[str], quantity: str, **options: object) -> dict[str, float]:
    """Run the command with --json and evaluate each printed expression at `POINT`."""
    derive(quantity, json=True, **options)
    printed = json.loads(capsys.readouterr().out)
    assert printed["quantity"] == quantity
    symbols = {name: sympy.Symbol(name) for name in POINT}
    values = {}
    for name, entry in printed["entries"].items():
        expression = sympy.sympify(entry["expression"], locals=symbols)
        assert entry["latex"].count("{") == entry["latex"].count("}")
        values[name] = float(symbolic.evaluated(expression).subs({symbols[x]: v for x, v in POINT.items()}))
    return values


def test_return_and_occupancy(capsys: pytest.CaptureFixture[str]) -> None:
    """All symbols (determinants), one named strategy, and numbers only; both players."""
    game = ipd.prisoners_dilemma()
    for q_text, q in ((None, Q), ("TFT", ipd.strategies.tit_for_tat()), ("wsls", (1.0, 1, 0, 0, 1))):
        for discount_text, discount in ((None, 0.9), ("1", 1.0), ("24/25", 0.96)):
            expected = ipd.expected_returns(game, jnp.asarray(P), jnp.asarray(q), discount=discount)
            for player in (1, 2):
                values = derived(capsys, "return", q=q_text, discount=discount_text, player=player)
                np.testing.assert_allclose(list(values.values()), [expected[player - 1]], rtol=1e-12)
    values = derived(capsys, "occupancy", p="1,1/2,0.25,0,1", q="grim")
    table = jnp.array([1, 0.5, 0.25, 0, 1])
    expected = ipd.state_occupancy(table, ipd.strategies.grim(), discount=0.9)
    assert list(values) == ["v_CC", "v_CD", "v_DC", "v_DD"]
    np.testing.assert_allclose(list(values.values()), expected, rtol=1e-12)


def test_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    game, p, q = ipd.prisoners_dilemma(), jnp.asarray(P), jnp.asarray(Q)
    for player, wrt in ((1, "p"), (1, "q"), (2, "p")):
        values = derived(capsys, "gradient", player=player, wrt=wrt)
        expected = ipd.return_gradient(game, p, q, discount=0.9, player=player - 1, wrt="pq".index(wrt))
        assert list(values) == [f"∂J{' ₁₂'[player]}/∂{wrt}_{i}" for i in range(5)]
        np.testing.assert_allclose(list(values.values()), expected, rtol=1e-11)


def test_hessian(capsys: pytest.CaptureFixture[str]) -> None:
    game = ipd.prisoners_dilemma()

    def total(x: jax.Array) -> jax.Array:
        return ipd.expected_returns(game, x[:5], x[5:], discount=0.9)[0]

    numbers = {"discount": "0.9", "payoffs": "1,-1,2,0", "q": "0.8,0.7,0.4,0.5,0.25"}
    expected = jax.jit(jax.hessian(total))(jnp.asarray(P + Q))
    upper = [expected[i, j] for i in range(5) for j in range(i, 5)]
    np.testing.assert_allclose(list(derived(capsys, "hessian", **numbers).values()), upper, atol=1e-11)
    mixed = derived(capsys, "hessian", wrt="pq", p="0.3,0.9,0.2,0.6,0.1", **numbers)
    assert list(mixed)[:2] == ["∂²J₁/∂p_0∂q_0", "∂²J₁/∂p_0∂q_1"]
    np.testing.assert_allclose(list(mixed.values()), expected[:5, 5:].reshape(-1), atol=1e-11)


def test_text_and_latex(capsys: pytest.CaptureFixture[str]) -> None:
    """A symbol of one's own, the columns of the determinants, and a derivative that does not exist."""
    derive("return", p="a,a,a,a,a", q="ALLC", payoffs="1,0,2,0")
    assert capsys.readouterr().out.strip() == "J₁ = 2 - a"
    derive("return", p="a,a,a,a,a", q="ALLC", payoffs="1,0,2,0", latex=True)
    assert capsys.readouterr().out == "J_1 = 2 - a\n"
    derive("gradient")
    text = capsys.readouterr().out
    assert "|c p̃ q̃ e_CC|" in text
    assert "columns of the determinants" in text
    derive("gradient", latex=True)
    text = capsys.readouterr().out
    assert r"\frac{\partial J_1}{\partial p_4} = " in text
    assert r"\tilde q = \left[\begin{matrix}" in text
    derive("gradient", p="TFT", q="TFT", discount="1")
    assert "∂J₁/∂p_1 does not exist" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["return", "--q", "FOO"], "--q: strategy 'FOO' is not known"),
        (["return", "--p", "1,1,1"], "--p '1,1,1' has 3 entries; it must have 5"),
        (["return", "--p", "1,1,1,1,1.5"], "p holds 3/2; every number in it must lie in [0, 1]"),
        (["return", "--p", "1,1,1,1,1+a"], "holds '1+a'"),
        (["return", "--discount", "1.1"], "discount holds 11/10"),
        (["return", "--payoffs", "1,2"], "--payoffs '1,2' has 2 entries"),
        (["return", "--p", "1,1,0,1,1/0"], "--p holds '1/0', which divides by zero"),
        (["return", "--discount", "1e999999999"], "--discount holds '1e999999999', which is not a number"),
        (["return", "--payoffs", "nan,1,2,3"], "--payoffs holds 'nan', which cannot name a symbol"),
        (["gradient", "--wrt", "pq"], "--wrt pq is for the Hessian"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ipd-theory", "derive", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert message in captured.err
    assert captured.err.count("\n") == 1
