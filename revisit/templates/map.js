"use strict";
// A map of one grid on a canvas: two pictures swiped, blinked or side by side, down to single pixels, with flags and
// zones on top. It knows nothing of pages: what is shown comes in `scene`, what happens goes out by `scene.on`.
const SURROUND = "#12161a";
const CASE = "#101418";
const LIGHT = "#ffffff";
const WIDTHS = { 1: 1.25, 2: 2, 3: 3 };
const MOST_ZOOM = 48; // screen pixels per pixel of the grid
const GRID_FROM = 14; // from this zoom on the pixels' edges are drawn
const LABEL_ROOM = 9000; // square screen pixels of map for each label
const MOST_LABELS = 60;
const BLINK_MS = 700; // under the three flashes a second that can harm
const TEXT = "600 12px system-ui, sans-serif";
const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");

const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

const niceLength = (most) => {
  const step = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((factor) => factor * step).find((length) => length <= most * (1 + 1e-9));
};

const lengthText = (metres) => (metres >= 1000 ? `${metres / 1000} km` : `${metres} m`);

const element = (tag, name, text) => {
  const node = document.createElement(tag);
  node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

const hatchPattern = (ctx) => {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  for (let y = 0; y < 8; y += 1) {
    for (let x = 0; x < 8; x += 1) {
      pen.fillStyle = (x + y) % 8 < 4 ? "#e8e8e8" : "#b2b2b2";
      pen.fillRect(x, y, 1, 1);
    }
  }
  return ctx.createPattern(tile, "repeat");
};

// Flags of one look are stroked together: a thousand outlines then cost as much as a few.
const grouped = (flags) => {
  const groups = new Map();
  for (const flag of flags) {
    const key = `${flag.sign} ${flag.strength} ${flag.scale}`;
    if (!groups.has(key)) groups.set(key, { ...flag, path: new Path2D() });
    groups.get(key).path.addPath(flag.path);
  }
  return [...groups.values()].sort((a, b) => a.strength - b.strength);
};

const pixelMap = (host, first) => {
  let scene = first;
  const canvas = element("canvas", "map-canvas");
  const divider = element("div", "map-divider");
  const tags = [element("p", "map-tag left"), element("p", "map-tag right")];
  const readout = element("p", "map-readout");
  const hint = element("p", "map-hint", "Click the map first, or hold Ctrl, to zoom with the wheel");
  host.replaceChildren(canvas, divider, ...tags, readout, hint);
  host.classList.add("map");
  const ctx = canvas.getContext("2d");
  const hatch = hatchPattern(ctx);
  const view = { x: scene.cols / 2, y: scene.rows / 2, k: 1, fitted: true };
  const state = { mode: "swipe", at: 0.5, face: 1, selected: null, flags: true, labels: true, zones: true };
  const pointers = new Map();
  let size = { w: 1, h: 1, ratio: 1 };
  let groups = grouped(scene.flags);
  let cursor = null;
  let moved = 0;
  let pinch = 0;
  let queued = 0;
  let timer = 0;

  const panes = () => {
    if (state.mode !== "side") return [{ x: 0, y: 0, w: size.w, h: size.h, faces: [0, 1] }];
    if (size.w >= size.h * 0.9) {
      const half = size.w / 2;
      return [0, 1].map((face) => ({ x: face * half, y: 0, w: half, h: size.h, faces: [face] }));
    }
    const half = size.h / 2;
    return [0, 1].map((face) => ({ x: 0, y: face * half, w: size.w, h: half, faces: [face] }));
  };
  const fitZoom = () => {
    const pane = panes()[0];
    return Math.min(pane.w / scene.cols, pane.h / scene.rows);
  };
  const origin = (pane) => {
    const round = (value) => Math.round(value * size.ratio) / size.ratio;
    return [round(pane.x + pane.w / 2 - view.x * view.k), round(pane.y + pane.h / 2 - view.y * view.k)];
  };
  const paneAt = (x, y) =>
    panes().find((pane) => x >= pane.x && x < pane.x + pane.w && y >= pane.y && y < pane.y + pane.h) ?? panes()[0];
  const toGrid = (x, y) => {
    const [left, top] = origin(paneAt(x, y));
    return [(x - left) / view.k, (y - top) / view.k];
  };

  const publish = () => {
    Object.assign(host.dataset, {
      x: view.x.toFixed(2), y: view.y.toFixed(2), k: view.k.toFixed(4), mode: state.mode, face: state.face,
      at: state.at.toFixed(3), selected: state.selected ?? "", visible: scene.flags.length,
    });
    divider.style.left = `${state.at * 100}%`;
    divider.hidden = state.mode !== "swipe";
    const alone = state.mode === "blink" || state.mode === "single";
    tags.forEach((tag, side) => {
      const face = state.mode === "blink" ? state.face : side;
      tag.textContent = scene.faces[face].title;
      tag.hidden = alone && side === 1;
    });
    tags[1].classList.toggle("below", state.mode === "side" && panes()[1].y > 0);
    canvas.style.touchAction = view.fitted ? "pan-y" : "none";
  };
  const redraw = () => {
    if (!queued) {
      queued = requestAnimationFrame(() => {
        queued = 0;
        draw();
      });
    }
  };
  const changed = () => {
    publish();
    redraw();
    scene.on?.change?.(state, view);
  };

  const drawPicture = (face, [left, top]) => {
    const { image } = scene.faces[face];
    if (!image?.complete || !image.naturalWidth) return;
    // The hatch shows through where the picture is transparent: there, nothing is valid.
    ctx.fillStyle = hatch;
    ctx.fillRect(left, top, scene.cols * view.k, scene.rows * view.k);
    ctx.imageSmoothingEnabled = view.k * size.ratio < 1;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(image, left, top, scene.cols * view.k, scene.rows * view.k);
  };
  const strokeGrid = (path, [left, top], styles) => {
    ctx.save();
    ctx.translate(left, top);
    ctx.scale(view.k, view.k);
    for (const { colour, width, dash } of styles) {
      ctx.strokeStyle = colour;
      ctx.lineWidth = width / view.k;
      ctx.setLineDash((dash ?? []).map((length) => length / view.k));
      ctx.stroke(path);
    }
    ctx.restore();
  };
  const drawPixelGrid = (pane, [left, top]) => {
    if (view.k < GRID_FROM) return;
    ctx.beginPath();
    const [first, last] = [Math.max(0, Math.floor((pane.x - left) / view.k)), Math.min(scene.cols, (pane.x + pane.w - left) / view.k)];
    for (let col = first; col <= last; col += 1) {
      ctx.moveTo(left + col * view.k, Math.max(top, pane.y));
      ctx.lineTo(left + col * view.k, Math.min(top + scene.rows * view.k, pane.y + pane.h));
    }
    const [upper, lower] = [Math.max(0, Math.floor((pane.y - top) / view.k)), Math.min(scene.rows, (pane.y + pane.h - top) / view.k)];
    for (let row = upper; row <= lower; row += 1) {
      ctx.moveTo(Math.max(left, pane.x), top + row * view.k);
      ctx.lineTo(Math.min(left + scene.cols * view.k, pane.x + pane.w), top + row * view.k);
    }
    ctx.strokeStyle = "rgba(0, 0, 0, 0.28)";
    ctx.lineWidth = 1;
    ctx.stroke();
  };
  const plate = (text, x, y, colour, fill = "rgba(16, 20, 24, 0.86)") => {
    ctx.fillStyle = fill;
    ctx.fillRect(x, y, ctx.measureText(text).width + 8, 17);
    ctx.fillStyle = colour;
    ctx.fillText(text, x + 4, y + 12.5);
  };
  // What labels must not hide, as lines of text: the dates' tags, and the scale bar with its arrow.
  const furniture = (pane) => {
    const tagged = tags.filter((tag) => !tag.hidden).flatMap((tag) => {
      const [x, y, w] = [tag.offsetLeft, tag.offsetTop, tag.offsetWidth];
      return tag.offsetHeight > 30 ? [{ x, y, w }, { x, y: y + 18, w }] : [{ x, y: y + 3, w }];
    });
    const scale = [43, 24].map((up) => ({ x: 0, y: size.h - up, w: Math.min(size.w * 0.25, 160) + 60 }));
    return [...tagged, ...scale].filter(({ x, y, w }) => x + w > pane.x && x < pane.x + pane.w && y > pane.y - 20 && y < pane.y + pane.h);
  };
  const drawLabels = (pane, [left, top], taken) => {
    ctx.font = TEXT;
    const free = (x, y, w) => taken.every((o) => x + w + 3 < o.x || o.x + o.w + 3 < x || Math.abs(o.y - y) > 20);
    // The strongest flags come first: labels are given to as many as can be read, the list names all.
    const most = taken.length + clamp((pane.w * pane.h) / LABEL_ROOM, 6, MOST_LABELS);
    const named = scene.flags.filter((flag) => flag.label);
    const order = named.filter((flag) => flag.id === state.selected).concat(named);
    for (const flag of order) {
      const x = left + flag.box[2] * view.k + 3;
      const y = top + flag.box[1] * view.k - 15;
      const inside = x > pane.x && y > pane.y - 16 && x < pane.x + pane.w && y < pane.y + pane.h;
      if (!inside) continue;
      const w = ctx.measureText(flag.label).width + 8;
      const at = [clamp(x, pane.x + 2, pane.x + pane.w - w - 2), clamp(y, pane.y + 2, pane.y + pane.h - 20)];
      if (!free(at[0], at[1], w)) continue;
      taken.push({ x: at[0], y: at[1], w });
      plate(flag.label, at[0], at[1], scene.colours[flag.sign]);
      if (taken.length >= most) break;
    }
  };
  // A zone's name stands inside its upper edge, or its lower one, or nowhere: the flags' labels come first.
  const drawZoneNames = (pane, [left, top], taken) => {
    ctx.font = TEXT;
    for (const { name, box } of scene.zones.filter((zone) => zone.name)) {
      const w = ctx.measureText(name).width + 8;
      if ((box[2] - box[0]) * view.k < w * 0.75 && view.k < 4) continue;
      if (left + box[2] * view.k < pane.x || left + box[0] * view.k > pane.x + pane.w) continue;
      const x = clamp(left + ((box[0] + box[2]) / 2) * view.k - w / 2, pane.x + 2, pane.x + pane.w - w - 2);
      const rows = [top + box[1] * view.k + 3, top + box[3] * view.k - 20];
      const fits = (y) => y >= pane.y && y <= pane.y + pane.h - 20
        && !taken.some((o) => x < o.x + o.w && o.x < x + w && Math.abs(o.y - y) < 18);
      const y = rows.find(fits);
      if (y === undefined) continue;
      taken.push({ x, y, w });
      plate(name, x, y, LIGHT, "rgba(16, 20, 24, 0.5)");
    }
  };
  const drawSelected = (at) => {
    const flag = scene.flags.find((one) => one.id === state.selected);
    if (!flag) return;
    const width = WIDTHS[flag.strength] + 1;
    const dash = flag.scale === "area" ? [9, 6] : null;
    strokeGrid(flag.path, at, [{ colour: CASE, width: width + 4 }, { colour: scene.colours[flag.sign], width, dash }]);
    const [x0, y0, x1, y1] = flag.box.map((value, k) => at[k % 2] + value * view.k + (k < 2 ? -6 : 6));
    const arm = clamp((x1 - x0) / 3, 6, 16);
    ctx.beginPath();
    for (const [x, y, right, down] of [[x0, y0, 1, 1], [x1, y0, -1, 1], [x0, y1, 1, -1], [x1, y1, -1, -1]]) {
      ctx.moveTo(x + right * arm, y);
      ctx.lineTo(x, y);
      ctx.lineTo(x, y + down * arm);
    }
    for (const [colour, wide] of [[CASE, 4], [LIGHT, 2]]) {
      ctx.strokeStyle = colour;
      ctx.lineWidth = wide;
      ctx.stroke();
    }
  };
  const drawMarks = (pane, at) => {
    drawPixelGrid(pane, at);
    if (state.zones) {
      for (const zone of scene.zones) {
        strokeGrid(zone.path, at, [
          { colour: "rgba(16, 20, 24, 0.55)", width: 2.5 },
          { colour: LIGHT, width: 1.25, dash: [3, 3] },
        ]);
      }
    }
    if (state.flags) {
      for (const group of groups) {
        const width = WIDTHS[group.strength];
        const dash = group.scale === "area" ? [9, 6] : null;
        strokeGrid(group.path, at, [{ colour: CASE, width: width + 2 }, { colour: scene.colours[group.sign], width, dash }]);
      }
      drawSelected(at);
    }
    const taken = furniture(pane);
    const kept = taken.length;
    if (state.flags && state.labels) drawLabels(pane, at, taken);
    host.dataset.labels = taken.length - kept;
    if (state.zones && state.labels) drawZoneNames(pane, at, taken);
    if (cursor) {
      const [col, row] = cursor.map(Math.floor);
      ctx.strokeStyle = LIGHT;
      ctx.lineWidth = 1;
      if (view.k >= 5) ctx.strokeRect(at[0] + col * view.k, at[1] + row * view.k, view.k, view.k);
    }
  };
  const drawWatermark = (pane) => {
    if (!scene.watermark) return;
    const px = clamp(pane.w / 18, 13, 34);
    ctx.save();
    ctx.font = `700 ${px}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    ctx.fillStyle = "rgba(255, 255, 255, 0.5)";
    ctx.strokeStyle = "rgba(0, 0, 0, 0.45)";
    ctx.lineWidth = px / 9;
    for (const y of [pane.y + pane.h * 0.24, pane.y + pane.h * 0.76]) {
      ctx.strokeText(scene.watermark, pane.x + pane.w / 2, y);
      ctx.fillText(scene.watermark, pane.x + pane.w / 2, y);
    }
    ctx.restore();
  };
  const drawScale = () => {
    const length = niceLength(Math.min(size.w * 0.25, 160) * (scene.gsd / view.k));
    const wide = (length / scene.gsd) * view.k;
    const [x, y] = [14, size.h - 16];
    ctx.font = TEXT;
    plate(lengthText(length), x - 4, y - 27, LIGHT);
    ctx.fillStyle = CASE;
    ctx.fillRect(x - 2, y - 6, wide + 4, 9);
    ctx.fillStyle = LIGHT;
    ctx.fillRect(x, y - 4, wide, 5);
    ctx.fillStyle = CASE;
    ctx.fillRect(x + wide / 2, y - 3, wide / 2 - 1, 3);
    const tip = x + wide + 20;
    ctx.beginPath();
    ctx.moveTo(tip, y - 26);
    ctx.lineTo(tip - 7, y + 2);
    ctx.lineTo(tip, y - 4);
    ctx.lineTo(tip + 7, y + 2);
    ctx.closePath();
    ctx.fillStyle = LIGHT;
    ctx.strokeStyle = CASE;
    ctx.lineWidth = 3;
    ctx.stroke();
    ctx.fill();
    plate("N", tip + 9, y - 27, LIGHT);
  };
  const drawPane = (pane) => {
    const at = origin(pane);
    ctx.save();
    ctx.beginPath();
    ctx.rect(pane.x, pane.y, pane.w, pane.h);
    ctx.clip();
    if (state.mode === "swipe") {
      const cut = pane.w * state.at;
      for (const [face, from, wide] of [[0, 0, cut], [1, cut, pane.w - cut]]) {
        ctx.save();
        ctx.beginPath();
        ctx.rect(pane.x + from, pane.y, wide, pane.h);
        ctx.clip();
        drawPicture(face, at);
        ctx.restore();
      }
    } else {
      drawPicture(state.mode === "blink" ? state.face : pane.faces[0], at);
    }
    drawWatermark(pane);
    drawMarks(pane, at);
    ctx.restore();
  };
  const draw = () => {
    ctx.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    ctx.fillStyle = SURROUND;
    ctx.fillRect(0, 0, size.w, size.h);
    const all = panes();
    all.forEach(drawPane);
    if (all.length > 1) {
      ctx.fillStyle = LIGHT;
      if (all[1].x) ctx.fillRect(all[1].x - 1, 0, 2, size.h);
      else ctx.fillRect(0, all[1].y - 1, size.w, 2);
    }
    drawScale();
  };

  const move = (x, y) => {
    view.x = clamp(x, 0, scene.cols);
    view.y = clamp(y, 0, scene.rows);
    view.fitted = false;
    changed();
  };
  const fit = () => {
    Object.assign(view, { x: scene.cols / 2, y: scene.rows / 2, k: fitZoom(), fitted: true });
    changed();
  };
  const zoom = (factor, x = size.w / 2, y = size.h / 2) => {
    const pane = paneAt(x, y);
    const before = toGrid(x, y);
    const least = fitZoom();
    const k = clamp(view.k * factor, least, Math.max(MOST_ZOOM, least));
    if (k <= least * 1.0001) {
      fit();
      return;
    }
    view.k = k;
    move(before[0] - (x - pane.x - pane.w / 2) / k, before[1] - (y - pane.y - pane.h / 2) / k);
  };
  const centre = ([x0, y0, x1, y1], room = 5) => {
    const pane = panes()[0];
    const span = Math.max(x1 - x0, y1 - y0, 8) * room;
    view.k = clamp(Math.min(pane.w, pane.h) / span, fitZoom(), 24);
    move((x0 + x1) / 2, (y0 + y1) / 2);
  };
  const select = (id, look = true) => {
    state.selected = id;
    const flag = scene.flags.find((one) => one.id === id);
    if (flag && look) centre(flag.box);
    changed();
  };
  const swipe = (share) => {
    state.at = clamp(share, 0, 1);
    changed();
  };
  const flip = () => {
    state.face = 1 - state.face;
    changed();
  };
  const setMode = (mode) => {
    clearInterval(timer);
    timer = mode === "blink" && !REDUCED.matches ? setInterval(flip, BLINK_MS) : 0;
    if (mode === "blink" && state.mode === "blink") flip();
    const refit = view.fitted;
    state.mode = mode;
    if (refit) fit();
    changed();
  };
  // A map of one picture has nothing to compare.
  const compare = (mode) => {
    if (state.mode !== "single") setMode(mode);
  };
  const next = (step) => {
    if (!scene.flags.length) return;
    const here = scene.flags.findIndex((flag) => flag.id === state.selected);
    const index = here < 0 ? (step > 0 ? 0 : scene.flags.length - 1) : (here + step + scene.flags.length) % scene.flags.length;
    scene.on?.select?.(scene.flags[index].id);
  };
  const flagAt = (x, y) => {
    const [col, row] = toGrid(x, y);
    const room = 6 / view.k;
    const hit = scene.flags.filter(
      ({ box }) => col > box[0] - room && col < box[2] + room && row > box[1] - room && row < box[3] + room,
    );
    const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
    return hit.sort((a, b) => area(a) - area(b))[0];
  };
  const point = (x, y) => {
    const [col, row] = toGrid(x, y);
    const inside = col >= 0 && row >= 0 && col < scene.cols && row < scene.rows;
    cursor = inside ? [col, row] : null;
    readout.textContent = inside ? scene.describe(col, row) : "";
    redraw();
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    moved = 0;
    if (pointers.size === 2) pinch = spread();
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    const last = pointers.get(event.pointerId);
    if (!last) {
      point(x, y);
      return;
    }
    pointers.set(event.pointerId, [x, y]);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const now = spread();
      zoom(now / pinch, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      pinch = now;
      moved = 9;
      return;
    }
    moved += Math.abs(x - last[0]) + Math.abs(y - last[1]);
    if (moved < 4) return;
    if (view.fitted && event.pointerType === "touch" && state.mode === "swipe") swipe(x / size.w);
    else if (!view.fitted) move(view.x - (x - last[0]) / view.k, view.y - (y - last[1]) / view.k);
  });
  const lift = (event) => {
    const known = pointers.delete(event.pointerId);
    if (!known || event.type !== "pointerup" || moved >= 4) return;
    const flag = flagAt(...place(event));
    if (flag && state.flags && scene.on?.select) scene.on.select(flag.id);
    else scene.on?.place?.(...toGrid(...place(event)));
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => {
    cursor = null;
    readout.textContent = "";
    redraw();
  });
  canvas.addEventListener("dblclick", (event) => {
    if (!scene.on?.place) zoom(2, ...place(event));
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== host) {
      hint.classList.add("shown");
      setTimeout(() => hint.classList.remove("shown"), 1400);
      return;
    }
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...place(event));
  }, { passive: false });
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  divider.addEventListener("pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) swipe(place(event)[0] / size.w);
  });
  const keys = {
    ArrowLeft: () => move(view.x - 60 / view.k, view.y), ArrowRight: () => move(view.x + 60 / view.k, view.y),
    ArrowUp: () => move(view.x, view.y - 60 / view.k), ArrowDown: () => move(view.x, view.y + 60 / view.k),
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit,
    ",": () => swipe(state.at - 0.05), ".": () => swipe(state.at + 0.05),
    s: () => compare("swipe"), b: () => compare("blink"), d: () => compare("side"), n: () => next(1), p: () => next(-1),
    Escape: () => scene.on?.select?.(null),
  };
  host.tabIndex = 0;
  host.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== host || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  new ResizeObserver(() => {
    const box = host.getBoundingClientRect();
    size = { w: Math.max(box.width, 1), h: Math.max(box.height, 1), ratio: devicePixelRatio || 1 };
    canvas.width = Math.round(size.w * size.ratio);
    canvas.height = Math.round(size.h * size.ratio);
    if (view.fitted) fit();
    else changed();
    draw();
  }).observe(host);

  const layer = (name, on) => {
    state[name] = on;
    changed();
  };
  // Another picture of the same ground keeps the place; another ground is shown whole.
  const show = (changes) => {
    const other = (changes.cols ?? scene.cols) !== scene.cols || (changes.rows ?? scene.rows) !== scene.rows;
    scene = { ...scene, ...changes };
    groups = grouped(scene.flags);
    if (changes.fresh || other) fit();
    else changed();
  };
  return { state, view, show, select, centre, swipe, zoom, fit, setMode, layer, next, redraw };
};
