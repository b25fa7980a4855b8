"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const MOST_ROWS = 300; // of the list; the map shows all that pass the filters
  const POLL_MS = 2000;
  const SENSORS = { s1: "radar, " }; // what is not said is optical
  const stage = byId("stage");
  const shown = { area: null, left: 0, right: 1, flag: null };
  let data = { areas: [], runs: [], flags: [] };
  let map = null;
  let land = [];
  let working = "";
  const pictures = new Map();

  const node = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") made.className = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  const drawn = (tag, attributes, text) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const number = (value, digits = 3) => (value === null || value === undefined ? "not known" : String(Number(value.toPrecision(digits))));
  // Of radar, contrast is a natural logarithm of power; people read decibels.
  const contrast = ({ contrast: value, sensor }) => {
    if ((value ?? null) === null) return "not known";
    const [shown, places, unit] = sensor === "s1" ? [(value * 10) / Math.LN10, 1, " dB"] : [value, 3, ""];
    return (shown >= 0 ? "+" : "") + shown.toFixed(places) + unit;
  };
  const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const day = (moment) => moment.slice(0, 10);
  const areaOf = (key) => data.areas.find((area) => area.key === key);
  const runsOf = (area) => data.runs.filter((run) => run.area === area.key);
  const pressed = (button, on) => button.setAttribute("aria-pressed", String(on));

  const picture = (source) => {
    if (!pictures.has(source)) {
      const image = new Image();
      image.addEventListener("load", () => map?.redraw());
      image.src = source;
      pictures.set(source, image);
    }
    return pictures.get(source);
  };
  const describe = (area) => (col, row) => {
    const [u, v] = [col / area.cols, row / area.rows];
    const powers = [1, u, v, u * u, u * v, v * v];
    const [lon, lat] = area.places.map((terms) => terms.reduce((sum, term, k) => sum + term * powers[k], 0));
    const degrees = (value, signs) => `${Math.abs(value).toFixed(5)}° ${signs[value < 0 ? 1 : 0]}`;
    return `row ${Math.floor(row)}, column ${Math.floor(col)} · ${degrees(lat, "NS")} ${degrees(lon, "EW")}`;
  };

  // A flag's id is its own only within its run.
  const name = (flag) => `${flag.run}/${flag.id}`;
  const pairRuns = (area) => {
    const [left, right] = [area.dates[shown.left], area.dates[shown.right]].map((date) => date.moment).sort();
    return runsOf(area).filter((run) => run.before === left && run.after === right);
  };
  const wanted = (area) => {
    const form = new FormData(byId("filters"));
    const signs = new Set(form.getAll("sign"));
    const runs = new Set((form.get("run") === "all" ? runsOf(area) : pairRuns(area)).map((run) => run.key));
    const [from, to, p] = ["from", "to", "p"].map((key) => (form.get(key) ? Number(form.get(key)) : null));
    return data.flags.filter((flag) => runs.has(flag.run) && signs.has(flag.sign)
      && (!form.get("scale") || flag.scale === form.get("scale"))
      && (!form.get("zone") || (form.get("zone") === "outside" ? flag.zone === null : form.get("zone") === `zone ${flag.zone}`))
      && (from === null || flag.length_m >= from) && (to === null || flag.length_m <= to)
      && (p === null || (flag.p_value !== null && flag.p_value <= p)));
  };
  const mapFlag = (flag) => ({
    id: name(flag), label: flag.label, sign: flag.sign, scale: flag.scale, strength: 2, box: flag.box,
    path: flag.shape ??= new Path2D(flag.path),
  });

  const inspect = (flag) => {
    const inspector = byId("inspector");
    if (!flag) {
      inspector.replaceChildren();
      return;
    }
    const run = data.runs.find((one) => one.key === flag.run);
    const facts = {
      Zone: flag.zone ?? "outside the zones", "Length x width": `${number(flag.length_m)} x ${number(flag.width_m)} m`,
      Area: `${number(flag.area_m2)} m²`, Contrast: contrast(flag),
      p: (flag.p_value ?? null) === null ? "uncalibrated" : number(flag.p_value, 2),
      "Expected by chance": (flag.p_value ?? null) === null ? "not known" : number(flag.false_alarms, 2),
      "Consistent with": flag.candidates || "none named", Scale: flag.scale,
    };
    const list = node("dl");
    for (const [key, value] of Object.entries(facts)) list.append(node("dt", {}, key), node("dd", {}, value));
    const notes = node("ul", {}, ...flag.notes.map((note) => node("li", {}, note)));
    inspector.replaceChildren(
      node("h3", {}, `${flag.id}: ${flag.sign}, ${SENSORS[flag.sensor] ?? ""}${day(flag.before ?? run.before)} to ${day(flag.after ?? run.after)}`), list, ...(flag.notes.length ? [notes] : []),
    );
    if (run.report) {
      const link = node("a", { href: `run/${run.key}/report.html#${flag.id}`, target: "_blank", rel: "noopener" }, "Its pixels and numbers in the report");
      inspector.append(node("p", {}, link));
    }
  };
  const choose = (id, look = true) => {
    shown.flag = id;
    map.select(id, look);
    const flag = data.flags.find((one) => name(one) === id);
    for (const button of byId("list").querySelectorAll("button")) {
      const on = button.dataset.flag === id;
      pressed(button, on);
      if (on && look) button.scrollIntoView({ block: "nearest" });
    }
    inspect(flag);
  };
  const flagRow = (flag, several) => {
    const run = data.runs.find((one) => one.key === flag.run);
    const where = several ? `${day(run.after)} · ${flag.zone ?? "outside the zones"}` : flag.zone ?? "outside the zones";
    const p = run.calibrated ? `p ${number(flag.p_value, 2)}` : "uncalibrated";
    const button = node("button", { type: "button", "data-flag": name(flag), "aria-pressed": "false" },
      node("span", { class: `sign ${flag.sign}`, "aria-hidden": "true" }), node("span", { class: "tag" }, flag.id),
      node("span", {}, flag.sign, node("span", { class: "small" }, where)),
      node("span", { class: "figure" }, `${number(flag.length_m)} x ${number(flag.width_m)} m`, node("span", { class: "small" }, p)));
    return node("li", {}, button);
  };
  const refilter = () => {
    const area = areaOf(shown.area);
    const flags = wanted(area);
    const several = new Set(flags.map((flag) => flag.run)).size > 1;
    map.show({ flags: flags.map(mapFlag) });
    byId("list").replaceChildren(...flags.slice(0, MOST_ROWS).map((flag) => flagRow(flag, several)));
    const cut = flags.length > MOST_ROWS ? `; the first ${MOST_ROWS} are listed, the map shows all` : "";
    const pair = pairRuns(area).length === 0 && byId("filters").run.value === "pair";
    byId("count").textContent = pair ? "No run compared these two dates; see all of the area, or choose a run." : `${plural(flags.length, "flag")}${cut}`;
    if (!flags.some((flag) => name(flag) === shown.flag)) choose(null, false);
  };

  const faces = (area) => [shown.left, shown.right].map((index) => ({
    title: area.dates[index].words, image: picture(area.dates[index].picture),
  }));
  const drawAxis = (area) => {
    const axis = byId("axis");
    const width = Math.max(axis.clientWidth, 100);
    axis.setAttribute("viewBox", `0 0 ${width} 38`);
    const times = area.dates.map((date) => Date.parse(date.moment));
    const span = Math.max(times.at(-1) - times[0], 1);
    const x = (time) => 6 + ((time - times[0]) / span) * (width - 12);
    const marks = times.map((time, index) => {
      const on = index === shown.left || index === shown.right;
      return drawn("line", { x1: x(time), x2: x(time), y1: on ? 2 : 8, y2: 20, class: on ? "on" : "" });
    });
    axis.replaceChildren(
      drawn("line", { x1: 6, x2: width - 6, y1: 20, y2: 20 }), ...marks,
      drawn("text", { x: 0, y: 35 }, day(area.dates[0].moment)),
      drawn("text", { x: width, y: 35, "text-anchor": "end" }, day(area.dates.at(-1).moment)),
    );
  };
  const showDates = () => {
    const area = areaOf(shown.area);
    for (const side of ["left", "right"]) {
      byId(side).max = area.dates.length - 1;
      byId(side).value = shown[side];
      byId(side).setAttribute("aria-valuetext", area.dates[shown[side]].words);
      byId(`${side}-words`).textContent = area.dates[shown[side]].words;
    }
    map.show({ faces: faces(area) });
    drawAxis(area);
    const active = new Set(pairRuns(area).map((run) => run.key));
    for (const button of byId("runs").querySelectorAll("button")) pressed(button, active.has(button.dataset.run));
    byId("notice").textContent = [...new Set(runsOf(area).map((run) => run.notice))].slice(0, 2).join("; ");
    refilter();
  };
  const showRun = (run) => {
    const area = areaOf(run.area);
    shown.left = area.dates.findIndex((date) => date.moment === run.before);
    shown.right = area.dates.findIndex((date) => date.moment === run.after);
    showDates();
  };
  const runRow = (run) => {
    const chance = run.rate === null || run.searched_km2 === null ? "" : `, about ${number(run.rate * run.searched_km2, 2)} by chance`;
    const state = `${run.calibrated ? "calibrated" : "uncalibrated"}${run.complete ? "" : ", in part"}`;
    const button = node("button", { type: "button", "data-run": run.key, "aria-pressed": "false" }, `${day(run.before)} to ${day(run.after)}`,
      node("span", { class: "small" }, `${plural(run.flags, "flag")}${chance}; ${state}`));
    button.addEventListener("click", () => showRun(run));
    return node("li", {}, button);
  };
  const zoneChoices = (area) => {
    const names = [...new Set([...area.zones.map((zone) => zone.name), ...data.flags.filter((flag) => runsOf(area).some((run) => run.key === flag.run)).map((flag) => flag.zone)])];
    const options = names.filter((zone) => zone !== null).sort().map((zone) => node("option", { value: `zone ${zone}` }, zone));
    byId("filters").zone.replaceChildren(node("option", { value: "" }, "all"), ...options, node("option", { value: "outside" }, "outside the zones"));
  };
  const showArea = (key) => {
    shown.area = key;
    const area = areaOf(key);
    const runs = runsOf(area);
    for (const button of byId("areas").querySelectorAll("button")) pressed(button, button.dataset.area === key);
    for (const dot of byId("world").querySelectorAll("circle")) dot.classList.toggle("chosen", dot.dataset.area === key);
    byId("runs").replaceChildren(...runs.map(runRow));
    zoneChoices(area);
    const zones = area.zones.map((zone) => ({ ...zone, path: new Path2D(zone.path) }));
    const scene = {
      cols: area.cols, rows: area.rows, gsd: area.gsd, zones, watermark: area.watermark, colours: data.colours, flags: [],
      describe: describe(area), faces: [{ title: "" }, { title: "" }], on: { change: changed, select: choose },
    };
    for (const side of ["cols", "rows"]) stage.style.setProperty(`--${side}`, area[side]);
    if (map) map.show({ ...scene, fresh: true });
    else map = pixelMap(stage, scene);
    showRun(runs.at(-1));
  };
  const changed = (state) => {
    byId("position").value = Math.round(state.at * 100);
    for (const button of document.querySelectorAll("button[data-mode]")) pressed(button, button.dataset.mode === state.mode);
  };

  const drawWorld = () => {
    const boxes = data.areas.map((area) => area.box);
    const [west, east] = [Math.min(...boxes.map((box) => box[0])), Math.max(...boxes.map((box) => box[2]))];
    const [south, north] = [Math.min(...boxes.map((box) => box[1])), Math.max(...boxes.map((box) => box[3]))];
    const lat = (south + north) / 2;
    const squeeze = Math.max(Math.cos((lat * Math.PI) / 180), 0.2);
    const width = Math.min(Math.max((east - west) * 1.5, ((north - south) * 1.5 * 1.8) / squeeze, 34), 360);
    const height = (width * squeeze) / 1.8;
    const [left, top] = [(west + east - width) / 2, lat + height / 2];
    const x = (lon) => (lon - left) * squeeze;
    const y = (value) => top - value;
    const world = byId("world");
    world.setAttribute("viewBox", `0 0 ${width * squeeze} ${height}`);
    const path = land.map((ring) => `M${ring.map(([lon, value]) => `${x(lon).toFixed(2)},${y(value).toFixed(2)}`).join(" ")}Z`).join("");
    const dots = data.areas.map((area) => {
      const [cx, cy] = [x((area.box[0] + area.box[2]) / 2), y((area.box[1] + area.box[3]) / 2)];
      const dot = drawn("circle", { cx, cy, r: height / 30, "data-area": area.key });
      dot.append(drawn("title", {}, area.name));
      dot.addEventListener("click", () => showArea(area.key));
      return dot;
    });
    world.replaceChildren(drawn("path", { d: path, class: "land" }), ...dots);
  };
  const areaRow = (area) => {
    const runs = runsOf(area);
    const flags = runs.reduce((sum, run) => sum + run.flags, 0);
    const button = node("button", { type: "button", "data-area": area.key, "aria-pressed": "false" }, area.name,
      node("span", { class: "small" }, `${area.sensor}; ${plural(runs.length, "run")}, ${plural(flags, "flag")}; last `,
        node("b", {}, day(runs.map((run) => run.after).sort().at(-1)))));
    button.addEventListener("click", () => showArea(area.key));
    return node("li", {}, button);
  };
  const load = async () => {
    const answer = await fetch("runs.json");
    if (!answer.ok) {
      byId("sum").textContent = `The runs could not be read (${answer.status}): something in this folder is not as a run leaves it.`;
      document.querySelector("main").hidden = true;
      return;
    }
    data = await answer.json();
    byId("sum").textContent = `${plural(data.runs.length, "run")} of ${plural(data.areas.length, "area")}, ${plural(data.flags.length, "flag")}`;
    byId("problems").hidden = !data.problems.length;
    byId("problems").textContent = data.problems.slice(0, 5).join("\n");
    document.querySelector("main").hidden = !data.areas.length;
    if (!data.areas.length) return;
    byId("areas").replaceChildren(...data.areas.map(areaRow));
    drawWorld();
    showArea(areaOf(shown.area) ? shown.area : data.areas[0].key);
  };

  const jobRow = (job) => {
    const last = job.lines.at(-1) ?? "";
    const row = node("div", { class: "job" }, node("p", {}, node("strong", {}, job.name), ` ${job.running ? `since ${job.started.slice(11, 19)} UTC` : "was stopped"}: ${last}`));
    if (job.running) row.append(node("div", { class: "bar" }));
    return row;
  };
  const poll = async () => {
    try {
      const jobs = await (await fetch("jobs.json")).json();
      byId("jobs").hidden = !jobs.length;
      byId("jobs").replaceChildren(...jobs.map(jobRow));
      const now = jobs.filter((job) => job.running).map((job) => job.name).join("\n");
      if (working && now !== working) await load();
      working = now;
    } catch {
      byId("jobs").hidden = false;
      byId("jobs").replaceChildren(node("p", {}, "The viewer has ended; start `revisit view` again."));
      return;
    }
    setTimeout(poll, POLL_MS);
  };

  for (const side of ["left", "right"]) {
    byId(side).addEventListener("input", (event) => {
      shown[side] = Number(event.target.value);
      showDates();
    });
  }
  byId("position").addEventListener("input", (event) => map.swipe(event.target.value / 100));
  for (const button of document.querySelectorAll("button[data-mode]")) button.addEventListener("click", () => map.setMode(button.dataset.mode));
  byId("zoom-in").addEventListener("click", () => map.zoom(1.6));
  byId("zoom-out").addEventListener("click", () => map.zoom(1 / 1.6));
  byId("fit").addEventListener("click", () => map.fit());
  for (const layer of ["flags", "labels", "zones"]) {
    byId(`${layer}-on`).addEventListener("change", (event) => map.layer(layer, event.target.checked));
  }
  byId("filters").addEventListener("input", () => refilter());
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("list").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button.dataset.flag);
  });
  new ResizeObserver(() => shown.area && drawAxis(areaOf(shown.area))).observe(byId("axis"));
  fetch("static/land.json").then((answer) => answer.json()).then((rings) => {
    land = rings;
    return load();
  }).then(poll);
})();
