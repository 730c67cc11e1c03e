// The first layer's weights as images, and what goes forward and back through each layer.

import { get } from "../../shared/api.js";
import { h } from "../../shared/dom.js";
import { count, number, percent } from "../../shared/format.js";
import { paintSigned } from "../../shared/pixels.js";
import { asking } from "./asking.js";

const FULL = 127; // what the server sends for a large weight

// path: of the run; why: a line that says why images cannot be looked at, or null.
export function inside(root, path, why) {
  const caption = h("p", { class: "small soft" }, "No network yet.");
  const units = h("div", { class: "units", role: "img", "aria-label": "Weights of the first layer" });
  const words = h("p", { class: "small soft" }, why ?? "No network yet.");
  const layers = h("div", { class: "layers" });
  root.replaceChildren(
    h("section", { class: "card" }, h("h2", {}, "First-layer weights"), caption, units),
    h("section", { class: "card" }, h("h2", {}, "Layer by layer"), words, layers),
  );

  const weights = asking(async (signal) => {
    const answer = await get(`${path}/weights`, { signal });
    while (units.children.length > answer.units.length) units.lastChild.remove();
    while (units.children.length < answer.units.length) units.append(h("canvas", { class: "pixels" }));
    answer.units.forEach((rows, i) => paintSigned(units.children[i], rows, FULL));
    const which = answer.of > answer.units.length ? `${answer.units.length} of ${count(answer.of)} units` : `All ${answer.of} units`;
    units.setAttribute("aria-label", `Weights of the first layer at step ${answer.step}, an image for each of ${answer.units.length} units`);
    caption.textContent = `${which} at step ${count(answer.step)}. Ink on blue raises a unit's activation, ink on orange lowers it; full colour is ±${number(answer.full, 2)} or more.`;
  }, (error) => { caption.textContent = error.message; });

  const figures = asking(async (signal) => {
    const answer = await get(`${path}/layers`, { signal });
    words.textContent = `Measured on ${answer.images} validation images at step ${count(answer.step)}.`;
    layers.replaceChildren(...answer.layers.map(layer));
  }, (error) => { words.textContent = error.message; });

  return {
    again() {
      weights.again();
      if (why) return;
      if (!layers.children.length) words.textContent = "Looking …";
      figures.again();
    },
    close() { weights.close(); figures.close(); },
  };
}

function layer({ name, units, filters, activations, gradients }) {
  const { mean, spread, zeros, dead, histogram } = activations;
  const noun = filters ? "filters" : "units";
  const facts = [
    ["Activation", `${number(mean, 2)} ± ${number(spread, 2)}`, "Mean and standard deviation over all units and images"],
    ["Zeros", percent(zeros, 0), "Share of activations that are exactly zero"],
    [`Dead ${noun}`, dead == null ? "–" : `${dead} of ${units}`, `${filters ? "Filters that are zero at every place" : "Units that are zero"} for all of these images`],
    ["Gradient", `${number(gradients.norm, 2)}`, "Norm of the gradient of this layer's weights"],
    ["… to weights", gradients.relative == null ? "–" : `${number(100 * gradients.relative, 2)} %`, "Norm of the gradient relative to that of the weights"],
  ];
  return h("div", { class: "layer" },
    h("h3", {}, name, " ", h("span", { class: "soft small" }, `${count(units)} ${noun}`)),
    bars(name, histogram),
    h("dl", {}, facts.map(([term, value, title]) =>
      h("div", { title, class: term.startsWith("Dead") && dead > 0 && "dead" }, h("dt", {}, term), h("dd", {}, value)))));
}

function bars(name, { low, high, counts }) {
  const most = Math.log1p(Math.max(...counts));
  const shown = counts.map((times) => {
    const bar = h("i");
    bar.style.height = `${(100 * Math.log1p(times)) / most}%`;
    return bar;
  });
  const label = `Activations of ${name}, from ${number(low, 2)} to ${number(high, 2)}`;
  return h("figure", {},
    h("div", { class: "bars", role: "img", "aria-label": label }, shown),
    h("figcaption", { class: "small soft" }, h("span", {}, number(low, 2)), h("span", {}, number(high, 2))));
}
