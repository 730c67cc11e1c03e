// The buttons that steer a run: pause, one step, one epoch, a pace, stop, resume. A run that was started elsewhere can
// only be resumed once it has stopped.

import { post } from "./api.js";
import { h } from "./dom.js";

const NEXT = {
  running: { words: "Pause", word: "pause", goes: true },
  paused: { words: "Continue", word: "go", goes: true },
  stopped: { words: "Resume", word: "resume" },
  finished: { words: "Resume" },
  broken: { words: "Resume" },
};
const PACES = [1, 2, 5, 10, 30, 100];
const ELSEWHERE = "This run was started outside this page, so it can’t be steered from here. Ctrl-C where it was started stops it; then it can be resumed here.";

const paceOption = (steps) => h("option", { value: steps }, `${steps} ${steps === 1 ? "step" : "steps"} a second`);

// A choice of steps a second, in a form or beside a run.
export const paceField = (changed) => h("select", { name: "pace", onchange: changed }, h("option", { value: "" }, "full speed"), PACES.map(paceOption));

// Chooses steps a second in such a field, also other ones than it offers; null: full speed.
export function choosePace(field, steps) {
  if (steps != null && ![...field.options].some(({ value }) => value === String(steps))) field.append(paceOption(steps));
  field.value = steps ?? "";
}

// told(facts): what the server answers; heading: gets the focus of a button that goes when the run ends; stepped(): a step or
// an epoch was asked for.
export function steering(told, heading, stepped = () => {}) {
  let run = null;
  let isLost = false; // whether what went wrong is that the server did not answer
  const button = (words, act, kind) => h("button", { type: "button", class: kind, onclick: act }, words);
  const next = button("Pause", () => tell(NEXT[run.state]?.word), "main");
  const step = button("One step", () => tell("step"));
  const epoch = button("One epoch", () => tell("epoch"));
  const stop = button("Stop", () => tell("stop"));
  const pace = paceField(() => ask("pace", { pace: pace.value ? Number(pace.value) : null }));
  const words = h("p", { class: "small soft" });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const buttons = h("div", { class: "row", role: "group", "aria-label": "Steer the run" }, next, step, epoch, stop, h("label", { class: "pace" }, "Pace", pace));

  function able(word) {
    const { goes, word: other } = NEXT[run.state] ?? {};
    return Boolean(word) && (goes ? run.steered && (word === other || word !== "resume") : word === other);
  }

  function tell(word) {
    if (!able(word)) return;
    if (word === "step" || word === "epoch") stepped();
    ask(word);
  }

  async function ask(word, body) {
    wrong.textContent = "";
    try {
      told(await post(`/api/runs/${encodeURIComponent(run.name)}/${word}`, body));
    } catch (error) {
      wrong.textContent = error.message;
      isLost = Boolean(error.cause);
    }
  }

  return {
    element: h("div", { class: "steer" }, buttons, words, wrong),
    focus: () => next.focus(),
    update(facts) {
      run = facts;
      if (isLost) {
        wrong.textContent = ""; // it answers again
        isLost = false;
      }
      const now = NEXT[run.state] ?? {};
      const elsewhere = now.goes && !run.steered;
      next.textContent = now.words ?? "Pause";
      const isFocused = buttons.contains(document.activeElement);
      buttons.hidden = elsewhere || !now.word;
      if (isFocused && buttons.hidden) heading.focus();
      words.textContent = elsewhere ? ELSEWHERE : "";
      if (document.activeElement !== pace) choosePace(pace, run.pace);
      for (const [control, word] of [[next, now.word], [step, "step"], [epoch, "epoch"], [stop, "stop"]]) {
        control.setAttribute("aria-disabled", String(!able(word))); // not disabled: a button that has the focus keeps it
      }
    },
  };
}
