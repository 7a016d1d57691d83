/* Scene (c): where a pool leaves unconditional defection, and what becomes of the agents of one cell. */
(function (E) {
  "use strict";

  const { say, number } = E;
  const SIZE = 100, TRAINING = 500, STEP = 0.1;
  const PLOT = { left: 52, bottom: 44, right: 12, top: 10 };
  /* What may go up: the field, its range, and whether in equal ratios. */
  const UP = {
    batch: { field: "batch", low: 1, high: 16, log: true },
    tremble: { field: "tremble", low: 0, high: 0.25 },
    discount: { field: "discount", low: 0, high: 0.99 },
    rate: { field: "rate", low: 0.1, high: 20, log: true },
    episodes: { field: "episodes", low: 0, high: 40, whole: true },
  };

  E.field("axis", "choice", "batch", { among: Object.keys(UP) });
  E.field("share", "number", 0.25, { low: 0, high: 1 });
  E.field("batch", "number", 1, { low: 1, high: 16 });
  E.field("tremble", "number", 0.02, { low: 0, high: 0.25 });
  E.field("episodes", "number", 20, { low: 0, high: 40, whole: true });

  const settingsOf = (state) => ({ discount: E.learnersDiscount(state), rate: state.rate, steps: state.episodes, error: state.tremble });

  function at({ low, high, log, whole }, t) {
    const x = log ? low * (high / low) ** t : low + t * (high - low);
    return whole ? Math.round(x) : x;
  }
  const place = ({ low, high, log }, x) => (log ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low));

  function trained(state) {
    const step = E.trainer(E.game(state), settingsOf(state), state, STEP);
    let table = null;
    for (let i = 0; i < TRAINING; i++) table = step();
    return table;
  }

  /* What agents alike earn from each other, and from the learners. */
  function earned(state, table) {
    const game = E.game(state), played = E.tremble(table, state.tremble), settings = settingsOf(state);
    return { among: E.returns(game, played, played, settings.discount)[0], naive: E.parts(game, table, settings).value };
  }

  function numbers(state) {
    const drift = E.drift(E.game(state), settingsOf(state)), table = trained(state);
    return { drift: E.ofPool(drift, state.share, state.batch), critical: E.criticalShare(drift, state.batch),
      agents: table, ...earned(state, table) };
  }

  function python(state) {
    const { literal } = E.snippet;
    return [
      ...E.snippet.opening(state, {
        discount: E.learnersDiscount(state),
        imports: ["import itertools", "import jax.numpy as jnp", "import numpy as np", "import optax", "from jax.scipy.special import logit",
          "from ipd_theory.learning.naive_path import naive_shaping_return", "from ipd_theory.phases.drift import defection_drift"],
      }),
      `share, batch, tremble = ${literal(state.share)}, ${literal(state.batch)}, ${literal(state.tremble)}`,
      `rate, episodes = ${literal(state.rate)}, ${state.episodes}`,
      "learners = jnp.array([[*x, np.prod(x)] for x in itertools.product([1.0, -1.0], repeat=4)])",
      "drift = defection_drift(",
      "    game, learners, discount=discount, learning_rate=rate, num_inner_episodes=episodes, tremble=tremble", ")",
      "", "def against_naive(x, weight):", '    """Mean return against the learners; `weight` is on what passes through their steps."""',
      "    settings = jnp.array(1 - discount), jnp.array(rate), episodes",
      "    more = {\"tremble\": jnp.array(tremble), \"shaping_weight\": jnp.array(weight)}",
      "    return naive_shaping_return(x, learners, game.outcome_payoffs, *settings, **more).mean()",
      "", "def among_agents(x, other):",
      "    p, q = (ipd.strategies.tremble(jax.nn.sigmoid(y), tremble) for y in (x, other))",
      "    return ipd.expected_returns(game, p, q, discount=discount)[0]",
      "", `optimizer = optax.adam(${STEP})`, "", "def loss(x, other):",
      "    return -(share * against_naive(x, 1 / batch) + (1 - share) * among_agents(x, other))",
      "", "def train(state, _):", "    x, memory = state",
      "    change, memory = optimizer.update(jax.grad(loss)(x, x), memory)",
      "    return (x + change, memory), None",
      "", "x = logit(jnp.full(5, 0.01))",
      `(x, _), _ = jax.jit(lambda state: jax.lax.scan(train, state, length=${TRAINING}))((x, optimizer.init(x)))`,
      ...E.snippet.closing({
        drift: "drift.of_pool(share, batch)", critical: "drift.critical_p_naive(batch)", agents: "jax.nn.sigmoid(x)",
        among: "among_agents(x, x)", naive: "against_naive(x, 1.0)",
      }),
    ].join("\n");
  }

  const upSlider = (name) => E.fieldSlider(name, say(`scenes.map.${name}`), { ...UP[name],
    ...(UP[name].whole ? { step: 1, show: (x) => number(x, 0) } : {}), ...(name === "batch" ? { show: (x) => number(x, 1) } : {}),
    ...(name === "tremble" ? { step: 0.005, show: (x) => number(x, 3) } : {}) });

  function build(open, controls, figures) {
    open.controls = [
      E.group(say("scenes.map.cell"),
        E.fieldSlider("share", say("scenes.map.share"), { step: 0.01 }), ...["batch", "tremble", "rate", "episodes"].map(upSlider)),
      E.group(say("scenes.map.picture"), E.select({ label: say("scenes.map.up"), options: Object.keys(UP).map((x) => [x, say(`scenes.map.${x}`)]),
        get: (state) => state.axis, set: (axis) => ({ axis }) })),
      E.settings({ most: 0.999, error: false }),
    ];
    open.canvas = E.el("canvas", { width: SIZE, height: SIZE, "aria-hidden": "true" });
    open.image = open.canvas.getContext("2d");
    open.pixels = open.image.createImageData(SIZE, SIZE);
    const overlay = E.svg("svg", { viewBox: "0 0 360 340", role: "img" });
    const host = E.el("div", { class: "map" }, open.canvas, overlay);
    open.map = E.figure(say("scenes.map.figure"), { width: 360, height: 340, host });
    open.overlay = overlay;
    const pick = (event) => {
      const box = overlay.getBoundingClientRect(), { left, w, top, h } = open.axes;
      const x = (((event.clientX - box.left) / box.width) * 360 - left) / w, y = 1 - (((event.clientY - box.top) / box.height) * 340 - top) / h;
      const up = UP[E.state.axis], hold = (t) => Math.min(1, Math.max(0, (Math.floor(t * SIZE) + 0.5) / SIZE));
      E.change({ share: Number(hold(x).toFixed(3)), [up.field]: Number(at(up, hold(y)).toPrecision(4)) });
    };
    overlay.addEventListener("pointerdown", (event) => { overlay.setPointerCapture(event.pointerId); pick(event); });
    overlay.addEventListener("pointermove", (event) => { if (event.buttons) pick(event); });
    open.path = E.figure(say("scenes.map.training"), { height: 260 });
    open.agents = E.button(say("scenes.map.open"), () => {
      const text = (open.found || trained(E.state)).map((x) => Number(x.toFixed(4))).join(",");
      E.go("pair", { p: text, q: text, discount: E.learnersDiscount(E.state), error: E.state.tremble });
    }, { class: "main" });
    open.path.node.append(E.el("div", { class: "buttons" }, open.agents));
    figures.append(open.map.node, open.path.node);
    open.map.key(E.entry(E.svg("rect", { x: 1, y: 1, width: 22, height: 14, class: "key-leaves" }), say("scenes.map.leaves")),
      E.entry([E.svg("rect", { x: 1, y: 1, width: 22, height: 14, class: "key-holds" }), E.svg("path", { d: "M3 13L12 2M12 14L21 3", class: "key-hatch" })], say("scenes.map.holds")),
      E.entry([E.svg("rect", { x: 1, y: 1, width: 22, height: 14, class: "key-other" }), E.svg("circle", { cx: 12, cy: 8, r: 3, class: "key-dot" })], say("scenes.map.other")),
      E.markEntry("disc", "mark-cell", say("scenes.map.here")));
    open.leave = () => cancelAnimationFrame(open.working);
  }

  const rgb = (name) => {
    const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
  };

  /* Fill the picture; returns the critical share of each row. A cell is told by colour and by texture. */
  function paint(open, state) {
    const game = E.game(state), up = UP[state.axis], { data } = open.pixels, critical = [];
    const [leaves, holds, hatch, other, dotted] = ["--map-leaves", "--map-holds", "--map-hatch", "--map-other", "--map-dot"].map(rgb);
    const fixed = state.axis === "batch" ? E.drift(game, settingsOf(state)) : null;
    for (let row = 0; row < SIZE; row++) {
      const value = at(up, (row + 0.5) / SIZE), here = { ...state, [up.field]: value };
      const { current, shaping, among } = fixed || E.drift(game, settingsOf(here)), B = here.batch;
      critical.push(E.criticalShare({ current, shaping, among }, B));
      for (let column = 0; column < SIZE; column++) {
        const share = (column + 0.5) / SIZE;
        const slope = (s) => share * (current[s] + shaping[s] / B) + (1 - share) * among[s];
        let colour = leaves;
        if (!(slope(3) > 0)) {
          const elsewhere = slope(0) > 0 || slope(1) > 0 || slope(2) > 0 || slope(4) > 0;
          colour = elsewhere ? (row % 4 < 2 && column % 4 < 2 ? dotted : other) : (row + column) % 6 < 1 ? hatch : holds;
        }
        const i = 4 * ((SIZE - 1 - row) * SIZE + column);
        data[i] = colour[0]; data[i + 1] = colour[1]; data[i + 2] = colour[2]; data[i + 3] = 255;
      }
    }
    open.image.putImageData(open.pixels, 0, 0);
    return critical;
  }
  E.paintMap = paint;

  function draw(state, open) {
    const up = UP[state.axis], critical = paint(open, state), { svg } = E;
    const shown = up.log ? [1, 2, 4, 8, 16].filter((x) => x >= up.low && x <= up.high) : null;
    const made = E.axes({ width: 360, height: 340 }, { ...PLOT, x: [0, 1], y: [0, 1], xLabel: say("scenes.map.share"),
      yLabel: say(`scenes.map.${state.axis}`), yTicks: [] });
    open.axes = made;
    const marks = (shown || E.ticks(up.low, up.high)).map((x) => svg("g", { class: "axes" },
      svg("line", { x1: made.left - 4, x2: made.left, y1: made.py(place(up, x)), y2: made.py(place(up, x)), class: "axis" }),
      svg("text", { x: made.left - 7, y: made.py(place(up, x)) + 4, "text-anchor": "end" }, String(x))));
    const x = made.px(state.share), y = made.py(Math.min(1, Math.max(0, place(up, state[up.field]))));
    open.overlay.replaceChildren(made.nodes, ...marks, svg("path", { d: `M${x} ${made.top}V${made.top + made.h}M${made.left} ${y}H${made.left + made.w}`, class: "crosshair" }),
      E.marker("disc", x, y, "mark-cell"));
    open.overlay.setAttribute("aria-label", say("scenes.map.figure"));
    const drift = E.drift(E.game(state), settingsOf(state)), g = E.ofPool(drift, state.share, state.batch);
    open.map.table([say(`scenes.map.${state.axis}`), say("scenes.map.threshold")], critical.map((share, row) => [row, share])
      .filter(([row]) => row % 5 === 2).map(([row, share]) => [String(Number(at(up, (row + 0.5) / SIZE).toPrecision(3))), number(share, 4)]));
    return { answer: [stability(g, E.criticalShare(drift, state.batch)), training(open, state)].join(" ") };
  }

  function stability(g, critical) {
    const where = E.CONTEXTS.filter((_, s) => g[s] > 0);
    const limit = critical <= 1 ? say("scenes.map.critical", { share: number(critical) }) : say("scenes.map.never");
    if (where.length === 0) return `${say("scenes.map.stable")} ${limit}`;
    return `${say("scenes.map.unstable", { where: where.map((c) => say(`contexts.${c}`)).join(", ") })} ${limit}`;
  }

  /* The words on this cell's agents; where its settings are new, training begins, a little in each frame. */
  function training(open, state) {
    const key = [...E.scene("map").fields.filter((name) => name !== "axis").map((name) => state[name])].join(" ");
    if (key !== open.key) {
      open.key = key;
      open.found = null;
      cancelAnimationFrame(open.working);
      work(open, state, key);
    }
    if (!open.found) return say("scenes.map.working");
    const { among, naive } = open.earned, u = (x) => (x - state.P) / (state.R - state.P);
    const what = u(among) >= 2 / 3 ? "cooperate" : u(among) <= 1 / 3 ? (u(naive) >= 2 / 3 ? "extort" : "defect") : "between";
    return say("scenes.map.trained", { among: number(among), naive: number(naive), what: say(`scenes.map.${what}`) });
  }

  function work(open, state, key) {
    const step = E.trainer(E.game(state), settingsOf(state), state, STEP), path = [];
    const rest = performance.now() + 250; // sliders first
    const slice = () => {
      const now = performance.now();
      if (now > rest) {
        while (path.length < TRAINING && performance.now() - now < 12) path.push(step());
        if (path.length === TRAINING && open.key === key) {
          open.found = path[TRAINING - 1];
          open.earned = earned(state, open.found);
          const shown = path.map((table, i) => [i + 1, table]).filter(([i]) => i % 5 === 0);
          E.chances(open.path, say("scenes.map.step"), TRAINING, shown, 25);
          E.update();
          return;
        }
      }
      open.working = requestAnimationFrame(slice);
    };
    open.working = requestAnimationFrame(slice);
  }

  E.scenes.push({ id: "map", numbers, python, build, draw,
    fields: ["axis", "share", "batch", "tremble", "rate", "episodes", "discount", "R", "S", "T", "P"] });
})(globalThis.Explorer);
