/* Strategies in a population: what they earn from each other, how shares move, who takes over whom.

Shares follow ẋ_i = x_i((Ax)_i − xᵀAx), integrated in u = log x. In a finite population of N players compare
themselves with another one and imitate it with probability 1 / (1 + exp(−β [π_other − π_own])); one mutant takes over
with probability ρ = 1 / (1 + Σ_k Π_{i ≤ k} exp(β [π_1(i) − π_0(i)])). While mutants are rare the population jumps
between strategies at rates ρ / (n − 1) (`ipd_theory.evolution`). */
(function (E) {
  "use strict";

  /* [n][n] what the row's strategy earns from the column's. */
  function roundRobin(game, tables, discount, error = 0) {
    const played = tables.map((table) => E.tremble(table, error));
    return played.map((p) => played.map((q) => E.returns(game, p, q, discount)[0]));
  }

  function softmax(u) {
    const most = Math.max(...u), weights = u.map((x) => Math.exp(x - most));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((x) => x / total);
  }

  /* Shares at `points` + 1 times from 0 to `time`: midpoint steps of 2, 4, …, 14 substeps, extrapolated to none. */
  function replicator(A, start, time, points) {
    const alive = start.map((x, i) => i).filter((i) => start[i] > 0);
    const scale = Math.max(...A.flat().map(Math.abs), 1e-300), least = 64 * E.EPSILON * scale;
    const growth = (u) => {
      const x = softmax(u), earned = alive.map((i) => alive.reduce((sum, j, k) => sum + (A[i][j] - A[j][j]) * x[k], 0));
      const mean = E.dot(x, earned);
      return earned.map((f) => (Math.abs(f - mean) <= least ? 0 : f - mean));
    };
    const spread = Math.max(...A.map((row) => Math.max(...row.map((a, j) => Math.abs(a - A[j][j]))))) || 1;
    const between = Math.max(1, Math.ceil(((time / points) * spread) / 2));
    let u = alive.map((i) => Math.log(start[i]));
    const path = [start.slice()];
    for (let t = 1; t <= points; t++) {
      for (let i = 0; i < between; i++) u = extrapolated(growth, u, time / points / between);
      const x = softmax(u);
      path.push(start.map((_, i) => (alive.includes(i) ? x[alive.indexOf(i)] : 0)));
    }
    return path;
  }

  function extrapolated(growth, u, h) {
    const add = (a, b, c) => a.map((x, i) => x + c * b[i]);
    const rows = [];
    for (let k = 1; k <= 7; k++) {
      const n = 2 * k, step = h / n;
      let before = u, now = add(u, growth(u), step);
      for (let i = 1; i < n; i++) [before, now] = [now, add(before, growth(now), 2 * step)];
      let entry = add(add(now, before, 1), growth(now), step).map((x) => x / 2);
      const row = [entry];
      for (let j = 1; j < k; j++) {
        const ratio = (k / (k - j)) ** 2 - 1;
        entry = entry.map((x, i) => x + (x - rows[k - 2][j - 1][i]) / ratio);
        row.push(entry);
      }
      rows.push(row);
    }
    return rows[6][6];
  }

  function logSum(x) {
    const most = Math.max(...x);
    return most === -Infinity ? most : most + Math.log(x.reduce((sum, a) => sum + Math.exp(a - most), 0));
  }

  /* The logarithm of the chance that one player of strategy i takes over a population of strategy j. */
  function logFixation(A, i, j, population, intensity) {
    const N = population, sums = [0];
    for (let k = 1, total = 0; k < N; k++) {
      const mine = ((k - 1) * A[i][i] + (N - k) * A[i][j]) / (N - 1);
      const theirs = (k * A[j][i] + (N - k - 1) * A[j][j]) / (N - 1);
      total += intensity * (theirs - mine);
      sums.push(total);
    }
    return -logSum(sums);
  }

  /* [n][n] the chance that one player of the column's strategy takes over a population of the row's. */
  const fixations = (A, population, intensity) =>
    A.map((_, j) => A.map((__, i) => Math.exp(logFixation(A, i, j, population, intensity))));

  /* The shares of time in each strategy while mutants are rare: states are eliminated, in logarithms. */
  function rareMutation(A, population, intensity) {
    const n = A.length, rate = A.map((_, j) => A.map((__, i) => logFixation(A, i, j, population, intensity)));
    for (let k = n - 1; k > 0; k--) {
      const leaving = logSum(rate[k].slice(0, k));
      for (let i = 0; i < k; i++) {
        rate[i][k] -= leaving;
        for (let j = 0; j < k; j++) rate[i][j] = logSum([rate[i][j], rate[i][k] + rate[k][j]]);
      }
    }
    const shares = [0];
    for (let k = 1; k < n; k++) shares.push(logSum(shares.map((x, i) => x + rate[i][k])));
    const total = logSum(shares);
    return shares.map((x) => Math.exp(x - total));
  }

  Object.assign(E, { roundRobin, replicator, fixations, rareMutation });
})(globalThis.Explorer);
