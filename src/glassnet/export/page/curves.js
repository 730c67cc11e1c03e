// A line for training and one for validation over the epochs, with the numbers of each at the place under the pointer.

import { h } from "../../web/static/shared/dom.js";

const [WIDTH, HEIGHT] = [560, 260];
const [LEFT, RIGHT, TOP, BOTTOM] = [84, 22, 14, 52];

function s(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Round numbers from low to high, some five of them.
function ticks(low, high) {
  const rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step) found.push(value);
  return { found, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

// lines: [{ name, x, y, kind }], without the points that have no number. percent: the numbers are fractions.
export function curves({ title, lines, percent, unit }) {
  const said = (value) => (percent ? `${(100 * value).toFixed(2)} %` : value.toFixed(4));
  const scale = percent ? 100 : 1;
  const all = lines.flatMap(({ y }) => y);
  const [first, last] = [Math.min(...lines.flatMap(({ x }) => x)), Math.max(...lines.flatMap(({ x }) => x))];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const margin = (high - low || 0.1) * 0.05;
  const [bottom, top] = [percent ? low - margin : Math.max(0, low - margin), percent ? Math.min(1, high + margin) : high + margin];
  const across = (x) => LEFT + ((x - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const up = (y) => HEIGHT - BOTTOM - ((y - bottom) / (top - bottom || 1)) * (HEIGHT - TOP - BOTTOM);

  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${lines.map(({ name, y }) => `${name} ends at ${said(y.at(-1))}`).join(", ")}` });
  const { found, decimals } = ticks(bottom * scale, top * scale);
  for (const value of found) {
    const y = up(value / scale);
    drawing.append(s("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" }), s("text", { x: LEFT - 8, y: y + 5, class: "left" }, `${value.toFixed(decimals)}${percent ? " %" : ""}`));
  }
  const marks = ticks(first, last);
  const isWhole = lines.every(({ x }) => x.every(Number.isInteger));
  for (const value of marks.found.map((mark) => Number(mark.toFixed(marks.decimals))).filter((mark) => !isWhole || Number.isInteger(mark))) drawing.append(s("text", { x: across(value), y: HEIGHT - BOTTOM + 24 }, String(value)));
  drawing.append(s("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, class: "axis" }, unit));
  for (const { x, y, kind } of lines) {
    const points = x.map((value, i) => `${across(value).toFixed(1)},${up(y[i]).toFixed(1)}`);
    drawing.append(x.length > 1 ? s("polyline", { points: points.join(" "), class: kind }) : s("circle", { cx: across(x[0]), cy: up(y[0]), r: 4, class: kind }));
  }
  const cursor = s("line", { y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor", visibility: "hidden" });
  drawing.append(cursor);

  const places = [...new Set(lines.flatMap(({ x }) => x))].sort((a, b) => a - b);
  const legend = h("p", { class: "legend small" });
  function tell(at) {
    legend.replaceChildren(...lines.map(({ name, x, y, kind }) => {
      const i = at === null ? x.length - 1 : x.findLastIndex((value) => value <= at); // the newest by then
      return h("span", { class: kind }, `${name} ${i < 0 ? "–" : said(y[i])}`);
    }), h("span", { class: "soft" }, `${unit} ${Number((at ?? last).toFixed(2))}`));
    cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at !== null) for (const end of ["x1", "x2"]) cursor.setAttribute(end, across(at));
  }
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const x = first + ((((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT)) * (last - first);
    tell(places.reduce((best, place) => (Math.abs(place - x) < Math.abs(best - x) ? place : best)));
  });
  drawing.addEventListener("pointerleave", () => tell(null));
  tell(null);
  return h("section", { class: "card curves" }, h("h2", {}, title), legend, drawing);
}
