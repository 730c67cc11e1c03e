// The network that a view shows, as it is now or was at a step: a bar of time over the snapshots of its run. The network of
// a run that goes is followed.

import { get } from "./api.js";
import { asking } from "./asking.js";
import { h } from "./dom.js";
import { follow, isGoing } from "./follow.js";
import { notice } from "./notice.js";
import { stepOf, timeline } from "./time.js";

const LEAST = 400; // ms from one network of a run that goes to the next

// show(): shows the network at `step()`; a promise of when that is done.
export function moments(show) {
  const element = h("section", { class: "card time", "aria-label": "Time", hidden: true });
  const newest = asking(show, (error) => notice(error.message), LEAST);
  let run = null;
  let time = null;
  let latest = 0; // the number of the last run that was given, so that an older answer is dropped

  // run: the name of a run that there is, or null for a network that no run is known of; text: the step of an address.
  // A promise of when `step()` is that one, or now where it is not there.
  async function of(name, text = null) {
    end();
    if (name === null) return;
    const own = latest;
    const step = text === null ? null : await placed(name, text);
    if (own !== latest) return;
    let known = false; // whether the newest network has been told of: it is told at once, and then when there is another
    time = timeline(element, { show }, step);
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

  async function placed(name, text) {
    try {
      return stepOf(text, (await get(`/api/runs/${encodeURIComponent(name)}`)).snapshots);
    } catch (error) {
      notice(error.message);
      return null;
    }
  }

  function end() {
    latest += 1;
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
