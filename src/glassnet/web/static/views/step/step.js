import { unusable } from "../../shared/address.js";
import { h } from "../../shared/dom.js";
import { mountConvolution } from "./convolution.js";
import { mountTiny } from "./tiny.js";
import { mountTrained } from "./trained.js";

const KINDS = {
  tiny: { words: "A network with 23 parameters", mount: mountTiny },
  convolution: { words: "A convolution with 15 parameters", mount: mountConvolution },
  trained: { words: "A trained network", mount: mountTrained },
};

// Settings go into the address without a new entry in the history: there would be one for each movement of a slider.
function query(settings) {
  const given = new URLSearchParams(Object.entries(settings).filter(([, value]) => value != null && value !== ""));
  if ("run" in settings) given.set("run", settings.run); // empty: the bundled model
  return given;
}

export async function mount(root, settings, keep) {
  const kind = Object.hasOwn(KINDS, settings.get("show") ?? "") ? settings.get("show") : "tiny";
  if (settings.get("show") !== kind) unusable(settings, ["show"]);
  root.append(
    h("div", { class: "row head" }, h("h1", {}, "Step through"), h("nav", { class: "row toggle", "aria-label": "Which network" }, Object.entries(KINDS).map(([name, { words }]) =>
      h("a", { class: "button", href: name === "tiny" ? "#step" : `#step?show=${name}`, "aria-current": name === kind && "true" }, words)))),
    h("p", { class: "lede" },
      "One image goes through one training step: forward to a prediction, backward to the gradients, "
      + "and a small update of every parameter. Walk through it with the arrow keys, and change what you like."));
  return KINDS[kind].mount(root, settings, (kept) => keep(query(kept)));
}
