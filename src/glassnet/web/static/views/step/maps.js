// The tiny convolution as grids of numbers. One number is chosen: what it is made of is marked, and its sum stands below.

import { h } from "../../shared/dom.js";
import { plain, symbol } from "./stages.js";

const DECIMALS = 2; // of the numbers in the cells
const PARTS = ["forward", "backward", "update", "after"];
const WORDS = {
  forward: "Choose a number: what it is made of is outlined, and its sum stands below. Blue is positive, orange negative.",
  backward: "The gradients: how the loss would rise with each number. The image needs none.",
  update: "The filter and its bias after the step; the rest is as before it.",
  after: "The network after the step, and what it makes of the image now.",
};
const SIZES = { image: [4, 4], filter: [2, 2], bias: [1, 1], map: [3, 3], pooled: [2, 2], output: [2, 1] };

// The stages whose numbers each grid shows while a part of the step is looked at.
function shownBy(part) {
  if (part === "backward") return { image: "X", filter: "dW1", bias: "db1", map: "dZ1", pooled: "dA1", output: "dZ2" };
  const [own, other] = part === "forward" ? ["", ""] : [" after", part === "after" ? " after" : ""];
  return { image: "X", filter: `W1${own}`, bias: `b1${own}`, map: `Z1${other}`, pooled: `A1${other}`, output: `P${other}` };
}

const TITLES = {
  image: () => "image", filter: (name) => `filter, ${symbol(name)}`, bias: (name) => `bias, ${symbol(name)}`,
  map: (name) => `feature map, ${symbol(name)}`, pooled: (name) => `pooled, ReLU, ${symbol(name)}`, output: (name) => `outputs, ${symbol(name)}`,
};

const inside = ([i, j], [top, left], size) => i >= top && i < top + size && j >= left && j < left + size;

// Whether a number of a grid goes into the chosen one.
function goesInto(grid, at, chosen, part) {
  const { kind, at: [i, j] } = chosen;
  if (part === "backward") {
    if (kind === "filter") return grid === "map" || (grid === "image" && inside(at, [i, j], 3));
    if (kind === "bias") return grid === "map";
    if (kind === "map") return grid === "pooled" && inside([i, j], at, 2);
    return kind === "pooled" && grid === "output";
  }
  if (kind === "map") return grid === "filter" || grid === "bias" || (grid === "image" && inside(at, [i, j], 2));
  if (kind === "pooled") return grid === "map" && inside(at, [i, j], 2);
  return kind === "output" && grid === "pooled";
}

// The grid that a stage's numbers stand in, if they do.
function gridOf(name) {
  const kinds = { X: "image", W1: "filter", b1: "bias", Z1: "map", M1: "pooled", A1: "pooled", Z2: "output", P: "output" };
  return kinds[name.replace(" after", "").replace(/^d/, "")];
}

export function maps({ onpart, onchoose }) {
  let chosen = { kind: "map", at: [0, 1] };
  let answer = null;
  let stage = null;
  const toggle = h("div", { class: "row toggle", role: "group", "aria-label": "What the picture shows" });
  const words = h("p", { class: "small" });
  const sums = h("ol", { class: "sums", "aria-live": "polite" });
  const titles = {};
  const cells = {};
  const grids = Object.fromEntries(Object.keys(SIZES).map((kind) => [kind, grid(kind)]));
  const signs = [];
  function after(sign, figure) {
    const shown = h("span", { class: "sign soft", "aria-hidden": "true" });
    signs.push([shown, sign]);
    return h("div", { class: "after" }, shown, figure);
  }
  const element = h("section", { class: "card maps", "aria-label": "The convolution" }, toggle,
    h("div", { class: "grids" }, grids.image, after("∗", grids.filter), after("+", grids.bias)),
    h("div", { class: "grids" }, after("=", grids.map), after("→", grids.pooled), after("→", grids.output)),
    sums, words);

  function grid(kind) {
    const [rows, columns] = SIZES[kind];
    titles[kind] = h("figcaption", { class: "soft small" });
    cells[kind] = Array.from({ length: rows }, (_r, i) => Array.from({ length: columns }, (_c, j) =>
      h("button", { class: "cell", onclick: () => choose(kind, [i, j]) }, h("span", {}))));
    return h("figure", { class: kind }, titles[kind],
      h("div", { class: `cells across-${columns}`, onkeydown: (event) => move(event, kind) }, cells[kind].flat()));
  }

  function move(event, kind) {
    const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation(); // the stages are walked by the same keys
    const [rows, columns] = SIZES[kind];
    const from = chosen.kind === kind ? chosen.at : [0, 0];
    const at = [Math.min(Math.max(from[0] + by[0], 0), rows - 1), Math.min(Math.max(from[1] + by[1], 0), columns - 1)];
    choose(kind, at);
    cells[kind][at[0]][at[1]].focus();
  }

  function choose(kind, at) {
    chosen = { kind, at };
    onchoose(kind, at);
    show();
  }

  const find = (name) => answer.stages.find((each) => each.name === name);

  function numbers(kind, name) {
    const [rows, columns] = SIZES[kind];
    const flat = name === "W1" || name === "b1" ? answer.parameters[name].flat(4) : [find(name).array].flat(4);
    return Array.from({ length: rows }, (_, i) => flat.slice(columns * i, columns * (i + 1)));
  }

  // The sums that the chosen number is the result of.
  function sumsOf() {
    const { kind, at: [i, j] } = chosen;
    const name = shownBy(stage.part)[kind];
    const end = name.endsWith(" after") ? " after" : "";
    const line = (which, index) => find(which).sums[index];
    const index = i * SIZES[kind][1] + j;
    switch (kind) {
      case "filter": return name === "W1" ? [`w = ${plain(answer.parameters.W1[i][j][0][0])}, the same at all nine places`] : [line(name === "W1 after" ? "W1 after" : name, index)];
      case "bias": return name === "b1" ? [`b = ${plain(answer.parameters.b1[0])}, added at all nine places`] : [line(name, 0)];
      case "pooled": return stage.part === "backward" ? [line("dA1", index), line("dM1", index)] : [line(`M1${end}`, index), line(`A1${end}`, index)];
      case "output": return stage.part === "backward" ? [line("dZ2", i)] : [line(`Z2${end}`, i), line(`P${end}`, 0), line(`P${end}`, 1), line(`P${end}`, 2 + i)];
      default: return [line(name, index)];
    }
  }

  function show() {
    const names = shownBy(stage.part);
    for (const [shown, sign] of signs) shown.textContent = stage.part === "backward" ? { "→": "←" }[sign] ?? "" : sign;
    for (const kind of Object.keys(SIZES)) {
      const values = numbers(kind, names[kind]);
      const largest = Math.max(1e-9, ...values.flat().map(Math.abs));
      titles[kind].textContent = TITLES[kind](names[kind]);
      cells[kind].forEach((row, i) => row.forEach((cell, j) => {
        const own = chosen.kind === kind && chosen.at[0] === i && chosen.at[1] === j;
        const name = kind === "output" ? `${answer.classes[i]}: ` : "";
        cell.firstChild.textContent = name + plain(values[i][j], DECIMALS);
        cell.className = `cell${own ? " chosen" : goesInto(kind, [i, j], chosen, stage.part) ? " part" : ""}`;
        cell.style.background = kind === "image" ? gray(answer.image[i][j]) : signed(values[i][j] / largest);
        cell.style.color = kind === "image" ? (answer.image[i][j] > 127 ? "#fff" : "#000") : "";
        cell.setAttribute("aria-pressed", String(own));
        cell.setAttribute("aria-label", `${titles[kind].textContent}, row ${i + 1}, column ${j + 1}: ${name}${plain(values[i][j])}`);
        cell.tabIndex = own || (chosen.kind !== kind && i === 0 && j === 0) ? 0 : -1;
      }));
    }
    sums.replaceChildren(...sumsOf().map((text) => h("li", {}, text)));
  }

  const gray = (value) => `rgb(${Array(3).fill(255 - value).join()})`;
  const signed = (share) =>
    `color-mix(in srgb, var(--${share < 0 ? "vermillion" : "blue"}) ${Math.round(40 * Math.abs(share))}%, var(--card))`;

  return {
    element,
    draw(given, present) {
      const kind = stage && stage.name !== present.name ? gridOf(present.name) : null;
      if (kind && kind !== chosen.kind) chosen = { kind, at: [0, 0] };
      [answer, stage] = [given, present];
      words.textContent = WORDS[stage.part];
      const focused = toggle.contains(document.activeElement);
      toggle.replaceChildren(...PARTS.map((part) =>
        h("button", { "aria-pressed": String(part === stage.part), onclick: () => onpart(part) }, part[0].toUpperCase() + part.slice(1))));
      if (focused) toggle.querySelector("[aria-pressed=true]").focus();
      show();
    },
  };
}
