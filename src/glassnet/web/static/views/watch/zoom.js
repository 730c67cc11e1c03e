// The part of the curves that is looked at: a range of their horizontal axis, the same for all charts, or all of it. A drag
// across a chart chooses it; the buttons do for keys and fingers, whose drag scrolls the page.

import { h } from "../../shared/dom.js";

const CLOSER = 2; // times, at one press
const PART = 0.5; // of the range, by which an arrow moves it

const ends = (xs) => [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))];

// changed(): another range is looked at.
export function zoom(changed) {
  let range = null; // [from, to], or null for all
  let whole = [0, 1];
  let isLog = false;
  let least = 0; // of a range: the width of one step, as there is nothing between two steps
  let middle = null; // of what is looked at next, or null for the middle of the range

  const button = (label, words, act) => h("button", { type: "button", "aria-label": label, title: label, onclick: act }, words);
  const out = [
    button("Zoom out", "−", () => by(1 / CLOSER)),
    button("Earlier", "←", () => move(-PART)),
    button("Later", "→", () => move(PART)),
    button("Show all", "All", () => choose(null)),
  ];
  const closer = button("Zoom in", "+", () => closer.getAttribute("aria-disabled") !== "true" && by(CLOSER));
  const element = h("div", { class: "row zoom", role: "group", "aria-label": "Zoom" }, closer, out);

  const onAxis = (x) => (isLog ? Math.log10(x) : x);
  const offAxis = (place) => (isLog ? 10 ** place : place);

  // The range, or all, some times closer.
  function scaled(times) {
    const [from, to] = (range ?? whole).map(onAxis);
    const half = (to - from) / times / 2;
    const centre = middle > (range ?? whole)[0] && middle < (range ?? whole)[1] ? onAxis(middle) : (from + to) / 2;
    return [centre - half, centre + half];
  }

  const by = (times) => within(...scaled(times));
  const isNarrow = ([from, to]) => to - from < least;

  function move(part) {
    const [from, to] = range.map(onAxis);
    within(from + part * (to - from), to + part * (to - from));
  }

  // A range of this width that does not go beyond the whole.
  function within(from, to) {
    const [low, high] = whole.map(onAxis);
    const width = Math.min(to - from, high - low);
    const start = Math.min(Math.max(from, low), high - width);
    choose(width < high - low ? [start, start + width].map(offAxis) : null);
  }

  // A drag may go beyond what there is; where it chooses nothing of that, all is shown.
  function choose(wanted) {
    const focused = out.includes(document.activeElement);
    const inside = wanted && [Math.max(wanted[0], whole[0]), Math.min(wanted[1], whole[1])];
    range = inside && inside[0] < inside[1] ? inside : null;
    for (const each of out) each.hidden = !range;
    if (focused && !range) closer.focus();
    changed();
  }

  // A drag over less than a step leaves the range as it is.
  const drag = (wanted) => (wanted && isNarrow(wanted) ? changed() : choose(wanted));

  for (const each of out) each.hidden = true;
  return {
    element,
    choose: drag,
    range: () => range,
    // What there is to look at: all x of the curves and the steps at which they are, the axis, and the moment that is marked,
    // or null.
    about(xs, steps, log, moment) {
      isLog = log;
      middle = moment;
      const known = log ? xs.filter((x) => x > 0) : xs;
      whole = known.length ? ends(known) : [0, 1];
      const [from, to] = xs.length ? ends(xs) : whole;
      const [first, last] = xs.length ? ends(steps) : [0, 0];
      least = (to - from) / (last - first || 1);
      closer.setAttribute("aria-disabled", String(isNarrow(scaled(CLOSER).map(offAxis)))); // not disabled: it keeps the focus
    },
    reset() { if (range) choose(null); },
  };
}
