// The first layer's weights as images, and what goes forward and back through each layer.

import { get } from "../../shared/api.js";
import { asking, at } from "../../shared/asking.js";
import { h } from "../../shared/dom.js";
import { count, number, percent } from "../../shared/format.js";
import { paintSigned } from "../../shared/pixels.js";

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

  let past = null; // the step that is shown, and null for now
  let differences = false; // whether changes are shown in place of weights

  async function showWeights(signal) {
    const [asked, changes] = [past, differences];
    const answer = await get(`${path}/${changes ? "changes" : "weights"}${at(asked)}`, { signal });
    if (asked !== past || changes !== differences) return;
    while (units.children.length > answer.units.length) units.lastChild.remove();
    while (units.children.length < answer.units.length) units.append(h("canvas", { class: "pixels" }));
    answer.units.forEach((rows, i) => {
      paintSigned(units.children[i], rows, FULL);
      units.children[i].title = `unit ${answer.numbers[i]}`;
    });
    const which = answer.of > answer.units.length ? `The ${answer.units.length} of ${count(answer.of)} units with the largest weights` : `All ${answer.of} units`;
    const full = `full colour is ±${number(answer.full, 2)} or more`;
    if (changes && answer.since == null) caption.textContent = `Step ${count(answer.step)}: nothing before it to compare with.`;
    else if (changes) caption.textContent = `${which}: how their weights changed from step ${count(answer.since)} to ${count(answer.step)}. Blue grew, orange fell; ${full}.`;
    else caption.textContent = `${which} at step ${count(answer.step)}. Ink on blue raises a unit's activation, ink on orange lowers it; ${full}.`;
    units.setAttribute("aria-label", `${changes ? "Changes of the weights" : "Weights"} of the first layer at step ${answer.step}, an image for each of ${answer.units.length} units`);
  }

  async function showLayers(signal) {
    const asked = past;
    const answer = await get(`${path}/layers${at(asked)}`, { signal });
    if (asked !== past) return;
    words.textContent = `${answer.images} validation images at step ${count(answer.step)}: activations (counts on a logarithmic scale), and the gradient on its way back.`;
    layers.replaceChildren(...answer.layers.map(layer));
  }

  const refuse = (place) => (error) => { place.textContent = error.message; };
  const weights = asking(showWeights, refuse(caption));
  const figures = asking(showLayers, refuse(words));

  return {
    again() {
      if (past !== null) return;
      weights.again();
      if (why) return;
      if (!layers.children.length) words.textContent = "Looking …";
      figures.again();
    },
    // Shows a past step, or with null what is now; a promise of when that is done.
    show(step, changes) {
      [past, differences] = [step, changes];
      return Promise.all([showWeights().catch(refuse(caption)), why || showLayers().catch(refuse(words))]);
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
