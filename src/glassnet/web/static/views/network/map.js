// A map of what the last hidden layer makes of test images: neighbours look alike to the network. A drawing lies among them.

import { unusable } from "../../shared/address.js";
import { h } from "../../shared/dom.js";
import { count, percent } from "../../shared/format.js";
import { drawing } from "../draw/brush.js";
import { scatter } from "./scatter.js";
import { mapOf, placeOf } from "./server.js";
import { turning } from "./turned.js";

const METHODS = { pca: "PCA", umap: "UMAP" };
const MEANINGS = {
  pca: "PCA shows the two directions in which the activations vary most",
  umap: "UMAP keeps images together that are neighbours among all activations; its axes mean nothing",
};

export function mountMap(root, settings, { model, time, remember }) {
  let turn = 0; // the number of the last question, so that an older answer is dropped
  let first = null; // the map of the network as it is now, as which all others of this run lie: { of, points }
  const method = h("select", { onchange: ask }, Object.entries(METHODS).map(([name, words]) => h("option", { value: name, selected: name === settings.get("method") }, words)));
  if (settings.get("method") !== method.value) unusable(settings, ["method"]);
  const words = h("p", { class: "soft", "aria-live": "polite" });
  const own = h("p", { class: "small soft" });
  const view = scatter();
  view.element.hidden = true;
  root.append(
    h("section", { class: "card", "aria-label": "Network and map" },
      h("div", { class: "row fields" }, h("label", {}, "network", model), h("label", {}, "map", method)), words, own),
    time.element, view.element);

  async function ask() {
    const asked = ++turn;
    remember({ method: method.value });
    const of = `${method.value} ${model.value}`;
    if (first?.of !== of) first = null;
    if (!first || method.value === "umap") words.textContent = method.value === "umap" ? "Making the map, which may take a minute the first time …" : "Making the map …";
    try {
      const step = time.step();
      const now = first ?? { of, ...await mapOf(model.value, null, method.value) };
      const found = step === null && !first ? now : await mapOf(model.value, step, method.value, now);
      if (asked !== turn) return;
      const isNew = !first;
      first = now;
      const turned = turning(found.points, now.points);
      const shown = { ...found, points: found.points.map(turned) };
      view.element.hidden = false;
      words.textContent = said(shown);
      own.replaceChildren();
      if (isNew) view.show(shown);
      else view.move(shown);
      await place(asked, step, turned);
    } catch (error) {
      if (asked !== turn) return;
      view.element.hidden = true;
      words.textContent = error.message;
    }
  }

  async function place(asked, step, turned) {
    if (drawing.empty) {
      own.replaceChildren(h("a", { href: "#draw" }, "Draw a digit"), " and it appears on the map.");
      return;
    }
    try {
      const found = await placeOf(model.value, step, method.value, await drawing.picture());
      if (asked === turn) view.place(turned(found));
    } catch (error) {
      if (asked === turn) own.textContent = `Your drawing is not on the map: ${error.message}`;
    }
  }

  return {
    ask,
    close() {
      turn += 1;
      view.close();
    },
  };
}

function said({ points, method, explained }) {
  const wrong = points.filter(({ label, prediction }) => label !== prediction).length;
  const shares = explained ? `, ${percent(explained[0], 0)} and ${percent(explained[1], 0)} of their variance` : "";
  return `${count(points.length)} test images by the activations of the last hidden layer: those near each other look alike to the network. `
    + `${MEANINGS[method]}${shares}. ${wrong === 1 ? "One prediction is wrong" : `${count(wrong)} predictions are wrong`} (ringed).`.replaceAll(" %", "\u00a0%");
}
