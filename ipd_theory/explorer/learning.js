/* Learners by exact gradients, and what moves a pool of agents that face them.

With v the occupancy, f a player's payoffs and a_s[f], b_s[f] what cooperating after s is worth more than defecting to
players 1 and 2, the policy gradient theorem and its derivative along a direction λ in q are (`ipd_theory.symbolic`)

    ∂J/∂p_s = ω_s v_s a_s[f],    ∂J/∂q_s = ω_s v_s b_s[f],    ω_0 v_0 = δ, ω_s = γ,
    Σ_t ∂²J/∂q_s∂q_t λ_t = ω_s (v_s b_s[z] + y_s b_s[f]),
    Σ_t ∂²J/∂p_s∂q_t λ_t = ω_s (v_s a_s[z] + y_s a_s[f] + v_s λ_s (w_CC − w_CD − w_DC + w_DD)),

with z_t = ω_t λ_t b_t[f] and y_s = Σ_t ω_t v_t λ_t b_t[1 in s]. Here q is in player 1's order. */
(function (E) {
  "use strict";

  const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
  const logit = (p) => Math.log(p) - Math.log1p(-p);

  /* Σ_t f_t of one of the gaps that `E.solve` leaves. */
  const gap = (out, i, f) => f[0] * out[i] + f[1] * out[i + 1] + f[2] * out[i + 2] + f[3] * out[i + 3];
  const visits = (out, s, delta) => (s === 0 ? delta : (1 - delta) * out[s - 1]);

  /* A player's gradient of payoffs f in its own table (player 0: p, player 1: q), the other's chances given. */
  function gradient(out, player, f, chances, delta, result) {
    const [i, j] = player === 0 ? E.OWN : E.OTHERS, c = gap(out, i, f), d = gap(out, j, f);
    for (let s = 0; s < 5; s++) result[s] = visits(out, s, delta) * (chances[s] * c + (1 - chances[s]) * d);
    return result;
  }

  const z = new Float64Array(4), y = new Float64Array(5);

  /* Both derivatives along λ of player 2's gradient of f: `inQ` [5] in q, `inP` [5] in p. */
  function along(out, f, p, q, delta, direction, inQ, inP) {
    const b0 = gap(out, 12, f), b1 = gap(out, 16, f), a0 = gap(out, 4, f), a1 = gap(out, 8, f);
    let afterC = 0, afterD = 0;
    for (let t = 0; t < 5; t++) {
      const l = direction[t], visited = visits(out, t, delta) * l;
      if (t > 0) z[t - 1] = (1 - delta) * l * (p[t] * b0 + (1 - p[t]) * b1);
      afterC += visited * p[t];
      afterD += visited * (1 - p[t]);
    }
    for (let s = 1; s < 5; s++) y[s] = afterC * out[11 + s] + afterD * out[15 + s];
    const b0z = gap(out, 12, z), b1z = gap(out, 16, z), a0z = gap(out, 4, z), a1z = gap(out, 8, z);
    for (let s = 0; s < 5; s++) {
      const seen = visits(out, s, delta), moved = s === 0 ? 0 : (1 - delta) * y[s];
      inQ[s] = seen * (p[s] * b0z + (1 - p[s]) * b1z) + moved * (p[s] * b0 + (1 - p[s]) * b1);
      inP[s] = seen * (q[s] * a0z + (1 - q[s]) * a1z) + moved * (q[s] * a0 + (1 - q[s]) * a1);
      inP[s] += seen * direction[s] * (a0 - a1);
    }
  }

  /* The walk of a learner (player 2) against a fixed table, as `rules.naive()` or `rules.lola_with_look_ahead(ahead)`
  take it: M + 1 tables, and both returns of each. Logits, and the learner's tables, are in its own view. */
  function walk(game, ego, first, { discount, rate, steps, ahead = 0 }) {
    const delta = E.stoppingRate(discount), [mine, theirs] = E.payoffs(game);
    const out = new Float64Array(20), own = new Float64Array(5), wish = new Float64Array(5);
    const turned = new Float64Array(5), unused = new Float64Array(5);
    const x = E.swapped(first).map(logit), tables = [], earned = [];
    for (let m = 0; m <= steps; m++) {
      const q = x.map(sigmoid);
      E.solve(ego, q, delta, out);
      tables.push(E.swapped(q));
      earned.push([E.dot(out.subarray(0, 4), mine), E.dot(out.subarray(0, 4), theirs)]);
      gradient(out, 1, theirs, ego, delta, own);
      const shaped = ahead > 0 ? anticipated(out, ego, q, delta, mine, theirs, wish, turned, unused) : null;
      for (let s = 0; s < 5; s++) {
        x[s] += rate * q[s] * (1 - q[s]) * (own[s] + (shaped ? ahead * shaped[s] : 0));
      }
    }
    return { tables, earned };
  }

  /* What LOLA adds for each unit of its step: where the other's next naive step in logits leads, and how moving q
  turns that step to the learner's good. The derivative in q of Σ_s (p_s(1 − p_s))² ∂J²/∂p_s ∂J¹/∂p_s. */
  function anticipated(out, p, q, delta, mine, theirs, wish, turned, unused) {
    const steps = [0, 1].map((i) => gradient(out, 0, i === 0 ? mine : theirs, q, delta, new Float64Array(5)));
    const total = new Float64Array(5);
    for (const [f, g] of [[theirs, steps[0]], [mine, steps[1]]]) {
      for (let s = 0; s < 5; s++) wish[s] = (p[s] * (1 - p[s])) ** 2 * g[s];
      alongOther(out, f, p, q, delta, wish, turned, unused);
      for (let s = 0; s < 5; s++) total[s] += turned[s];
    }
    return total;
  }

  /* As `along`, of the derivative along a direction in p: `inQ` [5] of Σ_s λ_s ∂J/∂p_s in q. The players change
  places, and with them CD and DC. */
  const places = new Float64Array(20);
  function alongOther(out, f, p, q, delta, direction, inQ, unused) {
    for (let t = 0; t < 4; t++) {
      const s = t === 1 ? 2 : t === 2 ? 1 : t;
      places[t] = out[s];
      places[4 + t] = out[12 + s]; places[8 + t] = out[16 + s];
      places[12 + t] = out[4 + s]; places[16 + t] = out[8 + s];
    }
    const turn = (x) => E.swapped(x), inP = new Float64Array(5);
    along(places, [f[0], f[2], f[1], f[3]], turn(q), turn(p), delta, turn(direction), unused, inP);
    inQ.set(turn(inP));
  }

  /* Chains against a player who cooperates with probability ε whatever happened, solved at sight (`phases.drift`). */
  function solveConstant(error, q, delta, out) {
    const gamma = 1 - delta, rest = 1 - error;
    const a = error * q[1] + rest * q[3], b = error * q[2] + rest * q[4], D = delta + gamma * (1 - a + b);
    const c = (delta * q[0] + gamma * b) / D;
    out[0] = error * c; out[1] = error * (1 - c); out[2] = rest * c; out[3] = rest * (1 - c);
    for (let t = 0; t < 4; t++) {
      const worth = ((t < 2 ? error : rest) * (t % 2 ? -1 : 1) * gamma) / D;
      const cc = (t === 0) + worth * q[1], cd = (t === 1) + worth * q[2];
      const dc = (t === 2) + worth * q[3], dd = (t === 3) + worth * q[4];
      out[4 + t] = cc - dc; out[8 + t] = cd - dd; out[12 + t] = cc - cd; out[16 + t] = dc - dd;
    }
    return out;
  }

  /* Sixteen learners in place of N(0, 1): logits of ±1, half of all corners, so that each has mean 0 and variance 1
  and no two are correlated. */
  const LEARNERS = Array.from({ length: 16 }, (_, i) => {
    const first = [8, 4, 2, 1].map((bit) => (i & bit ? -1 : 1));
    return [...first, first.reduce((product, x) => product * x, 1)];
  });

  const kept = [], scratch = Array.from({ length: 5 }, () => new Float64Array(5));

  /* The gradient of J̄(p) = mean_m J¹(p, ψ_m) in p, in its two parts, [5] each: with the path held fixed, and through
  the learner's M steps ψ_{m+1} = ψ_m + η ∂J²/∂ψ. The agent plays p, errors included; `constant` if all of it is ε. */
  function shapingParts(game, p, learner, { discount, rate, steps, error }, constant) {
    const delta = E.stoppingRate(discount), [mine, theirs] = E.payoffs(game), flip = 1 - 2 * error;
    const x = E.swapped(learner), current = new Float64Array(5), shaping = new Float64Array(5);
    const [g, l, wished, inQ, inP] = scratch;
    let total = 0;
    for (let m = 0; m <= steps; m++) {
      const at = kept[m] || (kept[m] = { out: new Float64Array(20), q: new Float64Array(5), d: new Float64Array(5),
        own: new Float64Array(5), inner: new Float64Array(5) });
      for (let s = 0; s < 5; s++) {
        const chance = sigmoid(x[s]);
        at.inner[s] = chance; at.q[s] = error + flip * chance; at.d[s] = flip * chance * (1 - chance);
      }
      if (constant) solveConstant(error, at.q, delta, at.out);
      else E.solve(p, at.q, delta, at.out);
      for (let s = 0; s < 4; s++) total += at.out[s] * mine[s];
      gradient(at.out, 0, mine, at.q, delta, g);
      for (let s = 0; s < 5; s++) current[s] += g[s];
      gradient(at.out, 1, theirs, p, delta, at.own);
      for (let s = 0; s < 5; s++) x[s] += rate * at.d[s] * at.own[s];
    }
    l.fill(0);
    for (let m = steps; m >= 0; m--) {
      const { out, q, d, own, inner } = kept[m];
      if (m < steps) {
        for (let s = 0; s < 5; s++) wished[s] = d[s] * l[s];
        along(out, theirs, p, q, delta, wished, inQ, inP);
        for (let s = 0; s < 5; s++) {
          shaping[s] += rate * inP[s];
          l[s] += rate * (d[s] * inQ[s] + d[s] * (1 - 2 * inner[s]) * own[s] * l[s]);
        }
      }
      gradient(out, 1, mine, p, delta, g);
      for (let s = 0; s < 5; s++) l[s] += d[s] * g[s];
    }
    const episodes = steps + 1;
    return { value: total / episodes, current: current.map((t) => t / episodes), shaping: shaping.map((t) => t / episodes) };
  }

  /* Means over the learners of the parts at a table that is played with errors, as derivatives in what is intended. */
  function parts(game, p, settings, constant = false) {
    const played = p.map((t) => settings.error + (1 - 2 * settings.error) * t), flip = 1 - 2 * settings.error;
    const sum = { value: 0, current: new Float64Array(5), shaping: new Float64Array(5) };
    for (const learner of LEARNERS) {
      const one = shapingParts(game, played, learner, settings, constant);
      sum.value += one.value / LEARNERS.length;
      for (let s = 0; s < 5; s++) {
        sum.current[s] += (flip * one.current[s]) / LEARNERS.length;
        sum.shaping[s] += (flip * one.shaping[s]) / LEARNERS.length;
      }
    }
    return { ...sum, among: among(game, played, settings, flip) };
  }

  /* The derivative of what an agent earns from another one with the same table, which is held fixed. */
  function among(game, played, { discount }, flip) {
    const delta = E.stoppingRate(discount), out = new Float64Array(20), q = E.swapped(played);
    E.solve(played, q, delta, out);
    return gradient(out, 0, E.payoffs(game)[0], q, delta, new Float64Array(5)).map((t) => flip * t);
  }

  /* The parts at unconditional defection (`phases.drift.defection_drift`). */
  const drift = (game, settings) => parts(game, [0, 0, 0, 0, 0], settings, true);

  /* What a pool ascends there, context by context: p_naive (current + shaping / B) + (1 − p_naive) among. */
  const ofPool = ({ current, shaping, among: meta }, share, batch) =>
    Array.from(current, (x, s) => share * (x + shaping[s] / batch) + (1 - share) * meta[s]);

  /* The share of naive learners above which defection is unstable after DC; ∞ where it never is. */
  function criticalShare({ current, shaping, among: meta }, batch) {
    const naive = current[3] + shaping[3] / batch;
    return naive > 0 ? -meta[3] / (naive - meta[3]) : Infinity;
  }

  /* Two agents alike that begin at defection, p = 0.01 in every context, and climb by Adam; a function that takes one
  more step at each call. */
  function trainer(game, settings, { share, batch }, size = 0.05) {
    const x = new Array(5).fill(logit(0.01)), mean = new Array(5).fill(0), square = new Array(5).fill(0);
    let count = 0;
    return () => {
      const p = x.map(sigmoid), g = ofPool(parts(game, p, settings), share, batch);
      count += 1;
      for (let s = 0; s < 5; s++) {
        const slope = g[s] * p[s] * (1 - p[s]);
        mean[s] = 0.9 * mean[s] + 0.1 * slope;
        square[s] = 0.999 * square[s] + 0.001 * slope * slope;
        x[s] += (size * mean[s]) / (1 - 0.9 ** count) / (Math.sqrt(square[s] / (1 - 0.999 ** count)) + 1e-8);
      }
      return x.map(sigmoid);
    };
  }

  Object.assign(E, {
    LEARNERS, sigmoid, logit, walk, shapingParts, parts, drift, ofPool, criticalShare, trainer, solveConstant,
  });
})(globalThis.Explorer);
