/* Strategies by name, those that enforce a line among payoffs included (`ipd_theory.zero_determinant`).

Against every opponent v · p̃ = 0 with p̃ = γ p + δ p_0 − (1, 1, 0, 0); a table with p̃ = α A + β B + κ enforces
α π_1 + β π_2 + κ = 0. Lines s (π_1 − l) = π_2 − l come from p̃ = φ [s (A − l) − (B − l)]. */
(function (E) {
  "use strict";

  const REPEAT = [1, 1, 0, 0];
  const reactive = (start, p, q) => [start, p, q, p, q];
  const PLAIN = {
    ALLC: () => reactive(1, 1, 1),
    ALLD: () => reactive(0, 0, 0),
    TFT: () => reactive(1, 1, 0),
    GTFT: (q = 1 / 3) => reactive(1, 1, q),
    STFT: () => reactive(0, 1, 0),
    WSLS: () => [1, 1, 0, 0, 1],
    GRIM: () => [1, 1, 0, 0, 0],
    FBF: () => [1, 1, 0, 1, 1],
    ALT: () => [1, 0, 0, 1, 1],
    ATFT: () => reactive(0, 0, 1),
    RANDOM: (p = 0.5) => [p, p, p, p, p],
  };
  /* Those of a line: from a game and a number, its slope, baseline, start, and which φ of the range is taken. */
  const LINES = {
    EXTORT: ({ P }, chi) => ({ slope: 1 / chi, baseline: P, start: 0, at: (low, high) => (low + high) / 2 }),
    GENEROUS: ({ R }, chi) => ({ slope: 1 / chi, baseline: R, start: 1, at: (low, high) => high }),
    EQUALIZER: (game, payoff) => ({ slope: 0, baseline: payoff, start: 1, at: (low, high) => (low + high) / 2 }),
  };
  /* What the number of a name is, for its slider. */
  const NUMBERS = {
    GTFT: { word: "forgives", low: 0, high: 1, usual: 1 / 3 },
    RANDOM: { word: "cooperates", low: 0, high: 1, usual: 0.5 },
    EXTORT: { word: "factor", low: 1, high: 10, usual: 3 },
    GENEROUS: { word: "factor", low: 1, high: 10, usual: 2 },
    EQUALIZER: { word: "payoff", low: -5, high: 5, usual: 0.5 },
  };
  const NAMES = [...Object.keys(PLAIN), ...Object.keys(LINES)];

  const isDilemma = ({ R, S, T, P }) => T > R && R > P && P > S;

  function line(game, discount, { slope, baseline, start, at }) {
    const [A, B] = E.payoffs(game), delta = E.stoppingRate(discount), gamma = 1 - delta;
    if (gamma <= 0) return null;
    const direction = A.map((a, s) => slope * (a - baseline) - (B[s] - baseline));
    let low = -Infinity, high = Infinity;
    for (let s = 0; s < 4; s++) {
      const least = delta * start - REPEAT[s], most = least + gamma, slack = 64 * E.EPSILON;
      if (direction[s] === 0) {
        if (!(least <= slack && most >= -slack)) return null;
        continue;
      }
      const ends = [least / direction[s], most / direction[s]];
      low = Math.max(low, Math.min(...ends));
      high = Math.min(high, Math.max(...ends));
    }
    const phi = at(low, high);
    if (!(low <= high) || phi === 0 || !Number.isFinite(phi)) return null;
    const table = direction.map((x, s) => (phi * x + REPEAT[s] - delta * start) / gamma);
    if (table.some((x) => !(x >= -64 * E.EPSILON && x <= 1 + 64 * E.EPSILON))) return null;
    return [start, ...table.map((x) => Math.min(1, Math.max(0, x)))];
  }

  /* A name in parts, `EXTORT(3)` or `TFT`; five numbers with commas between them are a table; else null. */
  function parse(text) {
    const words = String(text).trim();
    if (words.includes(",")) {
      const table = words.split(",").map(Number);
      const fits = table.length === 5 && table.every((x) => x >= 0 && x <= 1);
      return fits ? { name: "OWN", table } : null;
    }
    const found = /^([A-Za-z]+)(?:\(([^()]+)\))?$/.exec(words);
    const name = found && found[1].toUpperCase();
    if (!NAMES.includes(name)) return null;
    const about = NUMBERS[name];
    if (!about) return found[2] === undefined ? { name } : null;
    const number = found[2] === undefined ? about.usual : Number(found[2]);
    return Number.isFinite(number) ? { name, number: Math.min(about.high, Math.max(about.low, number)) } : null;
  }

  /* The table [5] of a text, or null where there is none under this game and discount. */
  function table(text, game, discount) {
    const parts = parse(text);
    if (!parts) return null;
    if (parts.table) return parts.table;
    if (PLAIN[parts.name]) return PLAIN[parts.name](parts.number);
    if (parts.name !== "EQUALIZER" && !isDilemma(game)) return null;
    return line(game, discount, LINES[parts.name](game, parts.number));
  }

  const written = (name, number) => (number === undefined ? name : `${name}(${shortest(number)})`);
  /* A number as it is written in addresses and snippets: whatever reads it gets the same number. */
  const shortest = (x) => String(x);

  /* The slope and baseline that a table enforces, or null: least squares of p̃ on A + B, A − B and 1, which for a game
  that looks the same to both are at right angles. */
  function enforcedLine(game, p, discount) {
    if (discount === 0) return null;
    const [A, B] = E.payoffs(game), delta = E.stoppingRate(discount);
    const target = REPEAT.map((x, s) => (1 - delta) * p[s + 1] + delta * p[0] - x);
    const sum = A.map((a, s) => a + B[s]), difference = A.map((a, s) => a - B[s]);
    const mean = (x) => x.reduce((total, a) => total + a, 0) / 4;
    const centred = sum.map((x) => x - mean(sum));
    const even = E.dot(centred, centred), odd = E.dot(difference, difference);
    if (even === 0 || odd === 0) return null;
    const together = E.dot(target, centred) / even, apart = E.dot(target, difference) / odd;
    const constant = mean(target) - together * mean(sum);
    const missed = target.map((x, s) => x - together * sum[s] - apart * difference[s] - constant);
    const own = together + apart, other = together - apart, scale = E.spread(A);
    if (E.dot(missed, missed) > 1e-18 || Math.abs(other * scale) < 1e-9) return null;
    const level = Math.abs((own + other) * scale) < 1e-9;
    return { slope: -own / other, baseline: level ? game.P : -constant / (own + other) };
  }

  Object.assign(E, { NAMES, NUMBERS, isDilemma, parse, table, written, shortest, enforcedLine });
})(globalThis.Explorer);
