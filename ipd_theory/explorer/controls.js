/* Controls: real inputs with labels, each bound to the state. A control is {node, refresh(state)}. */
(function (E) {
  "use strict";

  const { el, say, number } = E;
  let count = 0;
  const fresh = () => `control-${(count += 1)}`;

  /* A slider with its number beside it. `get` reads it from the state, `set` gives the change of the state. */
  function slider({ label, low, high, step = (high - low) / 100, get, set, show = (x) => number(x, 2), log = false, note }) {
    const id = fresh(), to = log ? Math.log : (x) => x, from = log ? Math.exp : (x) => x;
    const whole = step >= 1;
    const input = el("input", {
      id, type: "range", min: to(low), max: to(high), step: whole && !log ? step : "any",
      oninput: () => E.change(set(rounded(from(Number(input.value))))),
      onkeydown: (event) => {
        const ways = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
        if (!(event.key in ways) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        const now = get(E.state), way = ways[event.key];
        const next = log ? now * (high / low) ** (way / 50) : now + way * step;
        const moved = whole ? Math.max(Math.abs(Math.round(next) - now), 1) * Math.sign(way) + now : next;
        E.change(set(rounded(Math.min(high, Math.max(low, moved)))));
      },
    });
    const rounded = (x) => {
      if (whole) return Math.round(x);
      const unit = log ? 10 ** (Math.floor(Math.log10(x)) - 1) : 10 ** Math.floor(Math.log10(step) + 1e-9);
      return Number((Math.round(x / unit) * unit).toPrecision(10));
    };
    const output = el("output", { for: id });
    const node = el("div", { class: "slider" }, el("label", { for: id }, label), input, output,
      note && el("p", { class: "note" }, note));
    return {
      node, input,
      refresh(state) {
        const x = get(state);
        input.value = to(x);
        output.textContent = show(x);
        input.setAttribute("aria-valuetext", show(x));
      },
    };
  }

  /* A slider of one field of the state. */
  const fieldSlider = (name, label, more = {}) => slider({
    label, get: (state) => state[name], set: (x) => ({ [name]: x }), ...E.FIELDS[name].limits,
    ...(E.FIELDS[name].limits.whole ? { step: 1, show: (x) => number(x, 0) } : {}), ...more,
  });

  function select({ label, options, get, set }) {
    const id = fresh();
    const input = el("select", { id, onchange: () => E.change(set(input.value)) },
      options.map(([value, words]) => el("option", { value }, words)));
    return {
      node: el("div", { class: "select" }, el("label", { for: id }, label), input),
      refresh(state) { input.value = get(state); },
    };
  }

  const group = (legend, ...controls) => ({
    node: el("fieldset", {}, el("legend", {}, legend), controls.map(({ node }) => node)),
    refresh(state) { controls.forEach((control) => control.refresh(state)); },
  });

  /* A name to choose, its number if it has one, and the five probabilities, which make a table of one's own. */
  function strategy(key, legend) {
    const table = (state) => E.table(state[key], E.game(state), state.discount);
    const parts = (state) => E.parse(state[key]);
    const chosen = select({
      label: say("controls.strategy"),
      options: [...E.NAMES.map((name) => [name, say(`names.${name}`)]), ["OWN", say("names.OWN")]],
      get: (state) => parts(state).name,
      set: (name) => ({
        [key]: name === "OWN" ? (table(E.state) || [0.5, 0.5, 0.5, 0.5, 0.5]).map(E.shortest).join(",")
          : E.written(name, E.NUMBERS[name] && E.NUMBERS[name].usual),
      }),
    });
    const numbers = Object.entries(E.NUMBERS).map(([name, { word, low, high }]) => {
      const made = slider({
        label: say(`controls.${word}`), low, high,
        get: (state) => (parts(state).name === name ? parts(state).number : low),
        set: (x) => ({ [key]: E.written(name, x) }),
      });
      return { node: made.node, refresh(state) { made.node.hidden = parts(state).name !== name; made.refresh(state); } };
    });
    const chances = E.CONTEXTS.map((context, s) => slider({
      label: say(`contexts.${context}`), low: 0, high: 1,
      get: (state) => (table(state) || [0, 0, 0, 0, 0])[s],
      set: (x) => {
        const now = (table(E.state) || [0.5, 0.5, 0.5, 0.5, 0.5]).slice();
        now[s] = x;
        return { [key]: now.map(E.shortest).join(",") };
      },
    }));
    const missing = el("p", { class: "warning", hidden: true }, say("controls.impossible"));
    const inside = group(legend, chosen, ...numbers, ...chances);
    inside.node.append(missing);
    return { node: inside.node, refresh(state) { inside.refresh(state); missing.hidden = table(state) !== null; } };
  }

  /* The discount, errors and payoffs, which scenes share. */
  function settings({ most = 1, error = true } = {}) {
    const controls = [slider({
      label: say("controls.discount"), low: 0, high: most, step: 0.01, get: (state) => Math.min(state.discount, most),
      set: (discount) => ({ discount }), show: (x) => (x === 1 ? say("controls.limit") : number(x, x > 0.99 ? 3 : 2)),
    })];
    if (error) controls.push(slider({
      label: say("controls.error"), low: 0, high: 0.5, step: 0.01, get: (state) => state.error,
      set: (x) => ({ error: x }), show: (x) => E.percent(x),
    }));
    const payoffs = ["R", "S", "T", "P"].map((name) => slider({
      label: say(`controls.${name}`), low: -10, high: 10, step: 0.1, get: (state) => state[name],
      set: (x) => ({ [name]: x }), show: (x) => number(x, 1),
    }));
    const order = el("p", { class: "warning" }, say("controls.order"));
    const folded = el("details", { class: "payoffs" }, el("summary", {}, say("controls.payoffs")),
      payoffs.map(({ node }) => node));
    const made = group(say("controls.game"), ...controls);
    made.node.append(folded, order);
    return {
      node: made.node,
      refresh(state) {
        made.refresh(state);
        payoffs.forEach((one) => one.refresh(state));
        order.hidden = E.isDilemma(E.game(state));
      },
    };
  }

  const button = (words, onclick, more = {}) => el("button", { type: "button", onclick, ...more }, words);

  Object.assign(E, { slider, fieldSlider, select, group, strategy, settings, button });
})(globalThis.Explorer);
