// Two sensors have dates of their own: the map's titles follow the picture that is chosen.
(() => {
  const stage = document.getElementById("stage");
  const first = { before: stage.dataset.before, after: stage.dataset.after };
  const select = document.getElementById("colour");
  // Before the listener that shows the picture, which reads the dates from the stage.
  document.addEventListener("change", (event) => {
    if (event.target === select) Object.assign(stage.dataset, first, select.selectedOptions[0].dataset);
  }, true);
})();
