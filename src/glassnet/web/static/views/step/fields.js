// A number field for each of the tiny network's parameters, one slider for the one that was touched last, and a field for the
// learning rate.

import { h } from "../../shared/dom.js";
import { notice } from "../../shared/notice.js";
import { plain } from "./stages.js";

const REACH = 2; // of the slider, either way
const HIGHEST = 1_000_000; // learning rate, as the server has it

const below = (numbers) => numbers.map((i) => "₁₂₃₄"[i]).join("");

// For each parameter how it is called, and the tables in which they stand: rows and columns of weights, and biases below.
export const DENSE = {
  title: "The 23 parameters",
  words: {
    W1: ([i, j]) => `w${below([i, j])}, from pixel ${i + 1} to hidden unit ${j + 1}`,
    b1: ([j]) => `b${below([j])}, bias of hidden unit ${j + 1}`,
    W2: ([i, j]) => `w${below([i, j])}, from hidden unit ${i + 1} to “${["top", "bottom"][j]}”`,
    b2: ([j]) => `b${below([j])}, bias of “${["top", "bottom"][j]}”`,
  },
  tables: [
    { weights: "W1", biases: "b1", title: "Layer 1", rows: ["pixel 1", "pixel 2", "pixel 3", "pixel 4"], columns: ["unit 1", "unit 2", "unit 3"] },
    { weights: "W2", biases: "b2", title: "Layer 2", rows: ["unit 1", "unit 2", "unit 3"], columns: ["top", "bottom"] },
  ],
};

export const CONVOLUTION = {
  title: "The 15 parameters",
  words: {
    W1: ([i, j]) => `w${below([i, j])} of the filter, row ${i + 1}, column ${j + 1}`,
    b1: () => "b₁, bias of the filter",
    W2: ([i, j]) => `w${below([i, j])}, from pooled number ${i + 1} to “${["7", "1"][j]}”`,
    b2: ([j]) => `b${below([j])}, bias of “${["7", "1"][j]}”`,
  },
  tables: [
    { weights: "W1", biases: "b1", title: "The filter", rows: ["row 1", "row 2"], columns: ["column 1", "column 2"], at: (i, j) => [i, j, 0, 0], shared: 1 },
    { weights: "W2", biases: "b2", title: "Layer 2", rows: ["pooled 1", "pooled 2", "pooled 3", "pooled 4"], columns: ["7", "1"] },
  ],
};

export function parameterFields({ title: heading, words, tables }, { onchange, onselect }) {
  let parameters = null;
  let selected = { name: "W1", index: tables[0].at?.(0, 0) ?? [0, 0] };
  const inputs = new Map();
  const slider = h("input", { type: "range", min: -REACH, max: REACH, step: 0.01, oninput: () => set(selected, slider.valueAsNumber) });
  const chosen = h("span", {});

  const key = ({ name, index }) => `${name} ${index.join()}`;
  const value = ({ name, index }) => index.reduce((array, i) => array[i], parameters[name]);

  function field(name, index) {
    const place = { name, index };
    const input = h("input", {
      type: "number", step: 0.1, "aria-label": words[name](index),
      onfocus: () => select(name, index),
      oninput: () => Number.isFinite(input.valueAsNumber) && set(place, input.valueAsNumber),
    });
    inputs.set(key(place), { place, input });
    return h("td", {}, input);
  }

  function table({ weights, biases, title, rows, columns, at = (i, j) => [i, j], shared = columns.length }) {
    return h("div", { class: "scroll" }, h("table", { class: "parameters" },
      h("caption", {}, title),
      h("thead", {}, h("tr", {}, h("td", {}), columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {},
        rows.map((name, i) => h("tr", {}, h("th", { scope: "row" }, name), columns.map((_name, j) => field(weights, at(i, j))))),
        h("tr", {}, h("th", { scope: "row" }, "bias"), columns.slice(0, shared).map((_name, j) => field(biases, [j]))))));
  }

  function set({ name, index }, number) {
    const copy = structuredClone(parameters);
    const last = index.at(-1);
    index.slice(0, -1).reduce((array, i) => array[i], copy[name])[last] = number;
    parameters = copy; // at once, so that a quick second change builds on it
    onchange(copy);
  }

  function select(name, index) {
    selected = { name, index };
    mark();
    onselect();
  }

  function mark() {
    chosen.textContent = `${words[selected.name](selected.index)}: ${plain(value(selected))}`;
    if (document.activeElement !== slider) slider.value = value(selected);
    for (const [name, { input }] of inputs) input.classList.toggle("chosen", name === key(selected));
  }

  const element = h("section", { class: "card", "aria-label": "Weights and biases" },
    h("h2", {}, heading),
    h("p", { class: "soft" }, "Type a number or use the arrow keys; the slider moves the one that was touched last."),
    h("div", { class: "row parameterTables" }, tables.map(table)));

  return {
    element,
    slider: h("label", {}, chosen, slider),
    select,
    selected: () => selected,
    fill(given) {
      parameters = given;
      for (const { place, input } of inputs.values()) {
        if (document.activeElement !== input || input.valueAsNumber !== value(place)) {
          if (Number(input.value) !== Number(value(place).toFixed(4)) || !input.value) input.value = Number(value(place).toFixed(4));
        }
      }
      mark();
    },
  };
}

export const isRate = (number) => number > 0 && number <= HIGHEST;

// The field of the learning rate. What is not one is told when it has been typed, and the rate before it comes back.
export function rateField(onchange) {
  let rate = null;
  const field = h("input", {
    type: "number", min: 0.01, step: 0.1,
    oninput: () => isRate(field.valueAsNumber) && onchange(field.valueAsNumber),
    onchange() {
      if (isRate(field.valueAsNumber)) return;
      notice(`A learning rate is a number above 0 and at most ${HIGHEST.toLocaleString("en")}; it is still ${rate}.`);
      field.value = rate;
    },
  });
  return {
    element: h("label", {}, "learning rate η", field),
    fill(given) {
      rate = Number(given.toPrecision(6));
      if (document.activeElement !== field) field.value = rate;
    },
  };
}
