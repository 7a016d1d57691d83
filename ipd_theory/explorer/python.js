/* Snippets of Python that compute the numbers of a scene with the package. */
(function (E) {
  "use strict";

  const literal = (x) => (Number.isInteger(x) ? `${x}.0` : E.shortest(x)); // always a float

  /* The lines all snippets begin with: imports, float64, the game. */
  function opening(state, { imports = [], discount = state.discount } = {}) {
    return [
      ...["import jax", "import ipd_theory as ipd", ...imports].sort((a, b) => rank(a) - rank(b)), "",
      'jax.config.update("jax_enable_x64", True)',
      `game = ipd.games.symmetric_game(R=${state.R}, S=${state.S}, T=${state.T}, P=${state.P})`,
      `discount = ${literal(discount)}`,
    ];
  }
  const rank = (line) => ["import itertools", "import jax", "import jax.numpy", "import numpy", "import optax", "import ipd",
    "from jax", "from ipd"].reduce((found, start, i) => (line.startsWith(start) ? i : found), 0);

  const named = (text) => `ipd.strategies.named(${JSON.stringify(text)}, game=game, discount=discount)`;

  /* The lines all end with: the numbers in a dictionary, printed. */
  const closing = (entries) => [
    "numbers = {", ...Object.entries(entries).map(([name, value]) => `    ${JSON.stringify(name)}: ${value},`), "}",
    "for name, value in numbers.items():", "    print(name, value)", "",
  ];

  Object.assign(E, { snippet: { literal, opening, named, closing } });
})(globalThis.Explorer);
