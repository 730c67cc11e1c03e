// Images as points of a plane, each drawn as the name of its class in the class's colour; the image itself is shown for the
// point under the pointer, the finger, or the arrow keys.

import { h } from "../../shared/dom.js";
import { colour, isStill } from "../../shared/palette.js";
import { colours, css, inked, paintRows } from "./paint.js";

const COLOURS = 10;
const NEAR = 24; // pixels within which a pointer finds a point
const MARGIN = 18;
const GLIDE = 180; // ms from one map to the next
const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

const dark = matchMedia("(prefers-color-scheme: dark)");
const inkOf = (label) => colour(`class-${label % COLOURS}`);
// What stands on the map for a class: its name, or the beginning of a long one.
const sign = (name) => (name.length <= 2 ? name : name.slice(0, 2));

export function scatter() {
  const canvas = h("canvas", { class: "plane", tabindex: 0, role: "application", "aria-roledescription": "map of images" });
  const image = h("canvas", { class: "pixels", role: "img", hidden: true });
  const words = h("p", { "aria-live": "polite" }, "Point at the map, tap it, or use the arrow keys.");
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Classes" });
  const element = h("section", { class: "card map", "aria-label": "Map" },
    h("div", { class: "sheet" }, canvas), h("div", { class: "side" }, h("div", { class: "found" }, image, words), h("h2", {}, "Classes"), legend));
  let map = null;
  let yours = null; // the drawing: { x, y, prediction, image }
  let present = null; // the index of the point that is looked at, or "yours"
  let only = null; // the class that stands out
  let at = []; // places in pixels, by point
  let [from, since] = [[], 0]; // the places that the points glide from, and since when
  let frame = 0;

  function show(given) {
    [map, yours, present] = [given, null, null];
    const counts = map.classes.map((_, i) => map.points.filter(({ label }) => label === i).length);
    canvas.setAttribute("aria-label", `Map of ${map.points.length} images. Arrow keys go from point to point.`);
    legend.replaceChildren(...map.classes.map((name, i) => {
      const mark = h("b", {}, sign(name));
      mark.style.color = inkOf(i);
      return h("button", { "aria-pressed": String(only === i), onclick: () => highlight(i) }, mark, h("span", {}, sign(name) === name ? "" : name), h("span", { class: "soft small" }, String(counts[i])));
    }));
    tell();
    paint();
  }

  // The same images as another network sees them.
  function move(given) {
    map = given;
    tell();
    glide();
  }

  function glide() {
    [from, since] = [isStill() ? [] : at, performance.now()];
    cancelAnimationFrame(frame);
    next();
  }

  function next() {
    paint();
    if (from.length) frame = requestAnimationFrame(next);
  }

  // Where the points are by now on their way to their places.
  function onTheWay(wanted) {
    const share = (performance.now() - since) / GLIDE;
    if (share >= 1 || from.length !== wanted.length) from = [];
    const eased = share * (2 - share);
    return from.length ? wanted.map(([x, y], i) => [from[i][0] + eased * (x - from[i][0]), from[i][1] + eased * (y - from[i][1])]) : wanted;
  }

  function highlight(label) {
    only = only === label ? null : label;
    [...legend.children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === only)));
    paint();
  }

  function places(width, height) {
    const all = yours ? [...map.points, yours] : map.points;
    const range = (pick) => [Math.min(...all.map(pick)), Math.max(...all.map(pick))];
    const [[left, right], [bottom, top]] = [range(({ x }) => x), range(({ y }) => y)];
    const scale = Math.min((width - 2 * MARGIN) / (right - left || 1), (height - 2 * MARGIN) / (top - bottom || 1));
    return all.map(({ x, y }) => [width / 2 + (x - (left + right) / 2) * scale, height / 2 - (y - (bottom + top) / 2) * scale]);
  }

  function paint() {
    if (!map) return;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    [canvas.width, canvas.height] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
    const context = canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    at = onTheWay(places(width, height));
    context.textAlign = "center";
    context.textBaseline = "middle";
    [...legend.children].forEach((button, i) => { button.firstChild.style.color = inkOf(i); });
    const ink = map.classes.map((_, i) => inkOf(i));
    map.points.forEach(({ label, prediction }, i) => {
      context.globalAlpha = only === null || only === label ? 0.9 : 0.12;
      context.font = `600 ${only === label ? 15 : 12}px system-ui, sans-serif`;
      context.fillStyle = ink[label];
      context.fillText(sign(map.classes[label]), ...at[i]);
      if (label !== prediction) ring(context, at[i], 9, colour("vermillion"), 1.5);
    });
    context.globalAlpha = 1;
    if (yours) thumbnail(context, at.at(-1));
    if (present !== null && present !== "yours") ring(context, at[present], 13, colour("ink"), 2);
  }

  function ring(context, [x, y], radius, stroke, wide) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.strokeStyle = stroke;
    context.lineWidth = wide;
    context.stroke();
  }

  function thumbnail(context, [x, y]) {
    const small = document.createElement("canvas");
    const now = colours();
    paintRows(small, yours.image, (gray) => inked(gray, now));
    context.imageSmoothingEnabled = small.width > 18;
    context.drawImage(small, x - 18, y - 18, 36, 36);
    context.strokeStyle = colour("ink");
    context.lineWidth = present === "yours" ? 3.5 : 1.5;
    context.strokeRect(x - 18, y - 18, 36, 36);
  }

  function look(which) {
    present = which;
    tell();
    paint();
  }

  function tell() {
    const point = present === "yours" ? yours : map.points[present];
    image.hidden = !point;
    if (!point) return;
    const now = colours();
    paintRows(image, point.image, (gray) => inked(gray, now));
    const name = (label) => map.classes[label];
    if (present === "yours") words.textContent = `Your drawing, predicted as ${name(point.prediction)}`;
    else words.textContent = point.label === point.prediction ? `A ${name(point.label)}, predicted so` : `A ${name(point.label)}, predicted as ${name(point.prediction)}`;
    image.setAttribute("aria-label", words.textContent);
  }

  const index = (i) => (yours && i === at.length - 1 ? "yours" : i);

  // The point that the pointer is nearest to, if one is near.
  function near(event, within) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const away = at.map(([px, py], i) => Math.hypot(px - x, py - y) + (only === null || map.points[i]?.label === only ? 0 : within));
    const best = away.indexOf(Math.min(...away));
    if (away[best] <= within) look(index(best));
  }
  canvas.addEventListener("pointermove", (event) => map && event.pointerType === "mouse" && near(event, NEAR));
  canvas.addEventListener("click", (event) => map && near(event, 2 * NEAR));
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || !map || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (present === null) return look(yours ? "yours" : 0);
    const [x, y] = at[present === "yours" ? at.length - 1 : present];
    // Of what lies in that direction the nearest, where what lies aside counts twice.
    const away = at.map(([px, py]) => {
      const [along, aside] = [(px - x) * step[0] + (py - y) * step[1], Math.abs((px - x) * step[1]) + Math.abs((py - y) * step[0])];
      return along > 0.5 ? along + 2 * aside : Infinity;
    });
    const best = away.indexOf(Math.min(...away));
    if (away[best] < Infinity) look(index(best));
  });

  const size = new ResizeObserver(paint);
  size.observe(canvas);
  dark.addEventListener("change", () => { paint(); if (map) tell(); });
  return {
    element, show, move,
    place(drawn) {
      if (!yours) present = "yours";
      yours = drawn;
      tell();
      glide();
    },
    close() {
      cancelAnimationFrame(frame);
      size.disconnect();
    },
  };
}
