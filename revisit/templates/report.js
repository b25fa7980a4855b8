"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const swipe = byId("swipe");
  const position = byId("position");
  const divider = byId("divider");

  const show = (percent) => {
    position.value = percent;
    swipe.style.setProperty("--at", `${position.value}%`);
    position.setAttribute("aria-valuetext", `${position.value} percent of the width shows the before date`);
  };
  const drag = (event) => {
    const frame = swipe.getBoundingClientRect();
    show(100 * (event.clientX - frame.left) / frame.width);
  };
  position.addEventListener("input", () => show(position.value));
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  divider.addEventListener("pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) drag(event);
  });
  for (const button of document.querySelectorAll("#controls button")) {
    button.addEventListener("click", () => show(button.value));
  }
  for (const layer of ["flags", "labels", "zones"]) {
    const box = byId(`${layer}-on`);
    box.addEventListener("change", () => document.body.classList.toggle(`no-${layer}`, !box.checked));
  }

  // Labels keep their size on the screen, so that they collide more on a small one: the stronger flag keeps its label.
  const labels = [...document.querySelectorAll("#labels text")];
  const places = labels.map((label) => [Number(label.getAttribute("x")), Number(label.getAttribute("y"))]);
  const spread = () => {
    const picture = swipe.querySelector("svg");
    const unit = picture.viewBox.baseVal.width / Math.max(picture.getBoundingClientRect().width, 1);
    const { width, height } = picture.viewBox.baseVal;
    swipe.style.setProperty("--u", unit);
    const kept = [];
    labels.forEach((label, index) => {
      const wide = (label.textContent.length * 8.5 + 4) * unit;
      const high = 18 * unit;
      const x = Math.min(Math.max(places[index][0], 0), width - wide);
      const y = Math.min(Math.max(places[index][1], high), height);
      const hit = kept.some((other) => x < other.right && other.x < x + wide && Math.abs(other.y - y) < high);
      label.classList.toggle("hidden", hit);
      label.setAttribute("x", x);
      label.setAttribute("y", y);
      if (!hit) kept.push({ x, y, right: x + wide });
    });
  };
  byId("stage").classList.add("live");
  show(50);
  new ResizeObserver(spread).observe(swipe);
})();
