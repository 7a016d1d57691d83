/* Scene (d): replicator dynamics and invasion among chosen strategies. */
(function (E) {
  "use strict";

  const { say, number, percent, cell, el, svg } = E;
  const MOST = 6, POINTS = 80;

  E.field("names", "strategies", "ALLC ALLD TFT WSLS GTFT", { most: MOST });
  E.field("rare", "choice", "none", { among: ["none", ...E.NAMES] });
  E.field("time", "number", 100, { low: 5, high: 500 });
  E.field("size", "number", 50, { low: 2, high: 200, whole: true });
  E.field("intensity", "number", 1, { low: 0.01, high: 20 });

  const texts = (state) => state.names.split(" ");
  const nameOf = (text) => E.parse(text).name;

  function compute(state) {
    const game = E.game(state), names = texts(state), tables = names.map((text) => E.table(text, game, state.discount));
    if (tables.some((table) => !table)) return null;
    const n = names.length, rare = names.findIndex((text) => nameOf(text) === state.rare);
    const start = names.map((_, i) => (rare < 0 ? 1 / n : i === rare ? 0.01 : 0.99 / (n - 1)));
    const A = E.roundRobin(game, tables, state.discount, state.tremble);
    return { names, A, start, path: E.replicator(A, start, state.time, POINTS),
      fixation: E.fixations(A, state.size, state.intensity), rareMutation: E.rareMutation(A, state.size, state.intensity) };
  }

  function numbers(state) {
    const found = compute(state);
    return found && { payoffs: found.A, path: found.path[POINTS], fixation: found.fixation, rare: found.rareMutation };
  }

  function python(state) {
    const found = compute(state), { literal } = E.snippet;
    const start = found ? `[${found.start.map(literal).join(", ")}]` : "None  # one of these strategies does not exist here";
    return [
      ...E.snippet.opening(state, { imports: ["import numpy as np"] }),
      `names = ${JSON.stringify(texts(state))}`,
      "tables = [ipd.strategies.named(name, game=game, discount=discount) for name in names]",
      `A = np.asarray(ipd.round_robin(game, tables, discount=discount, error=${literal(state.tremble)}))`,
      `start = np.array(${start})`,
      `population, intensity = ${state.size}, ${literal(state.intensity)}`,
      ...E.snippet.closing({
        payoffs: "A",
        path: `ipd.equilibria.replicator(A, start / start.sum(), np.array([0.0, ${literal(state.time)}]))[-1]`,
        fixation: 'ipd.evolution.fixation_matrix(A, population, intensity, process="fermi")',
        rare: 'ipd.evolution.rare_mutation(A, population, intensity, process="fermi")',
      }),
    ].join("\n");
  }

  function build(open, controls, figures) {
    const boxes = E.NAMES.map((name) => {
      const input = el("input", { type: "checkbox", onchange: () => {
        const now = texts(E.state).filter((text) => nameOf(text) !== name);
        const all = input.checked ? [...now, E.written(name, E.NUMBERS[name] && E.NUMBERS[name].usual)] : now;
        if (all.length < 2 || all.length > MOST) { E.change({}); return; }
        E.change({ names: all.join(" ") });
      } });
      return { node: el("label", { class: "check" }, input, say(`names.${name}`)), refresh(state) {
        const list = texts(state);
        input.checked = list.some((text) => nameOf(text) === name);
        input.disabled = input.checked ? list.length <= 2 : list.length >= MOST;
      } };
    });
    const chosen = { node: el("fieldset", {}, el("legend", {}, say("scenes.population.chosen")), el("div", { class: "checks" }, boxes.map(({ node }) => node))),
      refresh(state) { boxes.forEach((box) => box.refresh(state)); } };
    open.controls = [chosen,
      E.group(say("scenes.population.shares"),
        E.select({ label: say("scenes.population.rare"), options: [["none", say("scenes.population.none")], ...E.NAMES.map((x) => [x, say(`names.${x}`)])],
          get: (state) => state.rare, set: (rare) => ({ rare }) }),
        E.fieldSlider("time", say("scenes.population.time"), { log: true, show: (x) => number(x, 0) }),
        E.fieldSlider("tremble", say("controls.error"), { step: 0.005, show: (x) => percent(x) })),
      E.group(say("scenes.population.finite"),
        E.fieldSlider("size", say("scenes.population.size")),
        E.fieldSlider("intensity", say("scenes.population.intensity"), { log: true })),
      E.settings({ error: false }),
    ];
    open.shares = E.figure(say("scenes.population.over"), { height: 280 });
    open.graph = E.figure(say("scenes.population.graph"), { height: 340 });
    open.payoffs = E.figure(say("scenes.population.payoffs"), { height: 320 });
    figures.append(open.shares.node, open.graph.node, open.payoffs.node);
  }

  const short = (text) => (nameOf(text) === "OWN" ? say("names.OWN") : nameOf(text));

  function draw(state, open) {
    const found = compute(state);
    if (!found) {
      for (const figure of [open.shares, open.graph, open.payoffs]) { figure.draw(); figure.table([], []); }
      return { answer: say("controls.impossible") };
    }
    drawShares(open.shares, state, found);
    drawGraph(open.graph, state, found);
    drawPayoffs(open.payoffs, found);
    const last = found.path[POINTS], first = last.indexOf(Math.max(...last));
    const often = found.rareMutation.indexOf(Math.max(...found.rareMutation));
    const safe = found.names.filter((_, j) => found.fixation[j].every((x, i) => i === j || x <= (1 + 1e-9) / state.size));
    return { answer: [
      say(state.rare !== "none" && found.names.some((text) => nameOf(text) === state.rare) ? "scenes.population.answerRare" : "scenes.population.answer",
        { name: E.called(found.names[first]), share: percent(last[first]), time: number(state.time, 0), rare: say(`names.${state.rare === "none" ? "OWN" : state.rare}`) }),
      say("scenes.population.often", { size: state.size, name: E.called(found.names[often]), share: percent(found.rareMutation[often]) }),
      safe.length ? say("scenes.population.safe", { names: safe.map((text) => E.called(text)).join(", ") }) : say("scenes.population.noneSafe"),
    ].join(" ") };
  }

  function drawShares(figure, state, { names, path }) {
    const series = names.map((text, i) => ({ style: E.STYLES[i], label: E.called(text), points: path.map((x, t) => [(t / POINTS) * state.time, x[i]]) }));
    figure.draw(E.lines(figure, { x: [0, state.time], y: [0, 1], xLabel: say("scenes.population.time"), yLabel: say("scenes.population.share") }, series));
    figure.key(...series.map(E.lineEntry));
    figure.table([say("scenes.population.time"), ...names.map(short)],
      path.map((x, t) => [(t / POINTS) * state.time, x]).filter((_, t) => t % 4 === 0).map(([t, x]) => [number(t, 1), ...x.map((y) => cell(y))]));
  }

  /* Discs in a circle, as large as the time in each while mutants are rare; an arrow to who takes over more often than
  chance, from whom. */
  function drawGraph(figure, state, { names, fixation, rareMutation }) {
    const n = names.length, radius = rareMutation.map((x) => 9 + 26 * Math.sqrt(x));
    const centre = names.map((_, i) => {
      const angle = -Math.PI / 2 + (2 * Math.PI * i) / n;
      return [180 + 108 * Math.cos(angle), 170 + 108 * Math.sin(angle)];
    });
    const arrows = [];
    fixation.forEach((row, j) => row.forEach((chance, i) => {
      const times = chance * state.size;
      if (i === j || times <= 1 + 1e-9) return;
      const [ax, ay] = centre[j], [bx, by] = centre[i], length = Math.hypot(bx - ax, by - ay);
      const ux = (bx - ax) / length, uy = (by - ay) / length, aside = 4, end = length - radius[i] - 7;
      arrows.push(svg("path", { class: "arrow", "stroke-width": Math.min(5, 0.8 + Math.log2(times) / 1.4), "marker-end": "url(#into)",
        d: `M${ax + ux * radius[j] - uy * aside} ${ay + uy * radius[j] + ux * aside}L${ax + ux * end - uy * aside} ${ay + uy * end + ux * aside}` }));
    }));
    figure.draw(svg("defs", {}, svg("marker", { id: "into", viewBox: "0 0 8 8", refX: 4, refY: 4, markerWidth: 9, markerHeight: 9,
      markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8Z", class: "head" }))), arrows,
    names.map((text, i) => {
      const [x, y] = centre[i], out = y < 165 ? -1 : 1;
      return [svg("circle", { cx: x, cy: y, r: radius[i], class: `disc ${E.STYLES[i]}` }),
        svg("text", { x, y: y + out * (radius[i] + 11) + 4, "text-anchor": "middle" }, `${short(text)} ${percent(rareMutation[i])}`)];
    }));
    figure.table([say("scenes.population.resident"), ...names.map(short), say("page.shareOfTime")],
      names.map((text, j) => [short(text), ...fixation[j].map((x) => number(x * state.size, 3)), cell(rareMutation[j])]));
  }

  function drawPayoffs(figure, { names, A }) {
    const all = A.flat(), low = Math.min(...all), range = Math.max(...all) - low || 1, size = Math.min(48, 270 / names.length);
    const x0 = 84, y0 = 26;
    figure.inside.setAttribute("viewBox", `0 0 360 ${y0 + names.length * size + 6}`);
    figure.draw(names.map((text, i) => [
      svg("text", { x: x0 - 6, y: y0 + (i + 0.5) * size + 4, "text-anchor": "end" }, short(text)),
      svg("text", { x: x0 + (i + 0.5) * size, y: y0 - 8, "text-anchor": "middle", class: "small" }, short(text).slice(0, 7)),
      A[i].map((value, j) => [
        svg("rect", { x: x0 + j * size + 1, y: y0 + i * size + 1, width: size - 2, height: size - 2, class: "cell" }),
        svg("rect", { x: x0 + j * size + 1, y: y0 + i * size + 1, width: size - 2, height: size - 2, class: "heat", "fill-opacity": 0.45 * (value - low) / range }),
        svg("text", { x: x0 + (j + 0.5) * size, y: y0 + (i + 0.5) * size + 4, "text-anchor": "middle" }, number(value, 2))]),
    ]));
    figure.table([say("scenes.population.row"), ...names.map(short)], names.map((text, i) => [short(text), ...A[i].map((x) => cell(x))]));
  }

  E.scenes.push({ id: "population", numbers, python, build, draw,
    fields: ["names", "rare", "time", "tremble", "size", "intensity", "discount", "R", "S", "T", "P"] });
})(globalThis.Explorer);
