// A network as a network: an image's way through its units, or a map of what its last hidden layer makes of images.
// #network?run=…&step=20&image=7&of=test&layer=1&unit=17: the image is a number from 0 or "drawing"; units are counted from 1.
// #network?show=map&run=…&step=20&method=pca

import { unusable } from "../../shared/address.js";
import { get } from "../../shared/api.js";
import { networkChoice } from "../../shared/choice.js";
import { h } from "../../shared/dom.js";
import { moments } from "../../shared/moments.js";
import { mountMap } from "./map.js";
import { mountUnits } from "./units.js";

const KINDS = { units: "Unit by unit", map: "Map of images" };

// What is shown goes into the address without a new entry in the history: there would be one for each unit.
const query = (settings) => new URLSearchParams(Object.entries(settings).filter(([, value]) => value != null && value !== ""));

export async function mount(root, settings, keep) {
  const kind = settings.get("show") === "map" ? "map" : "units";
  if (settings.get("show") !== kind) unusable(settings, ["show"]);
  const tabs = Object.keys(KINDS).map((name) => h("a", { class: "button", "aria-current": name === kind && "true" }, KINDS[name]));
  const runs = await get("/api/runs");
  const time = moments(() => view.ask());
  const model = networkChoice(runs, settings.get("run"), () => {
    moment(null);
    view.ask();
  });
  const toggle = h("nav", { class: "row toggle", "aria-label": "What is shown" }, tabs);
  const own = h("div", { class: "own" });
  root.append(h("div", { class: "row head" }, h("h1", {}, "Network"), toggle), own);
  const view = { units: mountUnits, map: mountMap }[kind](own, settings, { model, time, remember });
  await moment(settings.get("step"));
  await view.ask();
  return () => {
    time.close();
    view.close();
  };

  function moment(step) {
    return time.of(runs.some(({ name }) => name === model.value) ? model.value : null, step);
  }

  function remember(more) {
    keep(query({ ...(kind === "map" && { show: "map" }), run: model.value, step: time.step(), ...more }));
    tabs.forEach((tab, i) => {
      const show = Object.keys(KINDS)[i];
      tab.href = `#network?${query({ ...(show === "map" && { show }), run: model.value, step: time.step() })}`;
    });
  }
}
