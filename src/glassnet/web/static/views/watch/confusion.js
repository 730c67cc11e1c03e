// What the network takes for what: a matrix, and behind each of its cells the images themselves.

import { get } from "../../shared/api.js";
import { asking, at } from "../../shared/asking.js";
import { h } from "../../shared/dom.js";
import { count, percent } from "../../shared/format.js";
import { notice } from "../../shared/notice.js";
import { paintGray } from "../../shared/pixels.js";
import { address } from "../../shared/ways.js";

const FEW = 5; // mistakes of a cell that are the full colour where no cell has more
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// run: its name; path: of what the server says of it; why: a line that says why images cannot be looked at, or null; wanted: the
// true and the predicted class of the cell that is opened first, or null; opened(classes): another cell was, or null: none.
export function confusion(root, run, path, why, wanted, opened) {
  const words = h("p", { class: "small soft" }, why ?? "No network yet.");
  const table = h("table", { class: "matrix", onkeydown: move });
  const heading = h("h3", { "aria-live": "polite" }, why ? "" : "Choose a cell to see its images.");
  const into = h("select", { onchange: () => { for (const link of gallery.querySelectorAll("a")) link.href = opens(link.dataset.index); } },
    h("option", { value: "network" }, "the network, unit by unit"), h("option", { value: "step" }, "one training step"));
  const way = h("label", { class: "by", hidden: true }, "An image opens", into);
  const gallery = h("div", { class: "gallery" });
  root.replaceChildren(
    h("section", { class: "card" }, h("h2", {}, "Confusion matrix"), words,
      h("div", { class: "columns" }, h("div", { class: "scroll" }, table), h("div", { class: "behind" }, heading, way, gallery))),
  );
  const opens = (index) => address(into.value, run, { image: index, of: "validation", step: past });
  let cells = []; // buttons by row and column
  let classes = [];
  let open = null; // the cell whose images are shown
  let past = null; // the step that is shown, and null for now
  let differences = false; // whether cells show how they changed

  async function showMatrix(signal) {
    const [asked, changes] = [past, differences];
    const query = new URLSearchParams({ ...(asked !== null && { step: asked }), ...(changes && { changes }) });
    const answer = await get(`${path}/confusion?${query}`, { signal });
    if (asked !== past || changes !== differences) return;
    if (answer.classes.join() !== classes.join()) build(answer.classes);
    const right = answer.matrix.reduce((sum, row, i) => sum + row[i], 0);
    const changed = answer.since != null;
    const moves = answer.matrix.map((row, i) => row.map((times, j) => (changed ? times - answer.before[i][j] : 0)));
    const moved = moves.flat().reduce((sum, times) => sum + Math.abs(times), 0) / 2;
    words.textContent = `${percent(right / answer.images)} of ${count(answer.images)} validation images are correct at step ${count(answer.step)}. Rows are true classes, columns predictions.`
      + (changed ? ` Since step ${count(answer.since)}, ${moved === 1 ? "1 image has" : `${count(moved)} images have`} come to another cell.` : "");
    const most = Math.max(FEW, ...answer.matrix.flatMap((row, i) => row.filter((_, j) => i !== j)));
    answer.matrix.forEach((row, i) => row.forEach((times, j) => fill(i, j, times, moves[i][j], most)));
    if (wanted) openWanted();
    else if (open) images.again();
  }

  const refuse = (error) => { words.textContent = error.message; };
  const matrix = asking(showMatrix, refuse, 1000);

  const images = asking(async (signal) => {
    const [i, j] = open;
    const answer = await get(`${path}/confusion/${i}/${j}${at(past)}`, { signal });
    if (open[0] !== i || open[1] !== j) return;
    const which = i === j ? "least sure" : "most sure";
    const some = answer.of > answer.images.length ? `, the ${answer.images.length} of which the network is ${which}` : answer.of > 1 ? `, the ${which} first` : "";
    heading.textContent = `${count(answer.of)} ${answer.of === 1 ? "image" : "images"} of ${classes[i]} predicted as ${classes[j]}${some}`;
    way.hidden = !answer.images.length;
    gallery.replaceChildren(...answer.images.map(({ index, pixels, probability }) => {
      const canvas = h("canvas", { class: "pixels" });
      paintGray(canvas, pixels);
      const link = h("a", { href: opens(index), "data-index": index, "aria-label": `Validation image ${index}: a ${classes[i]} predicted as ${classes[j]}` }, canvas);
      return h("figure", {}, link, h("figcaption", { class: "small soft" }, percent(probability, 0)));
    }));
  }, (error) => { heading.textContent = error.message; }, 0);

  function build(names) {
    classes = names;
    cells = names.map((_, i) => names.map((__, j) =>
      h("button", { tabindex: i || j ? "-1" : "0", "aria-pressed": "false", onclick: () => choose(i, j), onfocus: () => rove(i, j) })));
    table.replaceChildren(
      h("thead", {}, h("tr", {}, h("td"), names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, names.map((name, i) => h("tr", {}, h("th", { scope: "row" }, name), cells[i].map((cell) => h("td", {}, cell))))),
    );
  }

  // Only the mistakes are coloured by their number, on a scale of their own and by its logarithm: 1 is told from 5.
  function fill(i, j, times, move, most) {
    const cell = cells[i][j];
    const right = i === j;
    const share = right ? 0.15 : 0.1 + 0.9 * (Math.log1p(times) / Math.log1p(most));
    const signed = `${move > 0 ? "+" : "−"}${Math.abs(move)}`;
    cell.textContent = times || "·";
    cell.setAttribute("aria-label", `${classes[i]} predicted as ${classes[j]}: ${times} ${times === 1 ? "image" : "images"}${move ? `, ${signed}` : ""}`);
    cell.style.setProperty("--share", times ? share.toFixed(3) : 0);
    cell.className = `${right ? "right" : "wrong"}${times ? "" : " none"}`;
    if (move) cell.dataset.move = signed;
    else delete cell.dataset.move;
  }

  function rove(i, j) {
    for (const cell of cells.flat()) cell.tabIndex = -1;
    cells[i][j].tabIndex = 0;
  }

  function choose(i, j) {
    if (open) cells[open[0]][open[1]].setAttribute("aria-pressed", "false");
    open = [i, j];
    cells[i][j].setAttribute("aria-pressed", "true");
    rove(i, j);
    opened([classes[i], classes[j]]);
    images.again();
  }

  // The cell of an address, once it is known which there are.
  function openWanted() {
    const [i, j] = wanted.map((name) => classes.indexOf(name));
    if (i >= 0 && j >= 0) choose(i, j);
    else {
      notice(`There is no cell of “${wanted[0]}” predicted as “${wanted[1]}”, so none is open.`);
      opened(null);
    }
    wanted = null;
  }

  function move(event) {
    const step = STEPS[event.key];
    const i = cells.findIndex((row) => row.includes(document.activeElement));
    if (!step || i < 0) return;
    event.preventDefault();
    const j = cells[i].indexOf(document.activeElement);
    cells[i + step[0]]?.[j + step[1]]?.focus();
  }

  return {
    again() {
      if (why || past !== null) return;
      if (!cells.length) words.textContent = "Looking …";
      matrix.again();
    },
    // Shows a past step, or with null what is now; a promise of when that is done.
    show(step, changes) {
      [past, differences] = [step, changes];
      return why ? undefined : showMatrix().catch(refuse);
    },
    close() { matrix.close(); images.close(); wanted = null; },
  };
}
