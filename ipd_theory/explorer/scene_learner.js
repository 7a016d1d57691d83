/* Scene (b): a learner walks through policy space against a fixed strategy; first predicted, then revealed. */
(function (E) {
  "use strict";

  const { say, number, cell } = E;
  const MOST = 0.999; // at 1 a learner's gradient may be infinite

  E.field("me", "strategy", "EXTORT(3)");
  E.field("rule", "choice", "naive", { among: ["naive", "lola"] });
  E.field("ahead", "number", 1, { low: 0, high: 5 });
  E.field("rate", "number", 5, { low: 0.1, high: 20 });
  E.field("steps", "number", 60, { low: 1, high: 200, whole: true });
  E.field("first", "number", 0.5, { low: 0.01, high: 0.99 });
  E.field("guess", "number", 0, { low: -10, high: 10 });
  E.field("seen", "choice", "no", { among: ["no", "yes"] });
  E.field("across", "choice", "CC", { among: E.CONTEXTS });
  E.field("up", "choice", "CD", { among: E.CONTEXTS });

  const discountOf = (state) => Math.min(state.discount, MOST);
  E.learnersDiscount = discountOf;

  function walked(state) {
    const game = E.game(state), discount = discountOf(state), ego = E.table(state.me, game, discount);
    if (!ego) return null;
    const ahead = state.rule === "lola" ? state.ahead : 0;
    return E.walk(game, ego, new Array(5).fill(state.first), { discount, rate: state.rate, steps: state.steps, ahead });
  }

  function numbers(state) {
    const found = walked(state);
    return found && { earned: found.earned, last: found.tables[state.steps] };
  }

  function python(state) {
    const { literal } = E.snippet;
    const rule = state.rule === "lola" ? `rules.lola_with_look_ahead(${literal(state.ahead)})` : "rules.naive()";
    return [
      ...E.snippet.opening(state, {
        discount: discountOf(state),
        imports: ["import jax.numpy as jnp", "import numpy as np", "from jax.scipy.special import logit",
          "from ipd_theory.learning import rules, views"],
      }),
      `x = jnp.clip(logit(${E.snippet.named(state.me)}), -40, 40)  # the fixed strategy's logits`,
      `y = logit(jnp.full(5, ${literal(state.first)}))  # the learner's`,
      `rule, rate, steps = ${rule}, ${literal(state.rate)}, ${state.steps}`,
      "view = views.repeated_game(game, discount, np.dtype(float)).swapped()  # the learner's side",
      "", "@jax.jit", "def step(state, _):", "    y, memory = state",
      "    direction, memory, _ = rule.update(view, y, x, memory)",
      "    return (y + rate * direction, memory), (jax.nn.sigmoid(y), jnp.stack([view.other(y, x), view.own(y, x)]))",
      "", "_, (tables, earned) = jax.lax.scan(step, (y, rule.init(y, x)), length=steps + 1)",
      ...E.snippet.closing({ earned: "earned", last: "tables[-1]" }),
    ].join("\n");
  }

  function build(open, controls, figures) {
    const lola = E.fieldSlider("ahead", say("scenes.learner.ahead"));
    const onlyLola = { node: lola.node, refresh(state) { lola.node.hidden = state.rule !== "lola"; lola.refresh(state); } };
    open.controls = [
      E.strategy("me", say("scenes.learner.me")),
      E.group(say("scenes.learner.learner"),
        E.select({ label: say("scenes.learner.rule"), options: ["naive", "lola"].map((x) => [x, say(`scenes.learner.${x}`)]),
          get: (state) => state.rule, set: (rule) => ({ rule }) }),
        onlyLola,
        E.fieldSlider("first", say("scenes.learner.first"), { step: 0.01 }),
        E.fieldSlider("rate", say("controls.rate"), { log: true }),
        E.fieldSlider("steps", say("scenes.learner.steps"))),
      E.settings({ most: MOST, error: false }),
    ];
    open.guess = E.slider({
      label: say("scenes.learner.guess"), low: -1, high: 2, step: 0.05, get: (state) => state.guess, set: (guess) => ({ guess }),
    });
    open.reveal = E.button("", () => {
      const seen = E.state.seen === "yes" ? "no" : "yes";
      E.change({ seen });
      if (seen === "yes") animate(open);
    }, { class: "main" });
    open.controls.push({ node: E.el("div", { class: "predict" }, open.guess.node, E.el("div", { class: "buttons" }, open.reveal)),
      refresh(state) {
        const [mine] = E.payoffs(E.game(state));
        open.guess.input.min = Math.min(...mine);
        open.guess.input.max = Math.max(...mine);
        open.guess.refresh(state);
        open.reveal.textContent = say(state.seen === "yes" ? "scenes.learner.hide" : "scenes.learner.reveal");
      } });
    figures.append(open.controls[open.controls.length - 1].node);
    const axis = (name, key) => E.select({ label: say(`scenes.learner.${name}`), options: E.CONTEXTS.map((c) => [c, say(`contexts.${c}`)]),
      get: (state) => state[key], set: (x) => ({ [key]: x }) });
    const plane = [axis("horizontal", "across"), axis("vertical", "up")];
    open.returns = E.figure(say("scenes.learner.returns"), { height: 260 });
    open.plane = E.figure(say("scenes.learner.plane"), { height: 330 });
    open.plane.node.append(...plane.map(({ node }) => node));
    open.controls.push(...plane);
    open.chances = E.figure(say("scenes.learner.chances"), { height: 260 });
    figures.append(open.returns.node, open.chances.node, open.plane.node);
    open.upTo = Infinity;
    open.leave = () => cancelAnimationFrame(open.moving);
  }

  /* Let the walk be seen step by step, in a second and a half; at once where motion is not wanted. */
  function animate(open) {
    cancelAnimationFrame(open.moving);
    if (E.reducedMotion()) return;
    const begun = performance.now(), steps = E.state.steps;
    const frame = () => {
      const share = (performance.now() - begun) / 1500;
      open.upTo = share < 1 ? Math.floor(share * steps) : Infinity;
      E.update();
      if (share < 1) open.moving = requestAnimationFrame(frame);
    };
    open.moving = requestAnimationFrame(frame);
  }

  function draw(state, open) {
    const found = walked(state);
    if (!found) {
      for (const figure of [open.returns, open.plane, open.chances]) { figure.draw(); figure.table([], []); }
      return { answer: say("controls.impossible") };
    }
    const shown = state.seen === "yes" ? Math.min(open.upTo, state.steps) : 0;
    const earned = found.earned.slice(0, shown + 1), tables = found.tables.slice(0, shown + 1);
    drawReturns(open.returns, state, earned);
    drawPlane(open.plane, state, tables);
    E.chances(open.chances, say("scenes.learner.step"), state.steps, tables.map((table, m) => [m, table]));
    return { answer: state.seen === "yes" ? revealed(state, found) : asked(state, found) };
  }

  const asked = (state, { earned }) => say("scenes.learner.asked", { me: E.called(state.me, say("scenes.learner.yours")),
    x: number(earned[0][0]), y: number(earned[0][1]), guess: number(state.guess, 2), steps: state.steps });

  function revealed(state, { earned }) {
    const [mine, theirs] = earned[state.steps], missed = mine - state.guess;
    const parts = [say("scenes.learner.revealed", { x: number(mine), y: number(theirs), steps: state.steps })];
    parts.push(Math.abs(missed) < 0.005 ? say("scenes.learner.right")
      : say(missed > 0 ? "scenes.learner.tooLow" : "scenes.learner.tooHigh", { guess: number(state.guess, 2), by: number(Math.abs(missed), 2) }));
    if (theirs - state.P > 0.005 && mine - state.P > 0.005) {
      parts.push(say("scenes.learner.ratio", { times: number((mine - state.P) / (theirs - state.P), 2) }));
    }
    return parts.join(" ");
  }

  function drawReturns(figure, state, earned) {
    const values = E.payoffs(E.game(state))[0], y = [Math.min(...values), Math.max(...values)];
    const series = [
      { style: "vermilion", label: say("scenes.learner.mine"), points: earned.map(([x], m) => [m, x]) },
      { style: "blue dash", label: say("scenes.learner.theirs"), points: earned.map(([, x], m) => [m, x]) },
      { style: "plain dots", label: say("scenes.learner.prediction"), points: [[0, state.guess], [state.steps, state.guess]] },
    ];
    figure.draw(E.lines(figure, { x: [0, state.steps], y, xLabel: say("scenes.learner.step"), yLabel: say("page.payoff") }, series));
    figure.key(...series.map(E.lineEntry));
    figure.table([say("scenes.learner.step"), say("scenes.learner.mine"), say("scenes.learner.theirs")],
      earned.map((pair, m) => [String(m), ...pair.map((x) => cell(x))]));
  }

  function drawPlane(figure, state, tables) {
    const [i, j] = [state.across, state.up].map((context) => E.CONTEXTS.indexOf(context)), { svg } = E;
    const made = E.axes(figure, { x: [0, 1], y: [0, 1], square: true, xLabel: say(`contexts.${state.across}`), yLabel: say(`contexts.${state.up}`) });
    const points = tables.map((table) => [table[i], table[j]]), last = points[points.length - 1];
    figure.draw(made.nodes, svg("path", { d: E.path(points, made.px, made.py), class: "line blue" }),
      points.map(([x, y]) => E.marker("dot", made.px(x), made.py(y), "mark-step")),
      E.marker("square", made.px(points[0][0]), made.py(points[0][1]), "mark-first"),
      E.marker("disc", made.px(last[0]), made.py(last[1]), "mark-pair"));
    figure.key(E.markEntry("square", "mark-first", say("scenes.learner.begins")), E.markEntry("disc", "mark-pair", say("scenes.learner.ends")));
    figure.table([say("scenes.learner.step"), say(`contexts.${state.across}`), say(`contexts.${state.up}`)],
      points.map((pair, m) => [String(m), ...pair.map((x) => cell(x))]));
  }

  E.scenes.push({
    id: "learner", numbers, python, build, draw,
    fields: ["me", "rule", "ahead", "rate", "steps", "first", "guess", "seen", "across", "up", "discount", "R", "S", "T", "P"],
  });
})(globalThis.Explorer);
