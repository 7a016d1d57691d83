/* Figures in SVG, each with its table below. A figure is {node, draw(nodes), table(header, rows)}. */
(function (E) {
  "use strict";

  const { el, svg, say, number } = E;

  function figure(title, { width = 360, height = 300, host } = {}) {
    const inside = host || svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
    const table = el("table");
    const scroll = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, table);
    const key = el("p", { class: "key" });
    const node = el("figure", {}, el("figcaption", {}, title), inside, key,
      el("details", {}, el("summary", {}, say("page.table")), scroll));
    return {
      node, width, height, inside,
      draw(...nodes) { inside.replaceChildren(...nodes.flat(Infinity).filter(Boolean)); },
      label(words) { inside.setAttribute("aria-label", words); },
      key(...entries) { key.replaceChildren(...entries); },
      table(header, rows) {
        table.replaceChildren(
          el("thead", {}, el("tr", {}, header.map((words) => (words ? el("th", { scope: "col" }, words) : el("td"))))),
          el("tbody", {}, rows.map(([first, ...rest]) =>
            el("tr", {}, el("th", { scope: "row" }, first), rest.map((cell) => el("td", {}, cell))))));
      },
    };
  }

  /* An entry of a key: a mark as it is drawn, and what it stands for. */
  const entry = (mark, words) => el("span", { class: "entry" },
    svg("svg", { viewBox: "0 0 24 16", class: "mark", "aria-hidden": "true" }, mark), words);

  /* Rising round numbers from low to high, a handful. */
  function ticks(low, high, wanted = 5) {
    const rough = (high - low) / wanted, unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * ([1, 2, 5, 10].find((x) => x * unit >= rough * 0.999) || 10);
    const first = Math.ceil(low / step - 1e-9), count = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: Math.max(count, 0) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  }
  const short = (x) => String(x).replace("-", "\u2212");

  /* Scales of a plot and its axes as nodes. */
  function axes({ width, height }, { x: [x0, x1], y: [y0, y1], xLabel, yLabel, left = 44, bottom = 40, right = 12, top = 10,
    square = false, xTicks = ticks(x0, x1), yTicks = ticks(y0, y1) }) {
    let w = width - left - right, h = height - top - bottom;
    if (square) {
      const scale = Math.min(w / (x1 - x0), h / (y1 - y0));
      w = scale * (x1 - x0); h = scale * (y1 - y0);
    }
    const px = (x) => left + ((x - x0) / (x1 - x0)) * w, py = (y) => top + h - ((y - y0) / (y1 - y0)) * h;
    const nodes = svg("g", { class: "axes" },
      yTicks.map((y) => [svg("line", { x1: left, x2: left + w, y1: py(y), y2: py(y), class: "grid" }),
        svg("text", { x: left - 6, y: py(y) + 4, "text-anchor": "end" }, short(y))]),
      xTicks.map((x) => [svg("line", { x1: px(x), x2: px(x), y1: top + h, y2: top + h + 4, class: "axis" }),
        svg("text", { x: px(x), y: top + h + 17, "text-anchor": "middle" }, short(x))]),
      svg("path", { d: `M${left} ${top}V${top + h}H${left + w}`, class: "axis" }),
      svg("text", { x: left + w / 2, y: top + h + 35, "text-anchor": "middle" }, xLabel),
      svg("text", { x: 11, y: top + h / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${top + h / 2})` }, yLabel));
    return { px, py, nodes, left, top, w, h };
  }

  const path = (points, px, py) => points.map(([x, y], i) => `${i ? "L" : "M"}${px(x).toFixed(2)} ${py(y).toFixed(2)}`).join("");

  /* Lines told apart by colour and by dash: entries {points, style (class), label}. */
  function lines(shape, options, series) {
    const made = axes(shape, options);
    return [made.nodes, series.map(({ points, style }) =>
      svg("path", { d: path(points, made.px, made.py), class: `line ${style}` }))];
  }
  const lineEntry = ({ style, label }) => entry(svg("path", { d: "M1 8H23", class: `line ${style}` }), label);

  /* The convex hull of points, counter-clockwise. */
  function hull(points) {
    const sorted = points.slice().sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    const chain = (list) => list.reduce((kept, point) => {
      while (kept.length > 1 && turn(kept[kept.length - 2], kept[kept.length - 1], point) <= 0) kept.pop();
      return [...kept, point];
    }, []);
    return [...chain(sorted).slice(0, -1), ...chain(sorted.reverse()).slice(0, -1)];
  }

  /* Payoffs to both players: what is feasible, a line through it, points {at, style, shape}. */
  function polygon(shape, game, { line, points = [], xLabel, yLabel }) {
    const corners = E.OUTCOMES.map((_, s) => E.payoffs(game).map((r) => r[s]));
    const all = corners.flat(), low = Math.min(...all), high = Math.max(...all), margin = 0.07 * (high - low || 1);
    const range = [low - margin, high + margin], middle = (low + high) / 2;
    const made = axes(shape, { x: range, y: range, xLabel, yLabel, square: true });
    const { px, py } = made;
    const nodes = [made.nodes, svg("path", { d: `${path(hull(corners), px, py)}Z`, class: "feasible" })];
    if (line) {
      const clipped = throughBox(line, range);
      if (clipped) nodes.push(svg("path", { d: path(clipped, px, py), class: "line vermilion thick" }));
    }
    const names = new Map(); // outcomes that pay the same share a label
    corners.forEach(([x, y], s) => names.set(`${x} ${y}`, [...(names.get(`${x} ${y}`) || []), E.OUTCOMES[s]]));
    for (const [at, said] of names) {
      const [x, y] = at.split(" ").map(Number);
      const below = x < middle && y < middle; // beside what lies between the corners
      nodes.push(svg("text", { x: px(x) + (below ? -5 : 5), y: py(y) + (below ? 13 : -5), "text-anchor": below ? "end" : null,
        class: "corner" }, said.join(" ")));
    }
    for (const { at: [x, y], style, mark, title } of points) {
      nodes.push(marker(mark, px(x), py(y), style, title));
    }
    return nodes;
  }

  function throughBox({ slope, baseline }, [low, high]) {
    const at = (x) => baseline + slope * (x - baseline), ends = [];
    for (const x of [low, high]) if (at(x) >= low && at(x) <= high) ends.push([x, at(x)]);
    if (slope !== 0) for (const y of [low, high]) {
      const x = baseline + (y - baseline) / slope;
      if (x > low && x < high) ends.push([x, y]);
    }
    return ends.length > 1 ? [ends[0], ends[ends.length - 1]] : null;
  }

  function marker(mark, x, y, style, title) {
    const shapes = {
      dot: () => svg("circle", { cx: x, cy: y, r: 2.5, class: style }),
      disc: () => svg("circle", { cx: x, cy: y, r: 6.5, class: style }),
      square: () => svg("rect", { x: x - 5, y: y - 5, width: 10, height: 10, class: style }),
      triangle: () => svg("path", { d: `M${x} ${y - 7}l6.5 11.5h-13Z`, class: style }),
      cross: () => svg("path", { d: `M${x - 5} ${y - 5}l10 10m0-10l-10 10`, class: style }),
    };
    const node = shapes[mark]();
    if (title) node.append(svg("title", {}, title));
    return node;
  }
  const markEntry = (mark, style, words) => entry(marker(mark, 12, 8, style), words);

  /* Four discs, CC and CD above DC and DD, as large as the time in each; arrows as wide as the chance of a move. */
  function chainPicture(shape, shares, rows, names) {
    const centre = [[0.25, 0.24], [0.75, 0.24], [0.25, 0.76], [0.75, 0.76]].map(([x, y]) => [x * shape.width, y * shape.height]);
    const radius = shares.map((x) => 15 + 33 * Math.sqrt(Math.min(Math.max(x, 0), 1)));
    const arrows = [];
    rows.forEach((row, i) => row.forEach((chance, j) => {
      if (chance < 0.005 || shares[i] < 1e-9) return;
      const width = 1 + 4 * chance;
      if (i === j) {
        const [x, y] = centre[i], up = i < 2 ? -1 : 1, r = radius[i];
        arrows.push(svg("path", { class: "arrow", "stroke-width": width, "marker-end": "url(#head)",
          d: `M${x - 0.5 * r} ${y + up * 0.87 * r}C${x - 0.8 * r - 8} ${y + up * (r + 24)} ${x + 0.8 * r + 8} ${y + up * (r + 24)} ${x + 0.5 * r} ${y + up * (0.87 * r + 5)}` }));
        return;
      }
      const [ax, ay] = centre[i], [bx, by] = centre[j], length = Math.hypot(bx - ax, by - ay);
      const ux = (bx - ax) / length, uy = (by - ay) / length, aside = 7; // arrows back and forth lie beside each other
      const start = radius[i], end = length - radius[j] - 6;
      arrows.push(svg("path", { class: "arrow", "stroke-width": width, "marker-end": "url(#head)",
        d: `M${ax + ux * start - uy * aside} ${ay + uy * start + ux * aside}L${ax + ux * end - uy * aside} ${ay + uy * end + ux * aside}` }));
    }));
    const head = svg("defs", {}, svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 4, refY: 4, markerWidth: 9,
      markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8Z", class: "head" })));
    const discs = centre.map(([x, y], s) => svg("g", {},
      svg("circle", { cx: x, cy: y, r: radius[s], class: `disc outcome-${E.OUTCOMES[s]}` }),
      radius[s] > 23
        ? [svg("text", { x, y: y - 2, "text-anchor": "middle", class: "strong" }, names[s]),
          svg("text", { x, y: y + 13, "text-anchor": "middle" }, E.percent(shares[s]))]
        : [svg("text", { x, y: y + 4, "text-anchor": "middle", class: "strong" }, names[s]),
          svg("text", { x, y: y + (s < 2 ? -1 : 1) * (radius[s] + 10) + 4, "text-anchor": "middle" }, E.percent(shares[s]))]));
    return [head, arrows, discs];
  }

  const STYLES = ["blue", "vermilion dash", "green dots", "pink dashdot", "orange long", "sky"];

  /* How the five probabilities of `visited` [[step, table], …] move; the table below shows every so many steps. */
  function chances(shown, stepWord, steps, visited, every = 1) {
    const series = E.CONTEXTS.map((context, s) => ({ style: STYLES[s], label: say(`contexts.${context}`), points: visited.map(([m, table]) => [m, table[s]]) }));
    shown.draw(lines(shown, { x: [0, steps], y: [0, 1], xLabel: stepWord, yLabel: say("page.probability") }, series));
    shown.key(...series.map(lineEntry));
    shown.table([stepWord, ...series.map(({ label }) => label)],
      visited.filter(([m]) => m % every === 0).map(([m, table]) => [String(m), ...table.map((x) => E.cell(x))]));
  }

  Object.assign(E, { STYLES, chances, figure, entry, lineEntry, markEntry, marker, axes, lines, polygon, chainPicture, path, ticks, hull,
    cell: (x, digits = 4) => number(x, digits) });
})(globalThis.Explorer);
