/* Scene (f): a strategy of one's own, what it is, and how it fares. */
(function (E) {
  "use strict";

  const { say, number, cell, el, svg } = E;
  const FIELD = ["ALLC", "ALLD", "TFT", "GTFT", "STFT", "WSLS", "GRIM", "FBF", "ALT", "ATFT", "RANDOM"];

  E.field("mine", "strategy", "1,0.9,0.2,0.6,0.3");

  function compute(state) {
    const game = E.game(state), { discount } = state, table = E.table(state.mine, game, discount);
    if (!table) return null;
    const mine = E.tremble(table, state.error), tables = [table, ...FIELD.map((name) => E.table(name, game, discount))];
    const A = E.roundRobin(game, tables, discount, state.error), means = A.map((row) => row.reduce((sum, x) => sum + x, 0) / row.length);
    const ahead = { R: 0, S: game.S - game.T, T: game.T - game.S, P: 0 };
    return {
      game, mine, means, rank: 1 + means.filter((x) => x > means[0] + 1e-12).length,
      gap: Math.max(0, E.bestReplies(game, mine, discount).value - E.returns(game, mine, mine, discount)[0]),
      behind: E.bestReplies(ahead, mine, discount).value, line: E.enforcedLine(game, mine, discount),
      against: E.allPure().map((pure) => E.returns(game, mine, pure, discount)),
    };
  }

  const slack = (game) => 1024 * E.EPSILON * Math.max(...Object.values(game).map(Math.abs));

  /* What there is to reach: five goals and whether each is. */
  function goals({ game, mine, rank, gap, behind, line }) {
    const nice = mine[0] === 1 && mine[1] === 1, nash = gap <= slack(game);
    return { nice, nash, partner: nice && nash, rival: behind <= slack(game),
      extorts: Boolean(line) && line.slope > 0 && line.slope < 1 && Math.abs(line.baseline - game.P) < 1e-9, wins: rank === 1 };
  }

  function numbers(state) {
    const found = compute(state);
    if (!found) return null;
    const { nash, partner, rival } = goals(found);
    return { means: found.means, gap: found.gap, behind: found.behind, line: found.line, is: [nash, partner, rival] };
  }

  function python(state) {
    const { literal, named } = E.snippet;
    return [
      ...E.snippet.opening(state), `error = ${literal(state.error)}`,
      `names = ${JSON.stringify([state.mine, ...FIELD])}`,
      "tables = [ipd.strategies.named(name, game=game, discount=discount) for name in names]",
      `mine = ipd.strategies.tremble(${named(state.mine)}, error)`,
      "R, S, T, P = game.outcome_payoffs[0]",
      "ahead = ipd.games.symmetric_game(R=0, S=S - T, T=T - S, P=0)  # what the other earns more than I do",
      ...E.snippet.closing({
        means: "ipd.round_robin(game, tables, discount=discount, error=error).mean(1)",
        gap: "ipd.replies.gap(game, mine, mine, discount=discount)",
        behind: "ipd.replies.best_responses(ahead, mine, discount=discount).value",
        line: "ipd.payoff_sets.enforced_line(game, mine, discount)",
        is: "[is_so(game, mine, discount=discount) for is_so in (ipd.replies.is_nash, ipd.replies.is_partner, ipd.replies.is_rival)]",
      }),
    ].join("\n");
  }

  function build(open, controls, figures) {
    open.controls = [E.strategy("mine", say("scenes.sandbox.mine")), E.settings()];
    open.goals = el("ul", { class: "goals" });
    open.list = el("section", {}, el("h3", {}, say("scenes.sandbox.goals")), open.goals);
    open.polygon = E.figure(say("scenes.sandbox.polygon"), { height: 350 });
    open.ranks = E.figure(say("scenes.sandbox.ranks"), { height: 360 });
    figures.append(open.list, open.polygon.node, open.ranks.node);
    open.polygon.key(E.markEntry("dot", "mark-pure", say("scenes.sandbox.keyPure")), E.markEntry("disc", "mark-pair", say("scenes.sandbox.keySelf")),
      E.lineEntry({ style: "vermilion thick", label: say("scenes.sandbox.keyLine") }));
  }

  function draw(state, open) {
    const found = compute(state);
    if (!found) {
      for (const figure of [open.polygon, open.ranks]) { figure.draw(); figure.table([], []); }
      open.goals.replaceChildren();
      return { answer: say("controls.impossible") };
    }
    const reached = goals(found), self = E.returns(found.game, found.mine, found.mine, state.discount);
    open.goals.replaceChildren(...Object.entries(reached).map(([name, yes]) => el("li", { class: yes ? "yes" : "no" },
      svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: yes ? "M2 9L6 13L14 3" : "M4 4L12 12M12 4L4 12" })),
      el("span", {}, el("strong", {}, say(yes ? "scenes.sandbox.yes" : "scenes.sandbox.no")), ` ${say(`scenes.sandbox.${name}`)}`))));
    open.polygon.draw(E.polygon(open.polygon, found.game, { line: found.line, xLabel: say("scenes.sandbox.axisMine"), yLabel: say("scenes.sandbox.axisOther"),
      points: [...found.against.map((at) => ({ at, style: "mark-pure", mark: "dot" })), { at: self, style: "mark-pair", mark: "disc" }] }));
    open.polygon.table([say("scenes.sandbox.other"), say("scenes.sandbox.axisMine"), say("scenes.sandbox.axisOther")], [
      [say("scenes.sandbox.keySelf"), ...self.map((x) => cell(x))],
      ...E.allPure().map((pure, i) => [E.nameOfPure(pure), ...found.against[i].map((x) => cell(x))])]);
    drawRanks(open.ranks, found.means);
    return { answer: [
      say("scenes.sandbox.earns", { mean: number(found.means[0]), count: found.means.length, rank: found.rank, self: number(self[0]) }),
      reached.nash ? say("scenes.sandbox.isNash") : say("scenes.sandbox.isNoNash", { gap: number(found.gap) }),
      reached.rival ? say("scenes.sandbox.isRival") : say("scenes.sandbox.isNoRival", { behind: number(found.behind) }),
    ].join(" ") };
  }

  function drawRanks(figure, means) {
    const names = [say("scenes.sandbox.mine"), ...FIELD.map((name) => say(`names.${name}`))];
    const order = means.map((_, i) => i).sort((a, b) => means[b] - means[a]);
    const low = Math.min(0, ...means), high = Math.max(0, ...means), x0 = 150, unit = 150 / (high - low || 1), zero = x0 - low * unit;
    figure.draw(order.map((i, row) => {
      const y = 6 + row * 29, width = Math.abs(means[i]) * unit;
      return [svg("text", { x: x0 - 8, y: y + 15, "text-anchor": "end", class: i === 0 ? "strong" : null }, names[i]),
        svg("rect", { x: means[i] < 0 ? zero - width : zero, y, width, height: 20, class: i === 0 ? "bar-mine" : "bar-other" }),
        svg("text", { x: zero + Math.max(0, means[i]) * unit + 6, y: y + 15, class: i === 0 ? "strong" : null }, number(means[i]))];
    }), svg("line", { x1: zero, x2: zero, y1: 2, y2: 352, class: "axis" }));
    figure.table([say("controls.strategy"), say("scenes.sandbox.mean")], order.map((i) => [names[i], cell(means[i])]));
  }

  E.scenes.push({ id: "sandbox", numbers, python, build, draw, fields: ["mine", "discount", "error", "R", "S", "T", "P"] });
})(globalThis.Explorer);
