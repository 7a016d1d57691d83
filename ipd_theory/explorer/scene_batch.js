/* Scene (e): what each estimator credits one action with. */
(function (E) {
  "use strict";

  const { say, number, svg } = E;

  E.field("ego", "strategy", "TFT");
  E.field("B", "number", 3, { low: 1, high: 4, whole: true });
  E.field("M", "number", 3, { low: 1, high: 4, whole: true });
  E.field("steps_each", "number", 4, { low: 1, high: 4, whole: true });
  E.field("b", "number", 1, { low: 1, high: 4, whole: true });
  E.field("m", "number", 1, { low: 1, high: 4, whole: true });
  E.field("t", "number", 1, { low: 1, high: 4, whole: true });
  E.field("seed", "number", 1, { low: 1, high: 9999, whole: true });

  const chosen = (state) => ({ b: Math.min(state.b, state.B) - 1, m: Math.min(state.m, state.M) - 1, t: Math.min(state.t, state.steps_each) - 1 });

  function played(state) {
    const game = E.game(state), discount = E.learnersDiscount(state), ego = E.table(state.ego, game, discount);
    return ego && E.play(game, ego, { discount, rate: state.rate, batch: state.B, episodes: state.M, steps: state.steps_each, seed: state.seed });
  }

  function numbers(state) {
    const rewards = played(state), at = chosen(state);
    return rewards && Object.fromEntries(E.ESTIMATORS.map((name) => [name, E.credit(name, rewards, at).weight]));
  }

  function python(state) {
    const rewards = played(state), { b, m, t } = chosen(state);
    return [
      ...E.snippet.opening(state, { discount: E.learnersDiscount(state), imports: ["import numpy as np"] }),
      "# rewards of each trajectory, inner episode and step",
      `rewards = np.array(${JSON.stringify(rewards).replace(/\]\],/g, "]],\n   ")}, float)`,
      `b, m, t = ${b}, ${m}, ${t}`,
      ...E.snippet.closing(Object.fromEntries(E.ESTIMATORS.map((name) => [name, `ipd.estimators.named("${name}")(rewards)[b, m, t]`]))),
    ].join("\n");
  }

  function build(open, controls, figures) {
    const pick = (name, size) => {
      const made = E.fieldSlider(name, say(`scenes.batch.${name}`));
      return { node: made.node, refresh(state) { made.input.max = state[size]; made.refresh({ ...state, [name]: Math.min(state[name], state[size]) }); } };
    };
    open.controls = [
      E.group(say("scenes.batch.action"), pick("b", "B"), pick("m", "M"), pick("t", "steps_each")),
      E.group(say("scenes.batch.shape"), E.fieldSlider("B", say("scenes.batch.B")), E.fieldSlider("M", say("scenes.batch.M")),
        E.fieldSlider("steps_each", say("scenes.batch.steps_each")), E.fieldSlider("rate", say("controls.rate"), { log: true }),
        { node: E.button(say("scenes.batch.again"), () => E.change({ seed: (E.state.seed % 9999) + 1 })), refresh() {} }),
      E.strategy("ego", say("scenes.batch.ego")),
      E.settings({ most: 0.999, error: false }),
    ];
    open.grid = E.figure(say("scenes.batch.grid"), { width: 360, height: 560 });
    open.kept = E.figure(say("scenes.batch.kept"), { width: 360, height: 250 });
    figures.append(open.grid.node, open.kept.node);
    open.grid.key(E.entry(svg("rect", { x: 3, y: 1, width: 18, height: 14, class: "credited", "fill-opacity": 0.75 }), say("scenes.batch.keyCounts")),
      E.entry(svg("rect", { x: 3, y: 1, width: 18, height: 14, class: "cell" }), say("scenes.batch.keyNot")),
      E.entry(svg("rect", { x: 4, y: 2, width: 16, height: 12, class: "chosen" }), say("scenes.batch.keyChosen")));
    open.kept.key(E.entry(svg("rect", { x: 2, y: 3, width: 20, height: 10, class: "bar-current" }), say("scenes.batch.current")),
      E.entry([svg("rect", { x: 2, y: 3, width: 20, height: 10, class: "bar-shaping" }), svg("path", { d: "M5 13L12 3M13 13L20 3", class: "bar-hatch" })], say("scenes.batch.shaping")));
  }

  const FACTORS = { coala: () => [1, 1], batch_unaware: (B) => [1, 1 / B], m_fos: (B) => [B, 1], full: () => [1, 1] };

  function draw(state, open) {
    const rewards = played(state);
    if (!rewards) {
      for (const figure of [open.grid, open.kept]) { figure.draw(); figure.table([], []); }
      return { answer: say("controls.impossible") };
    }
    const at = chosen(state), credits = Object.fromEntries(E.ESTIMATORS.map((name) => [name, E.credit(name, rewards, at)]));
    drawGrid(open.grid, state, rewards, at, credits);
    drawKept(open.kept, state.B);
    const { coala, batch_unaware: alone, m_fos: mfos } = credits;
    return { answer: [
      say("scenes.batch.coalaSays", { weight: number(coala.weight, 2), now: number(coala.now, 2), later: number(coala.later, 2) }),
      state.B === 1 ? say("scenes.batch.oneTrajectory") : say("scenes.batch.othersSay", { B: state.B, alone: number(alone.weight, 2), aloneLater: number(alone.later, 2),
        mfos: number(mfos.weight, 2), mfosNow: number(mfos.now, 2) }),
    ].join(" ") };
  }

  function drawGrid(figure, state, rewards, at, credits) {
    const { B, M, steps_each: T } = state, gap = 8, x0 = 8, size = Math.min(26, (344 - gap * (M - 1)) / (M * T)), high = Math.min(size, 22);
    const panel = B * high + 36, nodes = [];
    const place = (b, m, t, y) => [x0 + (m * T + t) * size + m * gap, y + b * high];
    E.ESTIMATORS.forEach((name, i) => {
      const y = 24 + i * panel, { now, later, weight } = credits[name];
      nodes.push(svg("text", { x: x0, y: y - 8 }, svg("tspan", { class: "strong" }, say(`estimators.${name}`)),
        svg("tspan", {}, ` ${say("scenes.batch.sum", { weight: number(weight, 2), now: number(now, 2), later: number(later, 2) })}`)));
      rewards.forEach((episodes, b) => episodes.forEach((steps, m) => steps.forEach((reward, t) => {
        const [x, top] = place(b, m, t, y), share = E.coefficient(name, at, b, m, t, B);
        nodes.push(svg("rect", { x: x + 0.5, y: top + 0.5, width: size - 1, height: high - 1, class: share ? "credited" : "cell", "fill-opacity": share ? 0.2 + 0.55 * share : null }),
          svg("text", { x: x + size / 2, y: top + high / 2 + 4, "text-anchor": "middle", class: share ? "small strong" : "small faded" }, number(reward, Number.isInteger(reward) ? 0 : 1)));
      })));
      const [x, top] = place(at.b, at.m, at.t, y);
      nodes.push(svg("rect", { x: x + 1, y: top + 1, width: size - 2, height: high - 2, class: "chosen" }));
    });
    figure.inside.setAttribute("viewBox", `0 0 360 ${4 * panel + 4}`);
    figure.draw(nodes);
    figure.table(["", say("scenes.batch.now"), say("scenes.batch.later"), say("scenes.batch.weight")],
      E.ESTIMATORS.map((name) => [say(`estimators.${name}`), ...["now", "later", "weight"].map((x) => number(credits[name][x], 4))]));
  }

  /* What each keeps of the two parts of the gradient on average, the true gradient being 1 and 1. */
  function drawKept(figure, B) {
    const nodes = [], x0 = 104, unit = 200 / Math.max(B, 1);
    E.ESTIMATORS.forEach((name, i) => {
      const y = 8 + i * 52, factors = FACTORS[name](B);
      nodes.push(svg("text", { x: x0 - 8, y: y + 24, "text-anchor": "end" }, say(`estimators.${name}`)));
      factors.forEach((factor, j) => {
        const top = y + 20 * j, width = factor * unit;
        nodes.push(svg("rect", { x: x0, y: top, width, height: 17, class: j ? "bar-shaping" : "bar-current" }));
        if (j) for (let x = 4; x < width - 3; x += 8) nodes.push(svg("path", { d: `M${x0 + x} ${top + 17}l6 -17`, class: "bar-hatch" }));
        nodes.push(svg("text", { x: x0 + width + 6, y: top + 13 }, number(factor, Number.isInteger(factor) ? 0 : 2)));
      });
    });
    nodes.push(svg("line", { x1: x0 + unit, x2: x0 + unit, y1: 2, y2: 212, class: "crosshair" }),
      svg("text", { x: x0 + unit, y: 230, "text-anchor": "middle", class: "small" }, say("scenes.batch.true")));
    figure.draw(nodes);
    figure.table(["", say("scenes.batch.current"), say("scenes.batch.shaping")],
      E.ESTIMATORS.map((name) => [say(`estimators.${name}`), ...FACTORS[name](B).map((x) => number(x, 3))]));
  }

  E.scenes.push({ id: "batch", numbers, python, build, draw,
    fields: ["b", "m", "t", "B", "M", "steps_each", "seed", "ego", "rate", "discount", "R", "S", "T", "P"] });
})(globalThis.Explorer);
