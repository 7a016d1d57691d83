/* What all scenes share: elements, words, numbers as text, and the state that the address holds. */
(function (E) {
  "use strict";

  const VERSION = 1;
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  /* The words at a path of `E.words`, with {names} replaced. */
  function say(path, values = {}) {
    const words = path.split(".").reduce((at, key) => (at === undefined ? at : at[key]), E.words);
    if (typeof words !== "string") throw new Error(`no words for ${path}`);
    return words.replace(/\{(\w+)\}/g, (_, name) => {
      if (!(name in values)) throw new Error(`${path} asks for ${name}`);
      return values[name];
    });
  }

  const MINUS = "\u2212";
  /* A number with so many digits after the point, −0 as 0, and a minus sign that is one. */
  function number(x, digits = 3) {
    if (x === Infinity) return "∞";
    if (x === null || Number.isNaN(x)) return "–";
    const text = x.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", MINUS);
  }
  const percent = (x) => `${number(100 * x, x > 0 && x < 0.001 ? 2 : x < 0.1 && x > 0 ? 1 : 0)} %`;

  /* The state: its names, what they are when the address does not say, and what they may be. */
  const KINDS = {
    number: ({ low, high, whole }) => (text) => {
      const x = Number(text);
      if (text.trim() === "" || !Number.isFinite(x)) return undefined;
      const held = Math.min(high, Math.max(low, x));
      return whole ? Math.round(held) : held;
    },
    choice: ({ among }) => (text) => (among.includes(text) ? text : undefined),
    strategy: () => (text) => (E.parse(text) ? text : undefined),
    strategies: ({ most }) => (text) => {
      const names = text.split(" ").filter((name) => E.parse(name)).slice(0, most);
      return names.length > 1 ? names.join(" ") : undefined;
    },
  };
  const FIELDS = {};

  function field(name, kind, usual, limits = {}) {
    FIELDS[name] = { usual, limits, read: KINDS[kind](limits) };
  }

  field("R", "number", 1, { low: -10, high: 10 });
  field("S", "number", -1, { low: -10, high: 10 });
  field("T", "number", 2, { low: -10, high: 10 });
  field("P", "number", 0, { low: -10, high: 10 });
  field("discount", "number", 0.95, { low: 0, high: 1 });
  field("error", "number", 0, { low: 0, high: 0.5 });

  const game = (state) => ({ R: state.R, S: state.S, T: state.T, P: state.P });
  const usualState = () => ({
    scene: E.scenes[0].id, ...Object.fromEntries(Object.entries(FIELDS).map(([name, { usual }]) => [name, usual])),
  });

  /* The fragment that says a scene and, of the fields that it shows, those that are not as usual. */
  function fragment(state, scene = state.scene) {
    const shown = E.scenes.find(({ id }) => id === scene).fields;
    const parts = shown.filter((name) => state[name] !== FIELDS[name].usual)
      .map((name) => `${name}=${encodeURIComponent(state[name]).replace(/%20/g, "+").replace(/%2C/g, ",")}`);
    return `#${VERSION}/${scene}${parts.length ? "?" : ""}${parts.join("&")}`;
  }

  /* The state that a fragment says; what it does not say stays. Null if it is of another version. */
  function read(text, state) {
    const found = /^#?(\d+)\/(\w+)(?:\?(.*))?$/.exec(text);
    if (!found) return text.replace("#", "") === "" ? { ...state } : null;
    const scene = E.scenes.find(({ id }) => id === found[2]);
    if (Number(found[1]) !== VERSION || !scene) return null;
    const next = { ...state, scene: scene.id };
    for (const name of scene.fields) next[name] = FIELDS[name].usual;
    for (const [name, value] of new URLSearchParams(found[3] || "")) {
      const meant = scene.fields.includes(name) ? FIELDS[name].read(value) : undefined;
      if (meant !== undefined) next[name] = meant;
    }
    return next;
  }

  E.scenes = [];
  Object.assign(E, { VERSION, el, svg, say, number, percent, FIELDS, field, game, usualState, fragment, read });
})(globalThis.Explorer);
