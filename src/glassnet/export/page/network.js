// The network layer by layer: each unit a square, each filter of a convolution a picture. Under the pointer, or by the arrow
// keys, a unit shows its sum, where it comes from, and where it goes.

import { h } from "../../web/static/shared/dom.js";
import { count, percent } from "../../web/static/shared/format.js";
import { paintSigned } from "../../web/static/shared/pixels.js";
import { plain } from "../../web/static/views/step/stages.js";
import { incoming, outgoing, place, unitLayers } from "./units.js";

const TERMS = 6; // of a sum that are written out
const NEXT = 5; // units of the next layer that are named
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const narrow = matchMedia("(max-width: 60rem)");
const called = ({ name }) => (name === "output" ? "the output" : name);
const capital = (words) => words[0].toUpperCase() + words.slice(1);

// How the units of a layer lie in its picture: { width, height, at(unit) -> [x, y], unit(x, y) -> index or null }.
function layout({ shape, kind }) {
  if (shape.length === 1) {
    const units = shape[0];
    const width = units <= 16 ? units : Math.ceil(Math.sqrt(3 * units));
    return {
      width, height: Math.ceil(units / width),
      at: (unit) => [unit % width, Math.floor(unit / width)],
      unit: (x, y) => (y * width + x < units ? y * width + x : null),
    };
  }
  const [rows, columns, maps] = shape; // side by side, a blank line between two of them
  const across = kind === "input" ? 1 : Math.ceil(Math.sqrt(2.5 * maps));
  return {
    width: across * (columns + 1) - 1, height: Math.ceil(maps / across) * (rows + 1) - 1,
    at(unit) {
      const [map, x, y] = [unit % maps, Math.floor(unit / maps) % columns, Math.floor(unit / maps / columns)];
      return [(map % across) * (columns + 1) + x, Math.floor(map / across) * (rows + 1) + y];
    },
    unit(x, y) {
      const map = Math.floor(y / (rows + 1)) * across + Math.floor(x / (columns + 1));
      const [u, v] = [x % (columns + 1), y % (rows + 1)];
      return map < maps && u < columns && v < rows ? (v * columns + u) * maps + map : null;
    },
  };
}

function paint(canvas, { width, height, at }, values) {
  const rows = Array.from({ length: height }, () => new Array(width).fill(0));
  values.forEach((value, unit) => {
    const [x, y] = at(unit);
    rows[y][x] = value;
  });
  let largest = 1e-9;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  paintSigned(canvas, rows, largest);
}

export function networkCard(model) {
  const layers = unitLayers(model).map((layer) => Object.assign(layer, { layout: layout(layer) }));
  let outputs = null; // of the network for the drawing
  let probabilities = [];
  let chosen = null; // { n, unit }

  const detail = h("div", { class: "detail", "aria-live": "polite" });
  const figures = layers.map((layer, n) => figure(layer, n));
  const list = h("div", { class: "unitLayers" }, figures.map(({ element }) => element));
  const first = model.networks.length > 1 ? ` This is the first of ${model.networks.length} networks, whose mean is the answer.` : "";
  const card = h("section", { class: "card network" },
    h("h2", {}, "The network, layer by layer"),
    h("p", { class: "soft small" }, `Each square is a unit, or of a convolution a place in the map of a filter: blue is positive, orange negative, and the stronger the colour, the further from 0. Point at one, or choose it with the arrow keys, to see its sum.${first}`),
    h("div", { class: "inside" }, list, detail));

  const values = (n) => (layers[n].kind === "input" && !layers[n].steps.length ? outputs[0] : outputs[layers[n].steps.at(-1) + 1]);

  function figure(layer, n) {
    const canvas = h("canvas", { class: "pixels", tabindex: "0", role: "application", "aria-label": "" });
    const mark = h("i", { class: "mark", hidden: true });
    const caption = h("figcaption", { class: "small soft" });
    const names = n === layers.length - 1 && layer.layout.height === 1 && h("div", { class: "names small soft", "aria-hidden": "true" }, model.classes.map((name) => h("span", {}, name)));
    const element = h("figure", { class: layer.layout.height === 1 ? "few" : layer.kind === "input" ? "input" : null },
      caption, h("div", { class: "frame" }, canvas, mark), names);
    const pointed = (event) => {
      const box = canvas.getBoundingClientRect();
      const part = (at, start, length, whole) => Math.min(Math.max(Math.floor(((at - start) / length) * whole), 0), whole - 1);
      const unit = layer.layout.unit(part(event.clientX, box.left, box.width, layer.layout.width), part(event.clientY, box.top, box.height, layer.layout.height));
      if (unit !== null) choose(n, unit);
    };
    canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && pointed(event));
    canvas.addEventListener("click", pointed);
    canvas.addEventListener("focus", () => { if (outputs && chosen?.n !== n && canvas.matches(":focus-visible")) choose(n, 0); });
    canvas.addEventListener("keydown", (event) => {
      if (!(event.key in ARROWS) || !outputs) return;
      event.preventDefault();
      choose(n, next(layer, chosen?.n === n ? chosen.unit : 0, ARROWS[event.key]));
    });
    return { element, canvas, mark, caption };
  }

  // The unit beside one, over the blank line between two maps if need be.
  function next({ layout: { width, height, at, unit: unitAt } }, unit, [right, down]) {
    let [x, y] = at(unit);
    for (let step = 0; step < 2; step++) {
      [x, y] = [x + right, y + down];
      if (x < 0 || y < 0 || x >= width || y >= height) return unit;
      const found = unitAt(x, y);
      if (found !== null) return found;
    }
    return unit;
  }

  function choose(n, unit) {
    if (!outputs) return;
    chosen = { n, unit };
    tell();
  }

  function tell() {
    figures.forEach(({ mark, canvas, element }, n) => {
      mark.hidden = chosen?.n !== n;
      if (mark.hidden) return;
      const { width, height, at } = layers[n].layout;
      const [x, y] = at(chosen.unit);
      Object.assign(mark.style, { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`, width: `${100 / width}%`, height: `${100 / height}%` });
      if (narrow.matches ? detail.previousElementSibling !== element : detail.parentElement !== list.parentElement) {
        if (narrow.matches) element.after(detail);
        else list.after(detail);
      }
    });
    if (!chosen) {
      list.after(detail);
      detail.replaceChildren(h("p", { class: "soft" }, "Choose a unit, and its sum is written out here."));
      return;
    }
    detail.replaceChildren(...told(chosen.n, chosen.unit));
  }

  function told(n, unit) {
    const layer = layers[n];
    const own = values(n)[unit];
    const head = h("h3", {}, `${capital(layer.name)}, ${place(layer, unit)}: ${plain(own)}`);
    if (layer.kind === "input") return [head, h("p", { class: "small" }, `A pixel, scaled to ${plain(outputs[0][unit])}, is one of the network’s inputs.`), ...onward(n, unit, own)];
    const below = values(n - 1);
    const terms = incoming(layer, unit).map(({ from, weight }) => ({ from, weight, term: weight === null ? below[from] : weight * below[from] }));
    return [head, sum(layer, layers[n - 1], terms, below, unit), ...steps(layer, unit), pictured(n, terms), ...onward(n, unit, own)];
  }

  const factor = (weight) => (weight < 0 ? `(${plain(weight)})` : plain(weight));
  const line = (...cells) => h("tr", {}, h("td", {}, cells[0]), h("td", {}, cells[1]), h("td", {}, cells[2] ?? ""));
  const table = (label, lines) => h("table", { class: "sums", "aria-label": label }, h("tbody", {}, lines));

  function sum(layer, from, terms, below, unit) {
    const first = outputs[layer.steps[0] + 1][unit];
    if (layer.kind === "max pool") {
      const order = [...terms].sort((a, b) => b.term - a.term).slice(0, TERMS);
      return table("The numbers", [...order.map(({ from: at, term }) => line("", plain(term), place(from, at))), line(`largest of ${terms.length}`, plain(first))]);
    }
    const order = [...terms].sort((a, b) => Math.abs(b.term) - Math.abs(a.term));
    const lines = order.slice(0, TERMS).map(({ from: at, weight, term }) => line(`${plain(below[at])} × ${factor(weight)} =`, plain(term), place(from, at)));
    const rest = order.slice(TERMS);
    const zeros = rest.filter(({ term }) => term === 0).length;
    if (rest.length) lines.push(line(`${count(rest.length)} others`, plain(rest.reduce((all, { term }) => all + term, 0)), `${count(zeros)} of them 0`));
    if (layer.head.b) lines.push(line("bias", plain(layer.head.b[unit % layer.head.b.length])));
    return table("The sum", [...lines, line("sum", plain(first))]);
  }

  function steps(layer, unit) {
    const lines = layer.steps.slice(1).map((at) => {
      const [own, before, after] = [model.networks[0][at], outputs[at][unit], outputs[at + 1][unit]];
      const signed = (value) => (value < 0 ? `− ${plain(-value)}` : `+ ${plain(value)}`);
      if (own.layer === "Bias") return `Bias: ${plain(before)} ${signed(own.b[unit])} = ${plain(after)}`;
      if (own.layer !== "BatchNorm") return `${own.layer}(${plain(before)}) = ${plain(after)}`;
      const c = unit % own.gamma.length;
      const deviation = Math.sqrt(own.running_variance[c] + own.epsilon);
      return `BatchNorm: (${plain(before)} ${signed(-own.running_mean[c])}) / ${plain(deviation)} × ${factor(own.gamma[c])} ${signed(own.beta[c])} = ${plain(after)}`;
    });
    if (layer === layers.at(-1)) lines.push(`softmax: ${percent(probabilities[unit], 2)} for “${model.classes[unit]}”`);
    return lines.map((words) => h("p", { class: "sums" }, words));
  }

  // The weights and the terms of a sum where they come from, in the picture of the layer below.
  function pictured(n, terms) {
    const below = layers[n - 1];
    const size = below.shape.reduce((a, b) => a * b, 1);
    const picture = (words, key) => {
      const parts = new Float32Array(size);
      for (const each of terms) parts[each.from] = each[key];
      const canvas = h("canvas", { class: "pixels", role: "img", "aria-label": `${words}, as a picture of ${below.name}` });
      paint(canvas, below.layout, parts);
      return h("figure", {}, canvas, h("figcaption", { class: "small soft" }, words));
    };
    if (layers[n].kind === "max pool") return h("div", { class: "where" }, picture("The numbers it looks at", "term"));
    return h("div", { class: `where${below.kind === "input" ? " pair" : ""}` },
      picture(`Weights, by ${below.kind === "input" ? "pixel" : `units of ${below.name}`}`, "weight"), picture("Input times weight", "term"));
  }

  function onward(n, unit, own) {
    const above = layers[n + 1];
    if (!above) return [];
    const ways = outgoing(above, unit);
    if (own === 0 && above.kind !== "max pool") return [h("p", { class: "small soft" }, `It is 0, so it hands nothing on to ${called(above)}.`)];
    if (!ways.length) return [h("p", { class: "small soft" }, `No unit of ${called(above)} looks at it.`)];
    if (above.kind === "max pool") return [h("p", { class: "small soft" }, `Goes to ${ways.slice(0, NEXT).map(({ to }) => `${above.name}, ${place(above, to)}`).join("; ")}.`)];
    const given = ways.map(({ to, weight }) => ({ to, weight, term: own * weight })).sort((a, b) => Math.abs(b.term) - Math.abs(a.term));
    const name = (to) => (above === layers.at(-1) ? `“${model.classes[to]}”` : place(above, to));
    return [
      h("p", { class: "small soft" }, given.length > NEXT ? `Goes to ${called(above)}; the ${NEXT} largest of ${count(given.length)}:` : `Goes to ${called(above)}:`),
      table("Where it goes", given.slice(0, NEXT).map(({ to, weight, term }) => line(`${plain(own)} × ${factor(weight)} =`, plain(term), name(to)))),
    ];
  }

  function show(answer) {
    card.hidden = answer.empty;
    if (answer.empty) {
      outputs = chosen = null;
      return;
    }
    ({ outputs, probabilities } = answer);
    layers.forEach((layer, n) => {
      const own = values(n);
      const { canvas, caption } = figures[n];
      paint(canvas, layer.layout, own);
      const above = own.reduce((some, value) => some + (value > 0), 0);
      const names = layer.steps.map((at) => model.networks[0][at].layer).join(", ");
      const [size, what] = layer.shape.length === 1 ? [count(layer.shape[0]), layer === layers.at(-1) ? "scores" : "units"] : [layer.shape.slice(0, 2).join(" × "), layer.kind === "input" ? "pixels" : `numbers in each of ${layer.shape[2]} maps`];
      caption.textContent = `${capital(layer.name)}${names ? ` (${names})` : ""}: ${size} ${what}${n && layer !== layers.at(-1) ? `, ${count(above)} of ${count(own.length)} above zero` : ""}`;
      canvas.setAttribute("aria-label", `${caption.textContent}. The arrow keys go from unit to unit.`);
    });
    tell();
  }

  return { card, show };
}
