/* The page itself: one scene at a time, redrawn where its state changes; the address follows. */
(function (E) {
  "use strict";

  const { el, say } = E;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let open = null, frame = 0, quiet = 0;

  E.reducedMotion = () => still.matches;
  E.scene = (id) => E.scenes.find((scene) => scene.id === id);

  /* Change the state; what shows it is redrawn in the next frame, all changes until then at once. */
  E.change = function (patch) {
    E.state = { ...E.state, ...patch };
    if (!frame) frame = requestAnimationFrame(() => { frame = 0; update(); });
    clearTimeout(quiet);
    open.answer.setAttribute("aria-busy", "true"); // an answer is spoken once hands rest
    quiet = setTimeout(settled, 350);
  };

  function settled() {
    open.answer.removeAttribute("aria-busy");
    const said = E.fragment(E.state);
    if (location.hash !== said) history.replaceState(null, "", said);
    links();
  }

  function update() {
    const scene = E.scene(E.state.scene);
    open.controls.forEach((control) => control.refresh(E.state));
    const { answer } = scene.draw(E.state, open);
    if (open.answer.textContent !== answer) open.answer.textContent = answer;
    if (open.code.open) open.snippet.textContent = scene.python(E.state);
  }
  E.update = () => { cancelAnimationFrame(frame); frame = 0; update(); };

  /* The numbers that a scene shows. */
  E.numbers = (state) => E.scene(state.scene).numbers(state);

  function links() {
    for (const link of document.querySelectorAll("nav a")) {
      link.href = E.fragment(E.state, link.dataset.scene);
      if (link.dataset.scene === E.state.scene) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  async function copy(text, said) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = el("textarea", { readonly: true, class: "hidden" });
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    open.status.textContent = "";
    setTimeout(() => { open.status.textContent = said; }, 50);
  }

  function show() {
    if (open && open.leave) open.leave();
    const scene = E.scene(E.state.scene), words = `scenes.${scene.id}`;
    open = { controls: [], figures: {} };
    open.answer = el("p", { class: "answer", "aria-live": "polite", "aria-atomic": "true" });
    open.status = el("span", { class: "status", role: "status" });
    open.snippet = el("code");
    open.code = el("details", { class: "code", ontoggle: () => { open.snippet.textContent = scene.python(E.state); } },
      el("summary", {}, say("page.python")), el("pre", { tabindex: 0, role: "region", "aria-label": say("page.python") }, open.snippet));
    const controls = el("div", { class: "controls" }), figures = el("div", { class: "figures" });
    scene.build(open, controls, figures);
    controls.prepend(...open.controls.filter(({ node }) => !node.isConnected && !node.parentNode).map(({ node }) => node));
    const main = document.querySelector("main");
    main.replaceChildren(
      el("h2", { tabindex: -1 }, say(`${words}.question`)), el("p", { class: "about" }, say(`${words}.about`)),
      open.answer, el("div", { class: "layout" }, controls, figures),
      el("div", { class: "actions" },
        E.button(say("page.copyLink"), () => { settled(); copy(location.href, say("page.linkCopied")); }),
        E.button(say("page.copyPython"), () => copy(scene.python(E.state), say("page.pythonCopied"))),
        E.button(say("page.reset"), () => { location.hash = `#${E.VERSION}/${scene.id}`; }), open.status),
      open.code);
    document.title = `${say(`${words}.name`)} – ${say("page.title")}`;
    update();
    links();
  }

  /* Read the address; a scene is built anew only where it is another one. */
  function arrive(first) {
    const found = E.read(location.hash, first ? E.usualState() : E.state);
    document.querySelector("#notice").textContent = found ? "" : say("page.unknownAddress");
    const before = first ? null : E.state.scene;
    E.state = found || E.usualState();
    if (E.state.scene === before) { E.update(); links(); return; }
    show();
    if (!first) { scrollTo(0, 0); document.querySelector("h2").focus({ preventScroll: true }); }
  }

  /* Open a scene with other fields than it has now. */
  E.go = (scene, patch) => { location.hash = E.fragment({ ...E.state, ...patch }, scene); };

  function begin() {
    document.documentElement.lang = E.words.language;
    document.querySelector("h1").textContent = say("page.title");
    document.querySelector("#subtitle").textContent = say("page.subtitle");
    document.querySelector("#skip").textContent = say("page.skip");
    const nav = document.querySelector("nav");
    nav.setAttribute("aria-label", say("page.scenes"));
    nav.append(el("ul", {}, E.scenes.map(({ id }) =>
      el("li", {}, el("a", { "data-scene": id }, say(`scenes.${id}.name`))))));
    document.querySelector("footer").textContent = say("page.footer");
    document.querySelector("#skip").addEventListener("click", (event) => {
      event.preventDefault();
      document.querySelector("h2").focus();
    });
    addEventListener("hashchange", () => arrive(false));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => E.update());
    arrive(true);
  }

  begin();
})(globalThis.Explorer);
