// One unit in words and numbers: its exact sum, where that comes from, where it goes, and the images that excite it most.

import { h } from "../../shared/dom.js";
import { count, percent } from "../../shared/format.js";
import { colours, inked, largestOf, paintRows, signed } from "./paint.js";
import { activations, exact, givenBy, placeName, termsOf, unitName } from "./source.js";

const TERMS = 6; // of a sum that are listed
const OUTPUTS = 5; // units of the next layer that are listed

const factor = (value) => (value < 0 ? `(${exact(value)})` : exact(value));
const plus = (value) => (value < 0 ? ` − ${exact(-value)}` : ` + ${exact(value)}`);
const coloured = (value) => h("span", { class: value < 0 ? "negative" : value > 0 ? "positive" : null }, exact(value));

const put = (element, ...children) => element.replaceChildren(...children.flat().filter((child) => child != null && child !== false));

// open(level, unit): another unit was chosen. Returns two cards: `element` with the sum, `looks` with the images.
export function unitCard(open) {
  const title = h("h2", {});
  const value = h("p", { class: "value" });
  const spoken = h("p", { class: "unseen", "aria-live": "polite" });
  const sum = h("div", { class: "part" });
  const goes = h("div", { class: "part" });
  const looks = h("section", { class: "card looks", "aria-label": "Images that excite the unit" });
  const element = h("section", { class: "card unit", "aria-label": "The unit" }, h("div", { class: "head" }, title, value, spoken), sum, goes);
  let shown = ""; // which unit, so that images that come late for another are dropped

  function show(source, level, unit, connections) {
    shown = `${source.key} ${level} ${unit}`;
    const layer = source.layers[level];
    const isOutput = level === source.layers.length - 1;
    title.textContent = unitName(source, level, unit);
    const result = activations(layer)[unit];
    put(value, isOutput ? "score " : layer.kind === "input" ? "input " : "activation ", h("strong", {}, exact(result)),
      isOutput && ` · probability ${percent(source.probabilities[unit], 2)}`);
    spoken.textContent = `${title.textContent}: ${value.textContent}`;
    put(sum, comesFrom(source, level, unit, connections));
    put(goes, goesTo(source, level, unit, connections));
    looks.hidden = !source.top || level === 0;
    return shown;
  }

  // The way to another unit.
  const way = (source, level, unit) =>
    h("button", { class: "link", onclick: () => open(level, unit) }, level === source.layers.length - 1 ? source.classes[unit] : placeName(source.layers[level], unit));

  function comesFrom(source, level, unit, connections) {
    const layer = source.layers[level];
    const values = layer.steps.map((step) => step.values[unit]);
    if (level === 0) {
      const gray = source.image.flat()[unit];
      return [h("h3", {}, "Where it comes from"), h("p", {}, `The pixel is ${gray} of 255, scaled to ${exact(values[0])}.`), steps(layer, values, connections)];
    }
    const terms = termsOf(source, level, connections);
    const isSum = connections.weights !== null;
    const listed = terms.slice(0, TERMS);
    const rest = terms.slice(TERMS);
    const row = (name, ...numbers) => h("tr", {}, h("th", { scope: "row" }, name), numbers.map((each) => h("td", {}, each)));
    const added = (name, number) => h("tr", {}, h("th", { scope: "row", colspan: 3 }, name), h("td", {}, "= ", coloured(number)));
    const line = ({ input, value: given, weight, term }) => (isSum
      ? row(way(source, level - 1, input), exact(given), `× ${factor(weight)}`, h("span", {}, "= ", coloured(term)))
      : row(way(source, level - 1, input), exact(given)));
    const zeros = rest.filter(({ term }) => term === 0).length;
    const others = rest.length > 0 && `${count(rest.length)} others${zeros ? `, ${count(zeros)} of them 0` : ""}`;
    return [
      h("h3", {}, { sum: "The sum: input × weight", maximum: "The largest of these", mean: "The mean of these" }[layer.steps[0].name]),
      weightPictures(source, level, terms),
      h("table", {}, h("tbody", {},
        listed.map(line),
        isSum && others && added(others, rest.reduce((total, { term }) => total + term, 0)),
        layer.steps[0].name === "sum" && added("bias", connections.bias),
        h("tr", { class: "total" }, h("th", { scope: "row", colspan: isSum && 3 }, layer.steps[0].name), h("td", {}, exact(values[0]))))),
      steps(layer, values, connections),
    ];
  }

  function goesTo(source, level, unit, connections) {
    if (level === source.layers.length - 1) {
      const powers = source.layers[level].steps.at(-1).values;
      return [h("h3", {}, "Where it goes"), h("p", {},
        `Softmax makes probabilities of the ${powers.length} scores: e to the power of each, divided by their sum. This one becomes ${percent(source.probabilities[unit], 2)}.`)];
    }
    const given = givenBy(source, level, unit, connections);
    const above = source.layers[level + 1];
    const head = h("h3", {}, `Where it goes: ${above.name}`);
    if (given.length === 0) return [head, h("p", {}, "No window of the next layer reaches it.")];
    if (connections.outputWeights === null) {
      const wins = ({ output }) => above.steps[0].values[output] === given[0].term;
      return [head, h("table", {}, h("tbody", {}, given.slice(0, OUTPUTS).map((each) => h("tr", {},
        h("th", { scope: "row" }, way(source, level + 1, each.output)), h("td", {}, wins(each) ? "is the largest there" : "is not the largest there")))))];
    }
    if (given.every(({ term }) => term === 0)) return [head, h("p", {}, "It hands nothing on: its activation is 0.")];
    return [head, h("table", {}, h("tbody", {}, given.slice(0, OUTPUTS).map(({ output, weight, term }) => h("tr", {},
      h("th", { scope: "row" }, way(source, level + 1, output)),
      h("td", {}, exact(activations(source.layers[level])[unit])), h("td", {}, `× ${factor(weight)}`), h("td", {}, "= ", coloured(term)))))),
    given.length > OUTPUTS && h("p", { class: "soft small" }, `The ${OUTPUTS} largest of ${count(given.length)}.`)];
  }

  const headed = (...children) => put(looks, h("h3", {}, "What it looks for"), children);

  // The images that excite it most, once they are there: `about` is what `show` returned.
  function showTop(about, source, { images, labels, activations: values, of }, isFilter) {
    if (about !== shown) return;
    const now = colours();
    headed(
      h("p", { class: "soft small" }, `The ${images.length} of ${count(of)} training images that excite ${isFilter ? "the filter most, at any place" : "it most"}, each with its class and the activation.`),
      h("div", { class: "images" }, images.map((rows, i) => {
        const canvas = h("canvas", { class: "pixels", role: "img", "aria-label": `A ${source.classes[labels[i]]}, activation ${exact(values[i])}` });
        paintRows(canvas, rows, (gray) => inked(gray, now));
        return h("figure", {}, canvas, h("figcaption", { class: "small" }, h("b", {}, source.classes[labels[i]]), ` ${values[i].toFixed(2).replace("-", "−")}`));
      })));
  }

  // What is said in the place of the images.
  function sayTop(about, words) {
    if (about === shown) headed(h("p", { class: "soft small" }, words));
  }

  return { element, looks, show, showTop, sayTop };
}

// What follows the sum, number by number.
function steps(layer, values, { normalisation }) {
  return h("ul", { class: "steps" }, layer.steps.slice(1).map(({ name }, i) => {
    const [before, after] = [values[i], values[i + 1]];
    const norm = normalisation[i + 1];
    const words = norm
      ? `(${exact(before)}${plus(-norm.mean)}) / ${exact(norm.deviation)} · ${factor(norm.gamma)}${plus(norm.beta)} = ${exact(after)}`
      : `${name}(${exact(before)}) = ${exact(after)}`;
    return h("li", {}, norm && h("span", { class: "soft" }, "normalised "), words);
  }));
}

// Where the inputs are pixels of one image, or of its window: the weights as an image, and what each pixel adds.
function weightPictures(source, level, terms) {
  const { shape } = source.layers[level - 1];
  if (shape.length !== 3 || shape[2] !== 1 || terms[0].weight === null || terms.length < 4) return null;
  const [rows, columns] = [terms.map(({ input }) => Math.floor(input / shape[1])), terms.map(({ input }) => input % shape[1])];
  const [top, left] = [Math.min(...rows), Math.min(...columns)];
  const picture = (pick, words) => {
    const grid = Array.from({ length: Math.max(...rows) - top + 1 }, () => Array(Math.max(...columns) - left + 1).fill(0));
    terms.forEach((each, i) => { grid[rows[i] - top][columns[i] - left] = each[pick]; });
    const canvas = h("canvas", { class: "pixels", role: "img", "aria-label": `${words}, as an image` });
    const [now, largest] = [colours(), largestOf(terms.map((each) => each[pick]))];
    paintRows(canvas, grid, (value) => signed(value, largest, now));
    return h("figure", {}, canvas, h("figcaption", { class: "small soft" }, words));
  };
  return h("div", { class: "pictures" }, picture("weight", "weights"), picture("term", "input × weight"));
}
