(() => {
  const byId = (id) => document.getElementById(id);
  const store = byId("store");
  const stage = byId("stage");
  const number = (text) => Number(text);
  const box = (node) => node.dataset.box.split(" ").map(number);

  const pictureOf = (id) => {
    const image = new Image();
    image.addEventListener("load", () => map?.redraw());
    image.src = byId(id).getAttribute("href");
    return image;
  };
  const pictures = new Map();
  const picture = (id) => {
    if (!pictures.has(id)) pictures.set(id, pictureOf(id));
    return pictures.get(id);
  };
  const flagOf = (node) => ({
    id: node.id.slice("path-".length), label: node.dataset.label, sign: node.dataset.sign, scale: node.dataset.scale,
    strength: number(node.dataset.strength), box: box(node), path: new Path2D(node.getAttribute("d")),
  });
  const zoneOf = (node) => ({ name: node.dataset.name, box: box(node), path: new Path2D(node.getAttribute("d")) });

  const cols = number(store.dataset.cols);
  const rows = number(store.dataset.rows);
  const places = JSON.parse(store.dataset.places);
  const degrees = (value, signs) => `${Math.abs(value).toFixed(5)}° ${signs[value < 0 ? 1 : 0]}`;
  const describe = (col, row) => {
    const [u, v] = [col / cols, row / rows];
    const powers = [1, u, v, u * u, u * v, v * v];
    const [lon, lat] = places.map((terms) => terms.reduce((sum, term, k) => sum + term * powers[k], 0));
    return `row ${Math.floor(row)}, column ${Math.floor(col)} · ${degrees(lat, "NS")} ${degrees(lon, "EW")}`;
  };
  const facesOf = (kind) => {
    const title = { "statistic-object": "Change heat, objects", "statistic-area": "Change heat, areas", both: "Both dates in one" }[kind];
    const whole = title !== undefined;
    const before = whole ? "picture-before" : `${kind}-before`;
    return [
      { title: `Before ${stage.dataset.before}`, image: picture(before) },
      { title: whole ? title : `After ${stage.dataset.after}`, image: picture(whole ? kind : `${kind}-after`) },
    ];
  };

  const style = getComputedStyle(document.documentElement);
  const colours = Object.fromEntries(["appeared", "vanished", "altered"].map((sign) => [sign, style.getPropertyValue(`--${sign}`).trim()]));
  const position = byId("position");
  const modes = [...document.querySelectorAll("#instrument button[data-mode]")];
  const choices = [...document.querySelectorAll("#list [data-flag]")];
  const hint = byId("inspector")?.firstElementChild.cloneNode(true);

  // What only paper, readers without scripts and later moments need stands in the page as text.
  const fill = (place) => {
    for (const kept of place.querySelectorAll("noscript")) {
      kept.insertAdjacentHTML("afterend", kept.textContent);
      kept.remove();
    }
  };
  const inspect = (id) => {
    const inspector = byId("inspector");
    if (!inspector) return;
    const card = id && byId(id);
    if (!card) {
      inspector.replaceChildren(hint.cloneNode(true));
      if (id) inspector.firstChild.textContent = `The numbers of ${id} stand in the table below.`;
      return;
    }
    fill(card);
    const copy = card.cloneNode(true);
    for (const node of copy.querySelectorAll("[id]")) node.removeAttribute("id");
    for (const link of copy.querySelectorAll(".facts > p:last-child")) link.remove();
    inspector.replaceChildren(...copy.childNodes);
  };
  const choose = (id, look = true) => {
    map.select(id, look);
    for (const button of choices) {
      const on = button.dataset.flag === id;
      button.setAttribute("aria-pressed", String(on));
      if (on) button.scrollIntoView({ block: "nearest" });
    }
    inspect(id);
  };
  const changed = (state) => {
    position.value = Math.round(state.at * 100);
    position.setAttribute("aria-valuetext", `${position.value} percent of the width shows the before date`);
    byId("slide").hidden = state.mode !== "swipe";
    byId("instrument").dataset.mode = state.mode;
    for (const button of modes) button.setAttribute("aria-pressed", String(button.dataset.mode === state.mode));
  };

  let map;
  byId("instrument").hidden = false;
  byId("still").classList.add("print-only");
  map = pixelMap(stage, {
    cols, rows, gsd: number(store.dataset.gsd), colours, describe, faces: facesOf("picture"),
    flags: [...document.querySelectorAll("#store path.shape")].map(flagOf),
    zones: [...document.querySelectorAll("#zones path")].filter((node) => node.dataset.box).map(zoneOf),
    watermark: store.dataset.watermark, on: { change: changed, select: choose },
  });
  position.addEventListener("input", () => map.swipe(position.value / 100));
  for (const button of modes) button.addEventListener("click", () => map.setMode(button.dataset.mode));
  byId("colour").addEventListener("change", (event) => map.show({ faces: facesOf(event.target.value) }));
  byId("zoom-in").addEventListener("click", () => map.zoom(1.6));
  byId("zoom-out").addEventListener("click", () => map.zoom(1 / 1.6));
  byId("fit").addEventListener("click", map.fit);
  byId("next")?.addEventListener("click", () => map.next(1));
  byId("previous")?.addEventListener("click", () => map.next(-1));
  for (const button of choices) button.addEventListener("click", () => choose(button.dataset.flag));
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".to-map");
    if (link) choose(link.dataset.flag);
  });
  const caveats = [...document.querySelectorAll(".caveat")];
  const unfold = () => caveats.forEach((caveat) => { caveat.open = true; });
  if (matchMedia("(min-width: 62rem)").matches) unfold();
  addEventListener("beforeprint", unfold);
  // What is out of sight is made and laid out after the page has come up: all at once, it would keep the map waiting.
  const SETTLED_MS = 400;
  const AT_ONCE = 4; // of them in one go, so that the frame after it comes in time
  const reveal = (node) => {
    fill(node);
    node.style.setProperty("content-visibility", "visible");
  };
  const later = [byId("still"), ...document.querySelectorAll("article, #list li")];
  const layOut = (idle) => {
    let made = 0;
    do reveal(later.shift()); while (later.length && (made += 1) < AT_ONCE && idle.timeRemaining() > 8);
    if (later.length) requestIdleCallback(layOut);
  };
  addEventListener("load", () => setTimeout(() => window.requestIdleCallback?.(layOut), SETTLED_MS));
  addEventListener("beforeprint", () => fill(document));
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) fill(target);
  }, { rootMargin: "100%" });
  for (const card of document.querySelectorAll("article")) near.observe(card);
  for (const name of ["flags", "labels", "zones"]) {
    byId(`${name}-on`).addEventListener("change", (event) => map.layer(name, event.target.checked));
  }
})();
