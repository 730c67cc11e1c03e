// A network as a network: its layers beside each other, or on a narrow page below each other, and lines between units for
// what one hands on to another.

import { h } from "../../shared/dom.js";
import { layerPicture } from "./layer.js";
import { activations, exact, givenBy, placeName, strongest, termsOf, unitName } from "./source.js";

const SVG = "http://www.w3.org/2000/svg";
const NARROW = 640; // pixels: below it, layers are below each other
const GAP = 44; // pixels between layers, for the lines
const CHANNEL = 48; // pixels within which a line from above turns into a row of the output
const OUTPUT = 160; // pixels of the rows of an output
const LOOKED_AT = 24; // units of a layer whose strongest inputs are looked at
const LINES = 40; // between two layers, where no unit is chosen
const INTO = 28, OUT_OF = 14; // lines of one unit

const shapes = ({ layers }) => layers.map(({ shape }) => shape.join()).join(" ");

const dark = matchMedia("(prefers-color-scheme: dark)");

// told: { hover(level, unit or null), choose(level, unit) }.
export function diagram(told) {
  const lines = document.createElementNS(SVG, "svg");
  lines.setAttribute("aria-hidden", "true");
  const tip = h("p", { class: "tip small", hidden: true });
  const element = h("div", { class: "diagram" }, lines, tip);
  let source = null;
  let layers = [];
  let drawn = []; // the lines: { from: [level, unit], to: [level, unit], term }
  let round = 0; // so that lines that come late for another image are dropped

  function show(given) {
    const isSame = source && shapes(source) === shapes(given);
    source = given;
    round += 1;
    if (!isSame) drawn = []; // else, of another image or moment, lines stay until the new ones are there
    const focused = layers.findIndex((layer) => layer.element.contains(document.activeElement));
    layers.forEach((layer) => layer.element.remove());
    layers = source.layers.map((_, level) => layerPicture(source, level, {
      hover: (unit) => hover(level, unit),
      choose: (unit) => told.choose(level, unit),
    }));
    element.append(...layers.map((layer) => layer.element));
    fit();
    if (focused >= 0) layers[focused]?.focus();
  }

  function hover(level, unit) {
    tip.hidden = unit === null;
    if (unit !== null) {
      const value = activations(source.layers[level])[unit];
      const name = level === source.layers.length - 1 ? unitName(source, level, unit) : placeName(source.layers[level], unit);
      tip.textContent = `${name}: ${exact(value)}`;
      const [x, y] = place(level, unit);
      tip.style.left = `${Math.min(Math.max(x, tip.offsetWidth / 2), element.clientWidth - tip.offsetWidth / 2)}px`;
      tip.style.top = `${y}px`;
    }
    told.hover(level, unit);
  }

  const isOfRows = (level) => layers[level].element.classList.contains("output");

  const place = (level, unit) => {
    const { element: figure, centre } = layers[level];
    const [x, y] = centre(unit);
    return [figure.offsetLeft + x, figure.offsetTop + y];
  };

  function fit() {
    if (!source) return;
    const width = element.clientWidth;
    const narrow = width < NARROW;
    element.classList.toggle("narrow", narrow);
    const high = Math.min(Math.max(0.4 * innerHeight, 240), 380);
    const weights = source.layers.map(({ kind, shape }) => (kind === "input" ? 1 : shape.length === 3 ? 1.1 : Math.min(0.35 + Math.sqrt(shape[0]) / 24, 1.2)));
    const fixed = isOfRows(layers.length - 1) ? OUTPUT : 0;
    const shared = weights.slice(0, fixed ? -1 : undefined).reduce((sum, weight) => sum + weight, 0);
    const room = width - GAP * (layers.length - 1) - fixed;
    layers.forEach((layer, level) => {
      if (narrow) layer.fit(level ? width : Math.min(width, 190), level ? 190 : 190);
      else layer.fit(Math.max((room * weights[level]) / shared, 24), high);
      layer.paint();
    });
    draw();
  }

  function draw() {
    const [width, height] = [element.clientWidth, element.clientHeight];
    lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const largest = new Map(); // of each gap by itself: sums of a lower layer may be much larger
    for (const { to, term } of drawn) largest.set(to[0], Math.max(largest.get(to[0]) ?? 1e-9, Math.abs(term)));
    const down = element.classList.contains("narrow");
    lines.replaceChildren(...drawn.map(({ from, to, term }) => {
      const share = Math.abs(term) / largest.get(to[0]);
      const [[x1, y1], [x2, y2]] = [place(...from), place(...to)];
      const intoRow = down && isOfRows(to[0]); // beside which there is space for lines that come from above
      const bend = intoRow ? `${x1} ${(y1 + y2) / 2} ${x2 - CHANNEL} ${y2}` : down ? `${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2}` : `${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2}`;
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", `M${x1} ${y1} C ${bend} ${x2} ${y2}`);
      line.setAttribute("class", term < 0 ? "less" : "more");
      line.setAttribute("stroke-width", (0.6 + 2.4 * share).toFixed(2));
      line.setAttribute("stroke-opacity", (0.2 + 0.7 * share).toFixed(2));
      return line;
    }));
  }

  // The strongest contributions between all neighbouring layers.
  async function overview() {
    const own = ++round;
    for (let level = 1; level < source.layers.length; level += 1) {
      const wanted = strongest(source.layers[level], LOOKED_AT);
      const found = await source.units(level, wanted);
      if (own !== round) return;
      const terms = found.flatMap((connections, i) => {
        const all = termsOf(source, level, connections).slice(0, connections.weights ? LINES : 1);
        return all.map(({ input, term }) => ({ from: [level - 1, input], to: [level, wanted[i]], term }));
      });
      const most = terms.filter(({ term }) => term).sort((a, b) => Math.abs(b.term) - Math.abs(a.term)).slice(0, LINES);
      drawn = [...drawn.filter(({ to }) => to[0] !== level), ...most];
      draw();
    }
  }

  // What comes into one unit, and what goes out of it.
  function trace(level, unit, connections) {
    round += 1;
    const into = termsOf(source, level, connections).slice(0, connections.weights ? INTO : 1);
    const out = givenBy(source, level, unit, connections).slice(0, OUT_OF);
    drawn = [
      ...into.map(({ input, term }) => ({ from: [level - 1, input], to: [level, unit], term })),
      ...out.map(({ output, term }) => ({ from: [level, unit], to: [level + 1, output], term })),
    ].filter(({ term }) => term);
    draw();
  }

  function mark(level, unit) {
    layers.forEach((layer, i) => layer.mark(i === level ? unit : null));
  }

  const size = new ResizeObserver(fit);
  size.observe(element);
  dark.addEventListener("change", fit);
  return {
    element, show, overview, trace, mark,
    close() {
      round += 1;
      size.disconnect();
      dark.removeEventListener("change", fit);
    },
  };
}
