// The tiny network as nodes and edges: what goes up, which gradients come back, and how far each number moves.

import { h } from "../../shared/dom.js";
import { plain, symbol } from "./stages.js";

const DECIMALS = 3; // of the numbers in the circles

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [520, 400];
const COLUMNS = [70, 262, 440]; // of inputs, hidden units and outputs
const WORDS = {
  forward: "Lines are weights: blue is positive, orange negative, thick is large. Circles show the output of each unit.",
  backward: "Lines are the gradients of the weights: how the loss would rise with each. Circles show the gradient at each unit, dZ.",
  update: "Lines show how far each weight moves, circles how far each bias moves.",
  after: "The network after the step, and its new outputs.",
};

function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const heights = (count) => Array.from({ length: count }, (_, i) => (HEIGHT / count) * (i + 0.5));
const minus = (after, before) => (Array.isArray(after) ? after.map((each, i) => minus(each, before[i])) : after - before);

// What stands on edges and in nodes while a part of the step is looked at.
function numbers(answer, part) {
  const of = (name) => answer.stages.find((stage) => stage.name === name).array;
  const own = answer.parameters;
  switch (part) {
    case "backward": return { edges: [of("dW1"), of("dW2")], nodes: [of("dZ1"), of("dZ2")], names: ["dW", "dZ"] };
    case "update": return {
      edges: [minus(of("W1 after"), own.W1), minus(of("W2 after"), own.W2)],
      nodes: [minus(of("b1 after"), own.b1), minus(of("b2 after"), own.b2)], names: ["change of W", "change of b"],
    };
    case "after": return { edges: [of("W1 after"), of("W2 after")], nodes: [of("A1 after"), of("P after")], names: ["W", "A"] };
  }
  return { edges: [own.W1, own.W2], nodes: [of("A1"), of("P")], names: ["W", "A"] };
}

// The layer whose edges a stage is about, 0 or 1; null for the input.
function layerOf(name) {
  if (name === "X") return null;
  return name.startsWith("dA1") || !/1/.test(name) ? 1 : 0;
}

// onedge: what a click on a line does, if anything.
export function network({ onpart, onedge }) {
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const words = h("p", { class: "small" });
  const toggle = h("div", { class: "row toggle", role: "group", "aria-label": "What the picture shows" });
  const element = h("section", { class: "card network", "aria-label": "The network" }, toggle, drawing, words);

  function edges(values, layer, [from, to], lively, selected) {
    const largest = Math.max(1e-9, ...values.flat().map(Math.abs));
    return values.flatMap((row, i) => row.map((value, j) => {
      const share = Math.abs(value) / largest;
      const chosen = selected?.name === `W${layer + 1}` && selected.index[0] === i && selected.index[1] === j;
      return s("line", {
        x1: COLUMNS[layer], y1: from[i], x2: COLUMNS[layer + 1], y2: to[j],
        class: `${value < 0 ? "less" : "more"}${chosen ? " chosen" : ""}`,
        "stroke-width": (1 + 8 * share).toFixed(2), "stroke-opacity": ((lively ? 1 : 0.35) * (0.2 + 0.8 * share)).toFixed(3),
        onclick: onedge && (() => onedge(`W${layer + 1}`, [i, j])),
      }, s("title", {}, `from ${i + 1} to ${j + 1}: ${plain(value)}`));
    }));
  }

  function circles(values, x, ys, labels) {
    const largest = Math.max(1e-9, ...values.map(Math.abs));
    return values.flatMap((value, i) => [
      s("circle", { cx: x, cy: ys[i], r: 38, class: "ground" }),
      s("circle", {
        cx: x, cy: ys[i], r: 38, class: value < 0 ? "less" : "more", "fill-opacity": (0.45 * (Math.abs(value) / largest)).toFixed(3),
      }),
      s("text", { x, y: ys[i] + 6 }, plain(value, DECIMALS)),
      s("text", { x, y: ys[i] + 60, class: "label" }, labels[i]),
    ]);
  }

  function pixels(answer, ys) {
    const x = answer.stages.find(({ name }) => name === "X").array;
    return answer.image.flat().flatMap((gray, i) => [
      s("rect", { class: "ink", x: COLUMNS[0] - 32, y: ys[i] - 32, width: 64, height: 64, rx: 6, style: `fill:rgb(${Array(3).fill(255 - gray).join()})` }),
      s("text", { class: "ink", x: COLUMNS[0], y: ys[i] + 6, style: `fill:${gray > 127 ? "#fff" : "#000"}` }, plain(x[i], DECIMALS)),
      s("text", { x: 16, y: ys[i] + 6, class: "label" }, `x${"₁₂₃₄"[i]}`),
    ]);
  }

  return {
    element,
    draw(answer, stage, selected) {
      const { edges: weights, nodes, names } = numbers(answer, stage.part);
      const ys = [heights(4), heights(3), heights(2)];
      const layer = layerOf(stage.name);
      const lively = (which) => layer === null || layer === which;
      const truth = answer.classes.map((name, i) => (i === answer.label ? `${name} (true)` : name));
      drawing.replaceChildren(
        ...edges(weights[0], 0, [ys[0], ys[1]], lively(0), selected), ...edges(weights[1], 1, [ys[1], ys[2]], lively(1), selected),
        ...pixels(answer, ys[0]), ...circles(nodes[0], COLUMNS[1], ys[1], ["unit 1", "unit 2", "unit 3"]),
        ...circles(nodes[1], COLUMNS[2], ys[2], truth));
      drawing.setAttribute("aria-label",
        `Four pixels, three hidden units, two classes. ${symbol(names[1])} of the hidden units: ${nodes[0].map((each) => plain(each)).join(", ")}; `
        + `of ${answer.classes.join(" and ")}: ${nodes[1].map((each) => plain(each)).join(", ")}.`);
      words.textContent = `${WORDS[stage.part]}${onedge && stage.part === "forward" ? " Click a line to move its weight with the slider." : ""}`;
      const focused = toggle.contains(document.activeElement);
      toggle.replaceChildren(...Object.keys(WORDS).map((part) =>
        h("button", { "aria-pressed": String(part === stage.part), onclick: () => onpart(part) }, part[0].toUpperCase() + part.slice(1))));
      if (focused) toggle.querySelector("[aria-pressed=true]").focus();
    },
  };
}
