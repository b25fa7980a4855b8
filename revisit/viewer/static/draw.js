"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("form");
  const host = byId("stage");
  let scene = null;
  let map = null;
  let corners = []; // of the outline that is being drawn: [col, row]
  let area = null; // rings of lon/lat; null: as it was
  let zones = []; // {name, kind, source, accuracy_m, coordinates}

  const powers = (u, v) => [1, u, v, u * u, u * v, v * v];
  const lonlat = ([col, row]) => scene.places.map((terms) => {
    const here = powers(col / scene.cols, row / scene.rows);
    return Number(terms.reduce((sum, term, k) => sum + term * here[k], 0).toFixed(7));
  });
  // Back from longitude and latitude: Newton's steps on the same surface, which is nearly a plane.
  const gridPlace = ([lon, lat]) => {
    let [u, v] = [0.5, 0.5];
    for (let step = 0; step < 8; step += 1) {
      const here = powers(u, v);
      const [x, y] = scene.places.map((terms) => terms.reduce((sum, term, k) => sum + term * here[k], 0));
      const [[xu, xv], [yu, yv]] = scene.places.map((t) => [t[1] + 2 * t[3] * u + t[4] * v, t[2] + t[4] * u + 2 * t[5] * v]);
      const det = xu * yv - xv * yu;
      u += ((lon - x) * yv - (lat - y) * xv) / det;
      v += ((lat - y) * xu - (lon - x) * yu) / det;
    }
    return [u * scene.cols, v * scene.rows];
  };
  const closed = (ring) => [...ring, ring[0]];
  const trace = (rings, open = false) => `${rings.map((ring) => `M${ring.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ")}`).join("")}${open ? "" : "Z"}`;
  const boxOf = (rings) => {
    const [xs, ys] = [0, 1].map((k) => rings.flat().map((point) => point[k]));
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  };
  const layer = (name, rings, open) => ({ name, box: boxOf(rings), path: new Path2D(trace(rings, open)) });
  const polygons = (geometry) => (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates);
  const ringsOf = (geometry) => polygons(geometry).flat().map((ring) => ring.map(gridPlace));

  const redraw = () => {
    const shapes = [layer(scene.name, ringsOf(area))];
    for (const zone of zones) shapes.push(layer(zone.name, ringsOf(zone.geometry)));
    const marks = corners.map(([x, y]) => [[x - 0.4, y - 0.4], [x + 0.4, y - 0.4], [x + 0.4, y + 0.4], [x - 0.4, y + 0.4], [x - 0.4, y - 0.4]]);
    const draft = layer("", [corners, ...marks], true);
    const flags = corners.length ? [{ ...draft, id: "draft", label: "", sign: "appeared", scale: "object", strength: 2 }] : [];
    map.show({ zones: shapes, flags });
    byId("state").textContent = corners.length ? `${corners.length} corner${corners.length === 1 ? "" : "s"}; three at least make an outline.` : "No corners yet.";
    byId("zones").replaceChildren(...zones.map((zone) => {
      const row = document.createElement("li");
      const drop = document.createElement("button");
      drop.type = "button";
      drop.textContent = "Remove";
      drop.setAttribute("aria-label", `Remove ${zone.name}`);
      drop.addEventListener("click", () => {
        zones = zones.filter((one) => one !== zone);
        redraw();
      });
      const words = document.createElement("span");
      words.textContent = `${zone.name} (${zone.kind})`;
      row.append(words, drop);
      return row;
    }));
  };
  const say = (text) => {
    byId("said").textContent = text;
  };
  const close = () => {
    if (corners.length < 3) {
      say("An outline needs three corners at least.");
      return;
    }
    const geometry = { type: "Polygon", coordinates: [closed(corners.map(lonlat))] };
    if (form.what.value === "area") {
      area = geometry;
    } else {
      const name = form.zone.value.trim();
      if (!name || zones.some((zone) => zone.name === name)) {
        say(name ? `There is a zone ${name} already.` : "Give the zone a name first.");
        return;
      }
      const source = scene.picture ? `drawn by eye on the picture of ${scene.words}` : "drawn by eye";
      zones.push({ name, kind: form.kind.value, source, ...(scene.picture ? { accuracy_m: 2 * scene.gsd } : {}), geometry });
      form.zone.value = "";
    }
    corners = [];
    say("");
    redraw();
  };
  const undo = () => {
    corners.pop();
    redraw();
  };
  const add = (col, row) => {
    corners.push([col, row]);
    say("");
    redraw();
  };
  const save = async () => {
    const feature = (properties, geometry) => ({ type: "Feature", properties, geometry });
    const features = [feature({ type: "area", name: scene.name }, area)];
    for (const { geometry, ...properties } of zones) features.push(feature({ type: "zone", ...properties }, geometry));
    const body = JSON.stringify({ type: "FeatureCollection", features });
    try {
      const answer = await (await fetch("save", { method: "POST", body })).json();
      say(answer.error ?? `Saved ${answer.saved} with ${answer.zones} zone${answer.zones === 1 ? "" : "s"}. This page can be closed; drawing on and saving again replaces the file as long as the command runs.`);
    } catch {
      say("The command has ended: nothing was saved.");
    }
  };

  fetch("scene.json").then((answer) => answer.json()).then((found) => {
    scene = found;
    const features = scene.drawn.features;
    area = features.find((feature) => feature.properties.type === "area").geometry;
    zones = features.filter((feature) => feature.properties.type === "zone").map(({ properties: { type, ...rest }, geometry }) => ({ ...rest, geometry }));
    byId("name").textContent = scene.name;
    byId("file").textContent = scene.file;
    byId("words").textContent = scene.words;
    for (const kind of scene.kinds) form.kind.add(new Option(kind, kind));
    const image = new Image();
    image.addEventListener("load", () => map.redraw());
    if (scene.picture) image.src = "picture.png";
    const describe = (col, row) => {
      const [lon, lat] = lonlat([col, row]);
      return `${lat.toFixed(5)}, ${lon.toFixed(5)}`;
    };
    map = pixelMap(host, {
      cols: scene.cols, rows: scene.rows, gsd: scene.gsd, zones: [], flags: [], colours: { appeared: "#ffb000" }, describe,
      faces: [{ title: scene.words.split(",")[0], image }, { title: "", image }], on: { place: add },
      watermark: scene.watermark,
    });
    map.setMode("single");
    redraw();
  });
  host.addEventListener("keydown", (event) => {
    const keys = { " ": () => add(map.view.x, map.view.y), Enter: close, Backspace: undo };
    if (!keys[event.key] || event.target !== host) return;
    event.preventDefault();
    keys[event.key]();
  });
  byId("close").addEventListener("click", close);
  byId("undo").addEventListener("click", undo);
  byId("save").addEventListener("click", save);
  form.addEventListener("submit", (event) => event.preventDefault());
})();
