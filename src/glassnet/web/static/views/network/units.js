// Which image goes through which network, and its way through it unit by unit.

import { unusable } from "../../shared/address.js";
import { h } from "../../shared/dom.js";
import { percent } from "../../shared/format.js";
import { imageChoice } from "../../shared/image.js";
import { ways } from "../../shared/ways.js";
import { explorer } from "./explorer.js";
import { lookAt, Outdated } from "./server.js";

const number = (text) => (/^\d+$/.test(text ?? "") ? Number(text) : null);

export function mountUnits(root, settings, { model, time, remember }) {
  let place = number(settings.get("layer")) === null || !number(settings.get("unit")) ? null : [number(settings.get("layer")), number(settings.get("unit")) - 1];
  let isFirst = true; // whether no answer has come yet
  let turn = 0; // the number of the last question, so that an older answer is dropped
  const image = imageChoice(settings, ask);
  const words = h("p", { class: "verdict", "aria-live": "polite" });
  const links = h("p", { class: "ways" });
  const view = explorer({
    chosen(wanted) {
      place = wanted;
      address();
    },
    failed: (error) => (error instanceof Outdated ? ask() : fail(error)),
  });
  view.element.hidden = true;
  root.append(h("section", { class: "card", "aria-label": "Network and image" },
    h("div", { class: "row fields" }, h("label", {}, "network", model), image.fields),
    h("div", { class: "row split" }, words, links)), time.element, view.element);

  function address() {
    remember({ ...image.settings(), layer: place?.[0], unit: place && place[1] + 1 });
    const step = time.step();
    links.replaceChildren(...ways([["step", "One training step on this image"]], model.value, { ...image.settings(), step }), ...ways([["draw", "Draw with this network"]], model.value, { step }));
  }

  function fail(error) {
    view.element.hidden = true;
    links.replaceChildren();
    words.textContent = error.message;
  }

  // The unit that the address asks for, if it does, is not there.
  function drop() {
    place = null;
    unusable(settings, ["layer", "unit"]);
    address();
  }

  async function ask() {
    const own = ++turn;
    address();
    try {
      const source = await lookAt(model.value, time.step(), await image.wanted());
      if (own !== turn) return;
      image.has(source.images);
      words.textContent = said(source);
      view.element.hidden = false;
      if (!view.show(source, place) && isFirst) drop();
      isFirst = false;
    } catch (error) {
      if (own === turn) fail(error);
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

function said({ classes, probabilities, label, members }) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const truth = label == null ? "" : label === best ? ", which is correct" : `; it is a ${classes[label]}`;
  const several = members > 1 ? ` An ensemble of ${members} networks, of which this is the first.` : "";
  return `Predicted ${classes[best]} with ${percent(probabilities[best], 2)}${truth}.${several}`.replaceAll(" %", "\u00a0%");
}
