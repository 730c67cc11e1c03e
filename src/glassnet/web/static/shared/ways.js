// Ways from one view to another with the same network and image.

import { h } from "./dom.js";

const VIEWS = {
  network: ["network", {}, "Unit by unit"],
  step: ["step", { show: "trained" }, "One training step"],
  map: ["network", { show: "map" }, "Map of images"],
  draw: ["draw", {}, "Draw"],
};

// The address of a view. run: the network's name, "" or null for the site's own; seen: what else of it is kept, the image as
// shared/image.js has it in addresses, and the step of a snapshot.
export function address(view, run, seen = {}) {
  const [name, settings] = VIEWS[view];
  const query = new URLSearchParams({ ...settings, ...((run || view === "step") && { run: run ?? "" }), ...known(seen) });
  return `#${name}${query.size ? `?${query}` : ""}`;
}

const known = (settings) => Object.fromEntries(Object.entries(settings).filter(([, value]) => value != null));

// Links to views, each with its words where it is given some: ways(["network", ["draw", "Draw with this network"]], run, seen).
export const ways = (views, run, seen) => views.map((view) => {
  const [name, words] = Array.isArray(view) ? view : [view, VIEWS[view][2]];
  return h("a", { href: address(name, run, seen) }, words);
});
