// The mistakes as small curves, by what they look like, so that one is chosen by its symptom and not by its name.

import { h } from "../../shared/dom.js";
import { percent } from "../../shared/format.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [120, 56];

export const title = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("-", " ").replace("elu ", "eLU ");

function line(points, last, kind) {
  const element = document.createElementNS(SVG, "polyline");
  element.setAttribute("class", kind);
  element.setAttribute("points", points.map(([step, share]) => `${((WIDTH * step) / last).toFixed(1)},${(HEIGHT * (1 - share)).toFixed(1)}`).join(" "));
  return element;
}

// Accuracy on new images against the step: blue without the mistake, orange with it, dotted what was reported meanwhile.
export function smallCurve({ measured: { curves, broken } }) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", `-2 -3 ${WIDTH + 6} ${HEIGHT + 6}`);
  drawing.setAttribute("class", "small-curve");
  drawing.setAttribute("aria-hidden", "true");
  const last = Math.max(...Object.values(curves).map((points) => points.at(-1)[0]));
  drawing.append(...["cured", "reported", "planted"].map((kind) => line(curves[kind], last, kind)));
  if (broken) {
    const [step, share] = curves.planted.at(-1);
    const [x, y] = [(WIDTH * step) / last, HEIGHT * (1 - share)];
    const cross = document.createElementNS(SVG, "path");
    cross.setAttribute("class", "planted");
    cross.setAttribute("d", `M${x - 4},${y - 4}l8,8m0,-8l-8,8`);
    drawing.append(cross);
  }
  return drawing;
}

const LEGEND = [["cured", "without the mistake"], ["planted", "with it"], ["reported", "with it, as reported"]];

// onchoose(name) is called with the name of a mistake.
export function gallery(mistakes, onchoose) {
  const groups = new Map();
  const rank = ({ measured }) => measured?.rank ?? Infinity;
  for (const mistake of [...mistakes].sort((one, other) => rank(one) - rank(other) || 0)) {
    const group = mistake.measured?.group ?? "From other packages";
    groups.set(group, [...(groups.get(group) ?? []), mistake]);
  }
  const cards = mistakes.map((mistake) => {
    const { planted, cured, broken } = mistake.measured ?? {};
    const words = !mistake.measured ? "not measured" : broken ? "breaks down" : `${percent(planted, 0)}, cured ${percent(cured, 0)}`;
    return [mistake.name, h("button", { type: "button", "aria-pressed": "false", onclick: () => onchoose(mistake.name) }, mistake.measured && smallCurve(mistake), h("span", {}, title(mistake.name)), h("span", { class: "soft small" }, words))];
  });
  const buttons = new Map(cards);
  const element = h("div", { class: "gallery" },
    h("p", { class: "row small legend" }, "Accuracy on new images, 0 to 100 %:", LEGEND.map(([kind, words]) => h("span", {}, h("i", { class: kind }), words))),
    [...groups].map(([words, some]) => h("section", {}, h("h2", {}, words), h("div", { class: "curves" }, some.map(({ name }) => buttons.get(name))))));
  return {
    element,
    mark(chosen) {
      for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(name === chosen));
    },
  };
}
