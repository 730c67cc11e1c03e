// One layer in the picture of a network: its units as squares or feature maps on a canvas, or, of an output with few
// classes, as rows with their probabilities. Each is { element, fit(width, height), paint(), centre(unit), mark(unit) }.

import { h } from "../../shared/dom.js";
import { percent } from "../../shared/format.js";
import { arrange } from "./arrangement.js";
import { colours, css, inked, largestOf, paintRows, signed } from "./paint.js";
import { activations, placeName, sizeOf } from "./source.js";

const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const ROWS = 20; // classes that are shown as rows

const words = ({ kind, shape }) => (shape.length === 3
  ? `${kind === "input" ? "" : `${shape[2]} maps, `}${shape[0]} × ${shape[1]}`
  : `${shape[0].toLocaleString("en")} units`);

// told: { hover(unit or null), choose(unit) }, where a unit is its index.
export function layerPicture(source, level, told) {
  const isOutput = level === source.layers.length - 1;
  return isOutput && source.classes.length <= ROWS ? rows(source, level, told) : cells(source, level, told);
}

function heading(layer) {
  return h("figcaption", {}, h("b", {}, layer.name[0].toUpperCase() + layer.name.slice(1)), h("span", { class: "soft" }, words(layer)));
}

// The focus, the pointer and the keys of a layer's picture: unitAt(event) is what the pointer is on, beside(unit, dx, dy)
// what an arrow key leads to.
function listen(element, told, { unitAt, beside, first }) {
  let marked = null;
  element.addEventListener("pointermove", (event) => event.pointerType === "mouse" && told.hover(unitAt(event)));
  element.addEventListener("pointerleave", () => told.hover(null));
  element.addEventListener("click", (event) => {
    const unit = unitAt(event);
    if (unit !== null) told.choose(unit);
  });
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (!step && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    told.choose(marked === null || !step ? marked ?? first() : beside(marked, ...step));
  });
  return { mark(unit) { marked = unit; }, marked: () => marked };
}

function cells(source, level, told) {
  const layer = source.layers[level];
  const values = activations(layer);
  const canvas = h("canvas", {
    tabindex: 0, role: "application", "aria-roledescription": "layer of units",
    "aria-label": `${layer.name}, ${words(layer)}. Arrow keys go from unit to unit.`,
  });
  let plan = arrange(layer, 100, 100);
  const first = () => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
  const state = listen(canvas, told, {
    unitAt: (event) => {
      const box = canvas.getBoundingClientRect();
      return plan.at(event.clientX - box.left, event.clientY - box.top);
    },
    beside: (...args) => plan.beside(...args),
    first,
  });

  function paint() {
    const ratio = devicePixelRatio;
    const context = canvas.getContext("2d");
    [canvas.width, canvas.height] = [Math.ceil(plan.width * ratio), Math.ceil(plan.height * ratio)];
    context.scale(ratio, ratio);
    const now = colours();
    const largest = largestOf(values);
    const shade = layer.kind === "input"
      ? (_, unit) => inked(source.image[Math.floor(unit / layer.shape[1])][unit % layer.shape[1]], now)
      : (value) => signed(value, largest, now);
    if (plan.maps) paintMaps(context, shade, now);
    else paintSquares(context, shade, now);
    if (state.marked() !== null) outline(context, plan.box(state.marked()), now);
  }

  function paintSquares(context, shade, { line }) {
    const gap = plan.side > 6 ? 1.5 : plan.side > 3 ? 1 : 0;
    for (let unit = 0; unit < values.length; unit += 1) {
      const [x, y, side] = plan.box(unit);
      context.fillStyle = css(shade(values[unit], unit));
      context.fillRect(x, y, side - gap, side - gap);
      if (gap) {
        context.strokeStyle = css(line);
        context.lineWidth = 0.75;
        context.strokeRect(x + 0.375, y + 0.375, side - gap - 0.75, side - gap - 0.75);
      }
    }
  }

  function paintMaps(context, shade, { line }) {
    const { h: height, w: width, count, scale } = plan.maps;
    const small = document.createElement("canvas");
    context.imageSmoothingEnabled = scale < 1;
    for (let filter = 0; filter < count; filter += 1) {
      const unit = (row, column) => (row * width + column) * count + filter;
      paintRows(small, Array.from({ length: height }, (_, row) => Array.from({ length: width }, (__, column) => unit(row, column))), (i) => shade(values[i], i));
      const [x, y] = plan.tile(filter);
      context.drawImage(small, x, y, width * scale, height * scale);
      context.strokeStyle = css(line);
      context.lineWidth = 1;
      context.strokeRect(x + 0.5, y + 0.5, width * scale - 1, height * scale - 1);
    }
  }

  return {
    element: h("figure", { class: `layer ${layer.kind === "input" ? "input" : ""}` }, heading(layer), canvas),
    focus: () => canvas.focus({ preventScroll: true }),
    fit(width, height) {
      plan = arrange(layer, width, height);
      [canvas.style.width, canvas.style.height] = [`${plan.width}px`, `${plan.height}px`];
    },
    paint,
    centre(unit) {
      const [x, y, side] = plan.box(unit);
      return [canvas.offsetLeft + x + side / 2, canvas.offsetTop + y + side / 2];
    },
    mark(unit) {
      state.mark(unit);
      if (unit !== null) canvas.setAttribute("aria-description", `${placeName(layer, unit)} of ${sizeOf(layer)}`);
      paint();
    },
  };
}

function outline(context, [x, y, side], { ink, ground }) {
  const around = Math.max(0, 7 - side) / 2; // a place of a map may be a pixel or two
  for (const [wide, rgb] of [[5, ground], [2.5, ink]]) {
    context.lineWidth = wide;
    context.strokeStyle = css(rgb);
    context.strokeRect(x - around, y - around, side + 2 * around - 1, side + 2 * around - 1);
  }
}

function rows(source, level, told) {
  const layer = source.layers[level];
  const best = source.probabilities.indexOf(Math.max(...source.probabilities));
  const lines = source.classes.map((name, i) => h("div", { class: i === best && "best", "data-unit": i },
    h("span", { class: "name" }, name),
    h("span", { class: "track" }, h("i", { style: `width:${100 * source.probabilities[i]}%` })),
    h("span", { class: "share" }, percent(source.probabilities[i]))));
  const list = h("div", { class: "rows", tabindex: 0, role: "application", "aria-roledescription": "layer of units", "aria-label": `${layer.name}: ${source.classes[best]} with ${percent(source.probabilities[best])}. Arrow keys go from class to class.` }, lines);
  const state = listen(list, told, {
    unitAt: (event) => {
      const line = event.target.closest("[data-unit]");
      return line ? Number(line.dataset.unit) : null;
    },
    beside: (unit, dx, dy) => Math.min(Math.max(unit + dx + dy, 0), lines.length - 1),
    first: () => best,
  });
  return {
    element: h("figure", { class: "layer output" }, heading(layer), list),
    focus: () => list.focus({ preventScroll: true }),
    fit() {},
    paint() {},
    centre: (unit) => [lines[unit].offsetLeft, lines[unit].offsetTop + lines[unit].offsetHeight / 2], // both from the figure
    mark(unit) {
      state.mark(unit);
      lines.forEach((line, i) => line.classList.toggle("marked", i === unit));
      if (unit !== null) list.setAttribute("aria-description", source.classes[unit]);
    },
  };
}
