// The way that a network has come: a slider over the snapshots of a run, which also plays them. The last place is the
// network as it is now: while the run goes that changes, and afterwards it is the best one.

import { h } from "./dom.js";
import { count } from "./format.js";
import { notice } from "./notice.js";

const SPEEDS = [1, 2, 5, 10]; // snapshots a second
const USUAL = 5;

// The step that an address names, if it is one of these; or else null, with a line that says so.
export function stepOf(text, steps) {
  const step = /^\d+$/.test(text) ? Number(text) : null;
  if (steps.includes(step)) return step;
  notice(`There is no snapshot of step “${text.slice(0, 20)}”, so the network is shown as it is now.`);
  return null;
}

// show(step): shows a past step, or with null the network as it is now; a promise of when that is done. changes(are): whether
// changes are to be shown, in a view that can. at: the step that is shown, and null for now.
export function timeline(root, { show, changes }, at = null) {
  let steps = [];
  let facts = null;
  let busy = false;
  let timer = null; // while it plays
  let closed = false;

  const play = h("button", { class: "main", type: "button", onclick: toggle }, "Play");
  const slider = h("input", { type: "range", min: 0, "aria-label": "Step", oninput: () => go(steps[slider.valueAsNumber] ?? null) });
  const words = h("output", {});
  const speed = h("select", { "aria-label": "Speed" }, SPEEDS.map((each) => h("option", { value: each, selected: each === USUAL }, `${each} / s`)));
  const differences = h("input", { type: "checkbox", onchange: () => { changes(differences.checked); refresh(); } });
  const now = h("button", { type: "button", onclick: () => go(null) }, "Now");
  root.replaceChildren(
    h("div", { class: "ends" }, play, now),
    h("div", { class: "way" }, slider, words),
    h("div", { class: "row" }, h("label", { class: "speed" }, h("span", {}, "Speed"), speed), changes && h("label", { class: "row tick" }, differences, "Changes")));

  function toggle() {
    if (timer === null) {
      if (at === null || at === steps.at(-1)) go(steps[0]);
      timer = setTimeout(next, 1000 / speed.value);
    } else halt();
    tell();
  }

  function halt() {
    clearTimeout(timer);
    timer = null;
    tell();
  }

  // The next snapshot comes when it is time, and the one before it has been shown.
  function next() {
    if (closed || timer === null) return;
    if (busy || document.hidden) {
      timer = setTimeout(next, 50);
      return;
    }
    const following = steps[steps.indexOf(at) + 1];
    if (following === undefined) {
      halt();
      return;
    }
    timer = setTimeout(next, 1000 / speed.value);
    go(following, true);
  }

  // Only the place that is wanted last is shown, however quickly they follow each other.
  async function go(step, played = false) {
    if (!played && timer !== null) halt();
    at = step;
    tell();
    if (busy) return;
    busy = true;
    let shown;
    do {
      shown = at;
      await show(shown);
    } while (shown !== at && !closed);
    busy = false;
  }

  const refresh = () => go(at, true);

  function tell() {
    const place = at === null ? steps.length : steps.indexOf(at);
    slider.max = steps.length;
    slider.value = place;
    const total = facts?.total_steps;
    const what = facts?.state === "finished" ? "the best network, which the run kept" : "the newest network";
    words.textContent = at === null ? `Now: ${what}` : `Step ${count(at)}${total ? ` of ${count(total)}` : ""} · snapshot ${place + 1} of ${steps.length}`;
    slider.setAttribute("aria-valuetext", words.textContent);
    play.textContent = timer === null ? "Play" : "Pause";
    now.setAttribute("aria-pressed", String(at === null));
  }

  return {
    // What is known of the run; where its snapshots have changed, the place stays.
    update(known) {
      facts = known;
      steps = facts.snapshots ?? [];
      root.hidden = steps.length < 2;
      if (at !== null && !steps.includes(at)) go(null);
      else tell();
    },
    // The step of an address; returns whether there is one.
    place(text) {
      const step = stepOf(text, steps);
      if (step !== null) go(step);
      return step !== null;
    },
    step: () => at,
    differ() {
      if (at === null && !differences.checked) differences.click();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
