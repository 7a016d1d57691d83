/* Two memory-one strategies as a Markov chain over CC, CD, DC, DD, solved without a single subtraction.

Censoring state k, with rates A_ij = γ M_ij and stopping rates σ_i = δ = 1 − γ, leaves a smaller chain,

    pivot_k = Σ_j A_kj + σ_k,    A_ij ← A_ij + A_ik A_kj / pivot_k,    σ_i ← σ_i + A_ik σ_k / pivot_k,

all sums of products of non-negative numbers; the limit of means is the same with a vanishing δ. It is what
`ipd_theory._engine.elimination` does. Values are taken relative to the state that is visited most.

A table is (start, CC, CD, DC, DD), own action first. Inside of this file player 2's is in player 1's order. */
(function (E) {
  "use strict";

  const OUTCOMES = ["CC", "CD", "DC", "DD"];
  const CONTEXTS = ["start", ...OUTCOMES];
  const VANISHING = 1e-200;
  const EPSILON = 2 ** -52;

  const swapped = (table) => [table[0], table[1], table[3], table[2], table[4]];
  const stoppingRate = (discount) => Math.max(1 - discount, VANISHING);
  const tremble = (table, error) => table.map((x) => (1 - error) * x + error * (1 - x));
  const dot = (x, y) => x.reduce((sum, a, i) => sum + a * y[i], 0);
  const spread = (x) => Math.max(...x) - Math.min(...x);

  /* Payoffs of both players after CC, CD, DC, DD. */
  const payoffs = ({ R, S, T, P }) => [[R, S, T, P], [R, T, S, P]];

  /* The rows of the chain, and where play opens: M(s → CC) = p_s q_s, … */
  function moves(p, q) {
    const seen = swapped(q);
    const rows = p.map((a, s) => [a * seen[s], a * (1 - seen[s]), (1 - a) * seen[s], (1 - a) * (1 - seen[s])]);
    return { start: rows[0], rows: rows.slice(1) };
  }

  /* Censor the states in order. `rate` [16] then holds, below the diagonal, rates into the state that was censored
  and, above it, the probabilities to leave it for the others; `perPivot` is 1 / pivot. */
  function eliminate(rate, perPivot, delta) {
    const stop = [delta, delta, delta, delta];
    for (let k = 0; k < 4; k++) {
      let pivot = stop[k];
      for (let j = k + 1; j < 4; j++) pivot += rate[4 * k + j];
      const inverse = 1 / pivot;
      perPivot[k] = inverse;
      for (let j = k + 1; j < 4; j++) rate[4 * k + j] *= inverse;
      for (let i = k + 1; i < 4; i++) {
        const into = rate[4 * i + k];
        stop[i] += into * (stop[k] * inverse);
        for (let j = k + 1; j < 4; j++) if (j !== i) rate[4 * i + j] += into * rate[4 * k + j];
      }
    }
  }

  /* The share of time in each state from a start distribution, written over it. */
  function occupy(rate, perPivot, delta, flow) {
    for (let k = 0; k < 3; k++) for (let j = k + 1; j < 4; j++) flow[j] += flow[k] * rate[4 * k + j];
    for (let k = 0; k < 4; k++) flow[k] *= delta;
    for (let k = 3; k >= 0; k--) {
      flow[k] *= perPivot[k];
      for (let j = 0; j < k; j++) flow[j] += flow[k] * rate[4 * k + j];
    }
  }

  const rate = new Float64Array(16), perPivot = new Float64Array(4), flow = new Float64Array(4);
  const w = new Float64Array(16), fromRoot = new Float64Array(4);

  function load(p, q, delta, order) {
    for (let i = 0; i < 4; i++) {
      const a = p[order[i] + 1], b = q[order[i] + 1];
      for (let j = 0; j < 4; j++) {
        const to = order[j];
        rate[4 * i + j] = (1 - delta) * (to < 2 ? a : 1 - a) * (to % 2 ? 1 - b : b);
      }
    }
    eliminate(rate, perPivot, delta);
  }

  const ORDERS = [[3, 1, 2, 0], [0, 3, 2, 1], [0, 1, 3, 2], [0, 1, 2, 3]]; // that state last, changed with DD

  /* Occupancy of CC, CD, DC, DD. */
  function occupancy(p, q, discount) {
    return occupied(p, swapped(q), stoppingRate(discount)).slice();
  }

  function occupied(p, q, delta) {
    load(p, q, delta, ORDERS[3]);
    flow[0] = p[0] * q[0]; flow[1] = p[0] * (1 - q[0]);
    flow[2] = (1 - p[0]) * q[0]; flow[3] = (1 - p[0]) * (1 - q[0]);
    occupy(rate, perPivot, delta, flow);
    return Array.from(flow);
  }

  /* Where `solve` leaves its results, in an array of 20: the occupancy v, and for a payoff of 1 in each of the four
  states alone w_CC − w_DC, w_CD − w_DD (player 1's choice) and w_CC − w_CD, w_DC − w_DD (player 2's). */
  const OWN = [4, 8], OTHERS = [12, 16];

  function solve(p, q, delta, out) {
    const v = occupied(p, q, delta);
    let root = 0;
    for (let s = 0; s < 4; s++) { out[s] = v[s]; if (v[s] > v[root]) root = s; }
    const order = ORDERS[root];
    load(p, q, delta, order);
    fromRoot.fill(0); fromRoot[3] = 1;
    occupy(rate, perPivot, delta, fromRoot);
    for (let t = 0; t < 4; t++) {
      for (let i = 0; i < 4; i++) flow[i] = (i === t ? 1 : 0) - fromRoot[t];
      for (let k = 0; k < 3; k++) {
        const scaled = flow[k] * perPivot[k];
        for (let i = k + 1; i < 4; i++) flow[i] += rate[4 * i + k] * scaled;
      }
      flow[3] = 0;
      for (let k = 0; k < 3; k++) flow[k] *= perPivot[k];
      for (let k = 2; k > 0; k--) for (let j = 0; j < k; j++) flow[j] += rate[4 * j + k] * flow[k];
      for (let i = 0; i < 4; i++) w[4 * order[t] + order[i]] = flow[i]; // payoff of state order[t]
    }
    for (let t = 0; t < 4; t++) {
      out[4 + t] = w[4 * t] - w[4 * t + 2]; out[8 + t] = w[4 * t + 1] - w[4 * t + 3];
      out[12 + t] = w[4 * t] - w[4 * t + 1]; out[16 + t] = w[4 * t + 2] - w[4 * t + 3];
    }
    return out;
  }

  /* Both players' returns, averages a step. */
  function returns(game, p, q, discount) {
    const v = occupancy(p, q, discount);
    return payoffs(game).map((r) => dot(v, r));
  }

  /* What is optimal against q in each context, in the replier's own view: policy iteration, as `ipd_theory.replies`. */
  function bestReplies(game, q, discount) {
    const delta = stoppingRate(discount), seen = Math.max(delta, Math.sqrt(EPSILON)), out = new Float64Array(20);
    const other = swapped(q), r = payoffs(game)[0];
    const of = (i) => r.reduce((sum, x, t) => sum + x * out[i + t], 0);
    let policy = [1, 1, 1, 1, 1], gains = [], tied = [];
    for (let turn = 0; turn < 200; turn++) {
      solve(policy, other, seen, out);
      const afterC = of(4), afterD = of(8), values = [0, -of(12), -afterC, -of(12) - afterD];
      gains = other.map((x) => x * afterC + (1 - x) * afterD);
      const { start, rows } = moves(policy, q);
      const atStake = spread(r) + spread([start, ...rows].map((row) => dot(row, values)));
      tied = gains.map((x) => Math.abs(x) <= 64 * EPSILON * atStake);
      const better = policy.map((x, s) => (tied[s] ? x : gains[s] > 0 ? 1 : 0));
      if (better.every((x, s) => x === policy[s])) break;
      policy = better;
    }
    const optimal = gains.map((x, s) => [tied[s] || x > 0, tied[s] || x < 0]);
    const reply = optimal.map(([cooperate]) => (cooperate ? 1 : 0));
    return { value: returns(game, policy, q, discount)[0], optimal, reply };
  }

  /* The 32 pure tables, in the package's order. */
  const allPure = () => Array.from({ length: 32 }, (_, i) => [16, 8, 4, 2, 1].map((bit) => (i & bit ? 0 : 1)));

  Object.assign(E, {
    OUTCOMES, CONTEXTS, OWN, OTHERS, EPSILON,
    swapped, stoppingRate, tremble, dot, spread, payoffs, moves, occupancy, solve, returns, bestReplies, allPure,
  });
})((globalThis.Explorer = globalThis.Explorer || {}));
