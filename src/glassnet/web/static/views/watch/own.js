// One's own drawing at every moment of a run: the ten probabilities, and how they came about.

import { postImage } from "../../shared/api.js";
import { chart } from "../../shared/chart.js";
import { h } from "../../shared/dom.js";
import { count, percent } from "../../shared/format.js";
import { LINES } from "../../shared/palette.js";
import { drawing, paper } from "../draw/brush.js";
import { insideCard } from "../draw/cards.js";

const BARS = 10; // of a model with more classes, the most probable
const CURVES = 3; // classes whose probabilities are drawn

export function own(root, path, name) {
  let past = null;
  let answer = null; // at all snapshots
  let turn = 0; // counts the drawings, so that an answer that comes late is dropped
  let asking = false;
  let again = false;
  let looking = false;
  let closed = false;

  const canvas = h("canvas", { class: "paper", tabindex: "0", role: "application", "aria-label": "Paper to draw a digit on", "aria-describedby": "how-own" });
  const clear = h("button", { type: "button", onclick: () => { drawing.clear(); sheet.repaint(); ask(true); } }, "Clear");
  const words = h("p", { class: "soft small", "aria-live": "polite" });
  const bars = h("ul", { class: "probabilities", "aria-label": "Probability of each class at this step" });
  const curve = h("div");
  const drawn = chart(curve, { title: "Its probabilities on the way", x: "step (logarithmic)", y: "", percent: true, logX: true, height: 220 });
  const inner = insideCard();
  inner.card.className = "maps";
  root.replaceChildren(h("section", { class: "card" },
    h("h2", {}, "Your drawing, at every step"),
    h("div", { class: "sheets" },
      h("div", {}, canvas, h("div", { class: "row" }, clear), h("p", { class: "soft small", id: "how-own" }, "Draw a digit with mouse, pen, finger or keys (arrows move, Space draws), then move through time.")),
      h("div", {}, words, bars, curve), inner.card)));
  const sheet = paper(canvas, drawing, ask, () => []);

  // One question at a time; what was drawn last is always answered.
  async function ask(done = true) {
    if (!done) return;
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    do {
      again = false;
      await one();
    } while (again);
    asking = false;
  }

  async function one() {
    const mine = ++turn;
    answer = null;
    if (!drawing.empty) {
      try {
        const found = await postImage(`${path}/drawing`, await drawing.picture());
        if (mine === turn) answer = found;
      } catch (error) {
        if (mine === turn) answer = { why: error.message, classes: [] };
      }
    }
    if (mine !== turn) return;
    curves();
    show(past);
  }

  function curves() {
    const { steps = [], probabilities = [], classes = [] } = answer ?? {};
    curve.hidden = !probabilities.length;
    if (curve.hidden) return;
    const best = classes.map((_, k) => Math.max(...probabilities.map((row, i) => (steps[i] ? row?.[k] ?? 0 : 0))));
    const last = probabilities.findLast((row) => row) ?? [];
    const shown = classes.map((_, k) => k).sort((a, b) => (last[b] ?? 0) - (last[a] ?? 0) || best[b] - best[a]).slice(0, CURVES);
    const lines = shown.map((k, i) => ({ name: classes[k], colour: LINES[i], x: steps, y: probabilities.map((row) => row?.[k] ?? null) }));
    drawn.draw(lines, past ? { x: past, words: "" } : null);
  }

  function show(step) {
    past = step;
    const place = step === null ? -1 : answer?.steps?.indexOf(step) ?? -1;
    if (place >= 0) {
      fill(answer.classes, answer.probabilities[place], `At step ${count(step)}`);
      curves();
    }
    if (!drawing.empty && !answer?.why) look();
    else {
      fill(answer?.classes ?? [], null, answer?.why ?? "");
      inner.card.hidden = true;
    }
  }

  // What goes on inside the network at this step, and, where there is no snapshot, what it answers. While snapshots are
  // played it comes when it can: none of them waits for it.
  async function look() {
    if (looking) return;
    looking = true;
    let step;
    let mine;
    do {
      [step, mine] = [past, turn];
      const query = new URLSearchParams({ run: name, ...(step === null ? {} : { step }) });
      try {
        const seen = await postImage(`/api/draw?${query}`, await drawing.picture());
        inner.card.hidden = seen.empty;
        if (!seen.empty) inner.show(seen);
        if (step === past && mine === turn && !answer?.steps?.includes(step)) fill(seen.classes, seen.empty ? null : seen.probabilities, seen.empty ? seen.why : "Now");
      } catch (error) {
        words.textContent = error.message;
      }
    } while (!closed && !drawing.empty && (step !== past || mine !== turn));
    looking = false;
  }

  function fill(classes, shares, when) {
    const sorted = classes.map((_, k) => k).sort((a, b) => (shares?.[b] ?? 0) - (shares?.[a] ?? 0));
    const listed = sorted.slice(0, BARS).sort((a, b) => a - b);
    bars.replaceChildren(...listed.map((k) => {
      const fill = h("span", { class: "fill" });
      fill.style.width = `${100 * (shares?.[k] ?? 0)}%`;
      return h("li", { class: shares && k === sorted[0] ? "best" : null }, h("span", {}, classes[k]), h("span", { class: "track" }, fill), h("span", { class: "share" }, percent(shares?.[k])));
    }));
    if (shares) words.textContent = `${when}, the network says ${classes[sorted[0]]} (${percent(shares[sorted[0]])}).`;
    else words.textContent = when || "Nothing drawn yet.";
  }

  ask();
  return {
    again() { if (past === null) show(null); },
    show,
    // Where there are more snapshots than the drawing was answered by.
    more(snapshots) { if (answer?.steps && answer.steps.length < snapshots.length) ask(); },
    close() { closed = true; turn++; sheet.close(); drawn.close(); },
  };
}
