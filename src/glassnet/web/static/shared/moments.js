// The network that a view shows, as it is now or was at a step: a bar of time over the snapshots of its run. The network of
// a run that goes is followed.

import { asking } from "./asking.js";
import { h } from "./dom.js";
import { follow, isGoing } from "./follow.js";
import { notice } from "./notice.js";
import { timeline } from "./time.js";

const LEAST = 400; // ms from one network of a run that goes to the next

// show(): shows the network at `step()`; a promise of when that is done.
export function moments(show) {
  const element = h("section", { class: "card time", "aria-label": "Time", hidden: true });
  const newest = asking(show, (error) => notice(error.message), LEAST);
  let run = null;
  let time = null;

  // run: the name of a run that there is, or null for a network that no run is known of; step: of an address.
  function of(name, step = null) {
    end();
    if (name === null) return;
    let known = false; // whether the newest network has been told of: it is told at once, and then when there is another
    time = timeline(element, { show }, /^\d+$/.test(step ?? "") ? Number(step) : null);
    run = follow(name, true, (told, what) => {
      if (what === "gone") miss();
      if (what === "facts") time.update(told.facts);
      if (what !== "model") return;
      if (time.step() === null && (known || isGoing(told.facts))) newest.again();
      known = true;
    });
  }

  function miss() {
    const { name } = run;
    end();
    element.replaceChildren(h("p", { role: "alert" }, `${name} is not there: it was renamed, moved or deleted. Choose another network.`));
    element.hidden = false;
  }

  function end() {
    run?.close();
    time?.close();
    run = time = null;
    element.hidden = true;
  }

  return {
    element, of,
    // The past step that is shown, or null for now.
    step: () => time?.step() ?? null,
    close() {
      end();
      newest.close();
    },
  };
}
