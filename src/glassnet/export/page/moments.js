// A slider through the training of the network: the drawing is answered with the weights that it had at each step.

import { h } from "../../web/static/shared/dom.js";
import { count } from "../../web/static/shared/format.js";

const KEPT = "While it learned: the network that was kept at the end";
const PACE = 400; // ms from one step to the next while it plays

export function moments(model, changed) {
  const last = model.steps.length - 1;
  let clock = null;
  const words = h("span", { "aria-live": "polite" });
  const slider = h("input", { type: "range", min: 0, max: last, value: last, oninput: () => { stop(); use(slider.valueAsNumber); } });
  const play = h("button", { onclick: () => (clock === null ? start() : stop()) }, "Play");

  function use(n) {
    slider.value = n;
    model.use(n);
    const step = model.steps[n];
    words.textContent = step === null ? KEPT : `While it learned: the network after step ${count(step)}`;
    slider.setAttribute("aria-valuetext", words.textContent);
    changed();
  }

  function start() {
    let n = slider.valueAsNumber === last ? -1 : slider.valueAsNumber;
    play.textContent = "Pause";
    clock = setInterval(() => {
      n += 1;
      use(n);
      if (n === last) stop();
    }, PACE);
  }

  function stop() {
    clearInterval(clock);
    clock = null;
    play.textContent = "Play";
  }

  words.textContent = KEPT;
  return h("div", { class: "moments row", role: "group", "aria-label": "While it learned" }, play, h("label", {}, words, slider));
}
