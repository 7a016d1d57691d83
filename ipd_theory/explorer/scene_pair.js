/* Scene (a): two strategies. */
(function (E) {
  "use strict";

  const { say, number, percent, cell } = E;

  E.field("p", "strategy", "EXTORT(3)");
  E.field("q", "strategy", "WSLS");

  function tables(state) {
    const game = E.game(state);
    const meant = [state.p, state.q].map((text) => E.table(text, game, state.discount));
    return meant.every(Boolean) ? meant.map((table) => E.tremble(table, state.error)) : null;
  }

  function numbers(state) {
    const found = tables(state), game = E.game(state);
    if (!found) return null;
    const [p, q] = found, best = [q, p].map((other) => E.bestReplies(game, other, state.discount));
    return {
      returns: E.returns(game, p, q, state.discount),
      occupancy: E.occupancy(p, q, state.discount),
      best: best.map(({ value }) => value),
      optimal: best.map(({ optimal }) => optimal),
      line: E.enforcedLine(game, p, state.discount),
    };
  }

  function python(state) {
    const pair = [state.p, state.q].map((text) => `ipd.strategies.tremble(${E.snippet.named(text)}, error)`);
    return [
      ...E.snippet.opening(state), `error = ${E.snippet.literal(state.error)}`,
      `p = ${pair[0]}`, `q = ${pair[1]}`, "best = [ipd.replies.best_responses(game, x, discount=discount) for x in (q, p)]",
      ...E.snippet.closing({
        returns: "ipd.expected_returns(game, p, q, discount=discount)",
        occupancy: "ipd.state_occupancy(p, q, discount=discount)",
        best: "[replies.value for replies in best]",
        optimal: "[replies.optimal for replies in best]",
        line: "ipd.payoff_sets.enforced_line(game, p, discount)",
      }),
    ].join("\n");
  }

  /* What a strategy is called in a sentence; one of own numbers has no name but its player's. */
  E.called = (text, player = say("names.OWN")) => {
    const { name, number: x } = E.parse(text);
    if (name === "OWN") return player;
    return x === undefined ? say(`names.${name}`) : `${say(`names.${name}`)} (${Number(x.toFixed(2))})`;
  };
  E.pureWords = (reply) => reply.map((x) => (x ? "C" : "D")).join("");
  E.nameOfPure = (reply) => {
    const known = E.NAMES.find((name) => !E.NUMBERS[name] && String(E.table(name, { R: 3, S: 0, T: 5, P: 1 }, 1)) === String(reply));
    return known ? say(`names.${known}`) : E.pureWords(reply);
  };

  function build(open, controls, figures) {
    open.controls = [E.strategy("p", say("scenes.pair.p")), E.strategy("q", say("scenes.pair.q")), E.settings()];
    open.payoffs = E.figure(say("scenes.pair.payoffs"), { width: 360, height: 350 });
    open.chain = E.figure(say("scenes.pair.chain"), { width: 360, height: 330 });
    open.replies = E.figure(say("scenes.pair.replies"), { width: 360, height: 150 });
    figures.append(open.payoffs.node, open.chain.node, open.replies.node);
    open.payoffs.key(
      E.markEntry("disc", "mark-pair", say("scenes.pair.keyPair")),
      E.markEntry("triangle", "mark-best-q", say("scenes.pair.keyBestQ")),
      E.markEntry("square", "mark-best-p", say("scenes.pair.keyBestP")),
      E.markEntry("dot", "mark-pure", say("scenes.pair.keyPure")),
      E.lineEntry({ style: "vermilion thick", label: say("scenes.pair.keyLine") }));
  }

  function draw(state, open) {
    const found = numbers(state);
    if (!found) {
      for (const figure of [open.payoffs, open.chain, open.replies]) figure.draw();
      return { answer: say("controls.impossible") };
    }
    const game = E.game(state), [p, q] = tables(state), { returns, occupancy, best, optimal, line } = found;
    const replies = optimal.map((rows) => rows.map(([cooperate]) => (cooperate ? 1 : 0)));
    drawPayoffs(open.payoffs, state, game, p, q, found, replies);
    drawChain(open.chain, p, q, occupancy);
    drawReplies(open.replies, best, returns, replies, optimal);
    return { answer: answer(state, returns, occupancy, best, line) };
  }

  function answer(state, returns, occupancy, best, line) {
    const most = occupancy.indexOf(Math.max(...occupancy));
    const parts = [say("scenes.pair.earn", { p: E.called(state.p, say("scenes.pair.p")), q: E.called(state.q, say("scenes.pair.q")), x: number(returns[0]),
      y: number(returns[1]), share: percent(occupancy[most]), outcome: say(`outcomes.${E.OUTCOMES[most]}`) })];
    const gaps = [best[0] - returns[0], best[1] - returns[1]].map((x) => (x < 1e-9 ? 0 : x));
    if (gaps[0] === 0 && gaps[1] === 0) parts.push(say("scenes.pair.neither"));
    else parts.push(say("scenes.pair.gain", { x: number(gaps[0]), y: number(gaps[1]) }));
    if (line) parts.push(say("scenes.pair.enforces", { slope: number(line.slope), baseline: number(line.baseline) }));
    return parts.join(" ");
  }

  function drawPayoffs(figure, state, game, p, q, { returns, line }, replies) {
    const against = E.allPure().map((pure) => E.returns(game, p, pure, state.discount));
    const toP = E.returns(game, p, replies[1], state.discount), toQ = E.returns(game, replies[0], q, state.discount);
    figure.draw(E.polygon(figure, game, {
      line, xLabel: say("scenes.pair.axisP"), yLabel: say("scenes.pair.axisQ"),
      points: [
        ...against.map((at) => ({ at, style: "mark-pure", mark: "dot" })),
        { at: toP, style: "mark-best-q", mark: "triangle", title: say("scenes.pair.keyBestQ") },
        { at: toQ, style: "mark-best-p", mark: "square", title: say("scenes.pair.keyBestP") },
        { at: returns, style: "mark-pair", mark: "disc", title: say("scenes.pair.keyPair") },
      ],
    }));
    figure.table(["", say("scenes.pair.axisP"), say("scenes.pair.axisQ")], [
      [say("scenes.pair.keyPair"), ...returns.map((x) => cell(x))],
      [say("scenes.pair.keyBestQ"), ...toP.map((x) => cell(x))],
      [say("scenes.pair.keyBestP"), ...toQ.map((x) => cell(x))],
      ...(line ? [[say("scenes.pair.lineRow"), cell(line.slope), cell(line.baseline)]] : []),
      ...E.allPure().map((pure, i) => [say("scenes.pair.pureRow", { name: E.pureWords(pure) }), ...against[i].map((x) => cell(x))]),
    ]);
  }

  function drawChain(figure, p, q, occupancy) {
    const { start, rows } = E.moves(p, q);
    figure.draw(E.chainPicture(figure, occupancy, rows, E.OUTCOMES));
    figure.table([say("page.after"), ...E.OUTCOMES.map((name) => `→ ${name}`), say("page.shareOfTime")], [
      [say("contexts.start"), ...start.map((x) => cell(x)), ""],
      ...rows.map((row, s) => [E.OUTCOMES[s], ...row.map((x) => cell(x)), cell(occupancy[s])]),
    ]);
  }

  /* Both players' best replies, context by context: C, D, or both where they pay the same. */
  function drawReplies(figure, best, returns, replies, optimal) {
    const { svg } = E, x0 = 112, column = 48, nodes = [];
    E.CONTEXTS.forEach((context, s) => nodes.push(svg("text", { x: x0 + (s + 0.5) * column, y: 22, "text-anchor": "middle" }, context)));
    [0, 1].forEach((i) => {
      const y = 36 + 56 * i;
      nodes.push(svg("text", { x: 4, y: y + 19 }, say(i === 0 ? "scenes.pair.replyP" : "scenes.pair.replyQ")),
        svg("text", { x: 4, y: y + 35, class: "small" }, say("scenes.pair.earning", { x: number(best[i]) })));
      optimal[i].forEach(([c, d], s) => nodes.push(
        svg("rect", { x: x0 + s * column + 2, y, width: column - 4, height: 42, rx: 4, class: c && d ? "either" : c ? "cooperate" : "defect" }),
        svg("text", { x: x0 + (s + 0.5) * column, y: y + 26, "text-anchor": "middle", class: "strong" }, c && d ? "C=D" : c ? "C" : "D")));
    });
    figure.draw(nodes);
    figure.table(["", ...E.CONTEXTS, say("page.earns"), say("page.gap")], [0, 1].map((i) => [
      say(i === 0 ? "scenes.pair.replyP" : "scenes.pair.replyQ"),
      ...optimal[i].map(([c, d]) => (c && d ? "C=D" : c ? "C" : "D")), cell(best[i]), cell(Math.max(0, best[i] - returns[i])),
    ]));
  }

  E.scenes.push({ id: "pair", fields: ["p", "q", "discount", "error", "R", "S", "T", "P"], numbers, python, build, draw });
})(globalThis.Explorer);
