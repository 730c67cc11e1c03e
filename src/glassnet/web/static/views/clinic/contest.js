// Two runs beside each other while they go, and what came of them.

import { events, get } from "../../shared/api.js";
import { chart } from "../../shared/chart.js";
import { denser } from "../../shared/denser.js";
import { h } from "../../shared/dom.js";
import { number, percent } from "../../shared/format.js";
import { notice } from "../../shared/notice.js";
import { LINES } from "../../shared/palette.js";

const SIDES = {
  planted: { words: "with the mistake", name: "mistake", colour: LINES[1], dash: "solid" },
  cured: { words: "cured", name: "cured", colour: LINES[0], dash: "dash" },
};
const OVER = ["finished", "stopped", "broken", "unreadable"];
const CHANCE = 2; // points on some hundreds of images that are not worth words
const PAUSE = 150; // milliseconds from one drawing of the curves to the next, at least
const LAST = 600; // milliseconds in which a run's last rows come after the word that it has ended

const by = (steps) => [...steps.values()].sort((one, other) => one.step - other.step);

// hold: whether the verdict waits until it is asked for, with `reveal`.
export function contest({ hold = false } = {}) {
  const loss = h("div", {});
  const accuracy = h("div", {});
  const lossChart = chart(loss, { title: "Training loss", x: "step", y: "loss", height: 300 });
  const accuracyChart = chart(accuracy, { title: "Accuracy as reported", x: "step", y: "accuracy", percent: true, height: 300 });
  const state = h("p", { class: "soft", "aria-live": "polite" });
  const verdict = h("div", { class: "verdict", "aria-live": "polite" });
  const element = h("section", { class: "card", "aria-label": "Both runs", hidden: true },
    h("div", { class: "columns" }, loss, accuracy), state, verdict);
  let sides = {};
  let waiting = null;
  let held = hold;
  let judged = null; // what shows the verdict, once both runs are over
  let round = 0; // the number of this pair, so that what comes late for another is dropped

  function begin(names) {
    close();
    round += 1;
    const own = round;
    element.hidden = false;
    verdict.replaceChildren();
    [held, judged] = [hold, null];
    sides = Object.fromEntries(Object.keys(SIDES).map((side) => [side, { name: names[side], steps: new Map(), rows: new Map(), run: null }]));
    for (const side of Object.values(sides)) {
      const take = (into) => (list) => {
        for (const each of list) into.set(each.step, each);
        later();
      };
      side.end = events(`/api/runs/${encodeURIComponent(side.name)}/events`, {
        steps: take(side.steps),
        rows: take(side.rows),
        run: (run) => {
          side.run = run;
          tell();
          if (Object.values(sides).every((each) => each.run && OVER.includes(each.run.state))) {
            setTimeout(() => judge(own).catch((error) => notice(error.message)), LAST);
          }
        },
        gone: () => {
          side.end();
          state.textContent = `The run ${side.name} was deleted while it was watched.`;
        },
      }, () => {
        if (!side.run) state.textContent = `The run ${side.name} is not there, or the server does not answer.`;
      });
    }
    tell();
    return draw();
  }

  function later() {
    waiting ??= setTimeout(() => {
      waiting = null;
      draw();
    }, PAUSE);
  }

  function draw() {
    const line = (pick) => Object.entries(sides).map(([side, data]) => {
      const { name, colour, dash } = SIDES[side];
      const points = pick(data).filter(({ y }) => y != null);
      return { name, colour, dash, x: points.map(({ x }) => x), y: points.map(({ y }) => y) };
    });
    const losses = ({ steps, rows }) => denser(by(steps), by(rows)).map((each) => ({ x: each.step, y: each.loss }));
    const shares = ({ rows }) => by(rows).map((each) => ({ x: each.step, y: each.validation_accuracy }));
    const moment = switched();
    lossChart.draw(line(losses), moment);
    accuracyChart.draw(line(shares), moment);
  }

  // Where the mistake was switched on in the middle of a run.
  function switched() {
    const { mistakes_from: epochs = null } = sides.planted.run?.config ?? {};
    const before = epochs && by(sides.planted.rows).find(({ epoch }) => epoch === epochs);
    return before ? { x: before.step, words: "mistake" } : null;
  }

  function tell() {
    state.textContent = Object.entries(sides).map(([side, { run }]) => {
      const words = run ? `${run.state}, epoch ${run.epoch} of ${run.epochs}` : "starting";
      return `${SIDES[side].words}: ${words}`;
    }).join(" · ");
  }

  // When both are over: their figures, and what they are on images that neither has seen.
  async function judge(own) {
    if (own !== round) return;
    for (const side of Object.values(sides)) side.end();
    const truths = await Promise.all(Object.values(sides).map(({ name }) => get(`/api/clinic/truth?run=${encodeURIComponent(name)}`)));
    if (own !== round) return;
    await draw();
    const [planted, cured] = Object.values(sides).map((side, i) => ({ ...figures(side), ...truths[i], state: side.run.state, later: side.run.config?.mistakes_from }));
    const row = (words, say) => h("tr", {}, h("th", { scope: "row" }, words), h("td", {}, say(planted)), h("td", {}, say(cured)));
    judged = () => verdict.replaceChildren(
      h("h2", {}, "The verdict"),
      h("p", {}, sentence(planted, cured)),
      h("div", { class: "scroll" }, h("table", {},
        h("thead", {}, h("tr", {}, h("td", {}), ...Object.values(SIDES).map(({ words }) => h("th", { scope: "col" }, words)))),
        h("tbody", {},
          row("loss at the first step", ({ first }) => number(first)),
          row("training loss at the end", ({ last }) => number(last)),
          row("accuracy as reported", ({ reported }) => percent(reported)),
          row(`accuracy on ${cured.images} new images`, ({ accuracy: share }) => percent(share)),
          row("how it ended", ({ state: word }) => word)))));
    if (!held) judged();
  }

  function figures({ steps, rows }) {
    const [live, reports] = [by(steps), by(rows)];
    return { first: live[0]?.loss, last: reports.at(-1)?.loss, reported: reports.at(-1)?.validation_accuracy };
  }

  function close() {
    clearTimeout(waiting);
    waiting = null;
    for (const side of Object.values(sides)) side.end?.();
  }

  return {
    element,
    begin,
    reveal() {
      held = false;
      judged?.();
    },
    hide() {
      round += 1;
      close();
      element.hidden = true;
    },
    names: () => Object.values(sides).filter(({ run }) => !run || !OVER.includes(run.state)).map(({ name }) => name),
    close() {
      round += 1;
      close();
      lossChart.close();
      accuracyChart.close();
    },
  };
}

function sentence(planted, cured) {
  if (planted.accuracy == null) return "The mistake broke the run before there was a network to judge.";
  const cost = 100 * (cured.accuracy - planted.accuracy);
  const later = planted.later ? "Judged by the network at the end of each run: " : "";
  const broke = planted.state === "broken" ? "The mistake broke the run. Judged by its best network until then: " : later;
  const flatters = 100 * (planted.reported - planted.accuracy);
  const lie = planted.reported != null && flatters > CHANCE ? ` The run with the mistake reported ${flatters.toFixed(1)} points more than it reaches on new images.` : "";
  if (Math.abs(cost) < CHANCE) {
    return `${broke}the two differ by ${Math.abs(cost).toFixed(1)} points on ${cured.images} images that neither has seen, which is no more than chance.${lie}`.replace(/^t/, "T");
  }
  return `${broke}the mistake ${cost > 0 ? "cost" : "gained"} ${Math.abs(cost).toFixed(1)} points of accuracy on ${cured.images} images that neither run has seen.${lie}`.replace(/^t/, "T");
}
