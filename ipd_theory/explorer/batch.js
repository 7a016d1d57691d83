/* What four estimators of the learning-aware policy gradient credit one action with (`ipd_theory.sampling.estimators`).

B trajectories of M inner episodes of T steps; the learner in them updates after each inner episode from all B. With c
the rewards from now to the end of the inner episode and f those of later ones, an overbar for the mean over B:

    COALA-PG  c/B + f̄      batch-unaware  (c + f)/B      M-FOS  c + f̄      full  c̄ + f̄ */
(function (E) {
  "use strict";

  const ESTIMATORS = ["coala", "batch_unaware", "m_fos", "full"];

  /* What reward [b][m][t] is multiplied by in the weight of the action at `at` = {b, m, t}. */
  function coefficient(name, at, b, m, t, B) {
    const own = b === at.b, now = m === at.m && t >= at.t, later = m > at.m;
    if (!now && !later) return 0;
    if (name === "full") return 1 / B;
    if (name === "batch_unaware") return own ? 1 / B : 0;
    if (later) return 1 / B;
    return own ? (name === "m_fos" ? 1 : 1 / B) : 0;
  }

  /* The weight of one action, and its two sums: from the current inner episode, and from later ones. */
  function credit(name, rewards, at) {
    let now = 0, later = 0;
    rewards.forEach((episodes, b) => episodes.forEach((steps, m) => steps.forEach((r, t) => {
      const x = coefficient(name, at, b, m, t, rewards.length) * r;
      if (m === at.m) now += x; else later += x;
    })));
    return { now, later, weight: now + later };
  }

  /* A small seeded generator (mulberry32), so that an address always shows the same play. */
  function generator(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  /* Ego's rewards [B][M][T] where it plays p against a learner that begins at ½ everywhere and, after each inner
  episode, takes an exact gradient step: all trajectories meet the same learner. */
  function play(game, p, { discount, rate, batch, episodes, steps, seed }) {
    const chance = generator(seed), mine = E.payoffs(game)[0];
    const { tables } = E.walk(game, p, [0.5, 0.5, 0.5, 0.5, 0.5], { discount, rate, steps: episodes - 1 });
    return Array.from({ length: batch }, () => tables.map((learner) => {
      let mineNow = 0, theirs = 0;
      return Array.from({ length: steps }, () => {
        const a = chance() < p[mineNow] ? 0 : 1, b = chance() < learner[theirs] ? 0 : 1;
        mineNow = 1 + 2 * a + b; theirs = 1 + 2 * b + a;
        return mine[2 * a + b];
      });
    }));
  }

  Object.assign(E, { ESTIMATORS, coefficient, credit, play });
})(globalThis.Explorer);
