// The picture of a network and the card of one unit, for any source as source.js describes it.

import { h } from "../../shared/dom.js";
import { diagram } from "./diagram.js";
import { unitCard } from "./unit.js";

const LINGER = 150; // ms in which a pointer may cross the gap between two units
const FEW = 5; // layers that leave space for the unit's sum beside them
const SETTLE = 250; // ms on a unit before the images that excite it are asked for

// told: { chosen(level, unit) or chosen(null), failed(error) }.
export function explorer(told) {
  let source = null;
  let chosen = null; // [level, unit] that stays, or null: then what the pointer is on is shown, or else the answer
  let round = 0; // so that what comes late for another unit is dropped
  let [lingering, settling] = [0, 0];

  const picture = diagram({ hover, choose: (level, unit) => choose(chosen?.[0] === level && chosen[1] === unit ? null : [level, unit]) });
  const card = unitCard((level, unit) => choose([level, unit]));
  const release = h("button", { class: "quiet", onclick: () => choose(null), hidden: true }, "Show all layers’ lines");
  const words = h("p", { class: "soft small" });
  const element = h("div", { class: "explorer" },
    h("section", { class: "card", "aria-label": "The network" }, picture.element, h("div", { class: "row foot" }, words, release)),
    card.element, card.looks);

  function hover(level, unit) {
    clearTimeout(lingering);
    if (chosen) return;
    if (unit === null) lingering = setTimeout(rest, LINGER);
    else look(level, unit);
  }

  function choose(place) {
    chosen = place;
    told.chosen(place);
    if (place) look(...place);
    else rest();
  }

  // Nothing is chosen: the answer's sum, and the strongest contributions between all layers.
  function rest() {
    const best = source.probabilities.indexOf(Math.max(...source.probabilities));
    look(source.layers.length - 1, best, true);
  }

  async function look(level, unit, all = false) {
    const own = ++round;
    clearTimeout(lingering); // a finger leaves the layer before its tap chooses a unit
    clearTimeout(settling);
    release.hidden = !chosen;
    words.textContent = all
      ? "Lines are the strongest contributions from each layer to the next: blue raises a sum, orange lowers it. Point at a unit for its sum; click, tap or use the arrow keys to keep it."
      : "Lines are what the unit is given and what it hands on: blue raises a sum, orange lowers it.";
    try {
      const [connections] = await source.units(level, [unit]);
      if (own !== round) return;
      picture.mark(level, all ? null : unit);
      const about = card.show(source, level, unit, connections);
      if (source.top && level) settling = setTimeout(() => lookFor(about, level, unit), SETTLE);
      if (all) await picture.overview();
      else picture.trace(level, unit, connections);
    } catch (error) {
      if (own === round) told.failed(error);
    }
  }

  async function lookFor(about, level, unit) {
    const given = source;
    card.sayTop(about, "Looking through training images …");
    try {
      card.showTop(about, given, await given.top(level, unit), given.layers[level].shape.length === 3);
    } catch (error) {
      card.sayTop(about, error.message);
    }
  }

  function onkey(event) {
    if (event.key === "Escape" && chosen) choose(null);
  }
  document.addEventListener("keydown", onkey);

  return {
    element,
    // Show an image's way, with a unit [level, unit] chosen, or none. One that this network does not have is none;
    // what is returned is whether it has it.
    show(given, wanted) {
      source = given;
      const [level, unit] = wanted ?? [];
      const has = source.layers[level] && unit >= 0 && unit < source.layers[level].steps[0].values.length;
      chosen = has ? wanted : null;
      element.classList.toggle("long", source.layers.length > FEW);
      picture.show(source);
      if (chosen) look(...chosen);
      else rest();
      return Boolean(chosen);
    },
    close() {
      round += 1;
      clearTimeout(lingering);
      clearTimeout(settling);
      document.removeEventListener("keydown", onkey);
      picture.close();
    },
  };
}
