// Loss, accuracy, learning rate and images a second of one run, or of several laid over each other.

import { chart } from "../../shared/chart.js";
import { denser } from "../../shared/denser.js";
import { h } from "../../shared/dom.js";
import { LINES } from "../../shared/palette.js";
import { zoom } from "./zoom.js";

const MOST = 600; // points of a line: more than the screen can tell apart
const BY = { step: "steps", epoch: "epochs", seconds: "seconds of training" };

const SMOOTH = 0.9; // of the smoothed line that was before; it then reaches back over some ten points

const coarse = matchMedia("(pointer: coarse)");
const how = { logX: false, logLoss: true, smooth: false }; // kept while the page is there

export function curves(root, by, chosen) {
  const choice = h("select", { onchange: () => { by = choice.value; chosen(by); zoomed.reset(); draw(); } },
    Object.entries(BY).map(([value, words]) => h("option", { value, selected: value === by }, words)));
  const tick = (key, words) => h("label", { class: "row tick" }, h("input", { type: "checkbox", checked: how[key], onchange: ({ target }) => change(key, target.checked) }), words);
  const legend = h("p", { class: "small soft guide" });
  const zoomed = zoom(() => draw());
  const change = (key, isOn) => {
    how[key] = isOn;
    if (key === "logX") zoomed.reset(); // a logarithmic axis may have no place for the range
    draw();
  };
  const places = [0, 1, 2, 3].map(() => h("div"));
  root.replaceChildren(
    h("div", { class: "row" }, h("h2", {}, "How it learns"),
      h("div", { class: "row how" }, tick("logLoss", "log loss"), tick("logX", "log axis"), tick("smooth", "smooth"), h("label", { class: "by" }, "Plot against", choice))),
    h("div", { class: "row split" }, legend, zoomed.element),
    h("div", { class: "columns curves" }, places),
  );
  let runs = [];
  let charts = [];
  let several = null;
  let past = null;
  const due = new Set();
  let frame = 0;

  // The charts' titles and axes are set where they are made, so another axis or another legend makes new ones.
  let made = "";
  function make() {
    const wanted = `${by} ${several} ${how.logX} ${how.logLoss}`;
    if (made === wanted) return;
    made = wanted;
    charts.forEach(({ close }) => close());
    const common = { x: how.logX ? `${BY[by]} (logarithmic)` : BY[by], y: "", logX: how.logX, legend: several ? false : undefined };
    charts = [
      { title: "Loss", values: pair("loss", "validation_loss"), options: { log: how.logLoss } },
      { title: "Accuracy", values: pair("accuracy", "validation_accuracy"), options: { percent: true } },
      { title: "Learning rate", values: one("learning_rate"), options: { height: 200 } },
      { title: "Images per second", values: one("images_per_second"), options: { height: 200 } },
    ].map(({ title, values, options }, i) => {
      const { draw, close } = chart(places[i], { title, ...common, ...options, zoomed: zoomed.choose });
      return { draw: () => draw(runs.flatMap(values), moment(), zoomed.range()), close };
    });
  }

  const pair = (training, validation) => (run, i) => {
    const [colour, other] = several ? [LINES[i], LINES[i]] : [LINES[0], LINES[1]];
    const live = run.steps.filter((row) => row[training] != null);
    return [
      { ...line(run, denser(live, run.rows), training), name: several ? `${run.name}, training` : "training", colour, dash: several ? "dot" : "solid" },
      { ...line(run, run.rows, validation), name: several ? run.name : "validation", colour: other },
    ].filter(({ x }) => x.length);
  };

  const one = (key) => (run, i) => {
    const colour = LINES[several ? i : 0];
    const rows = run.rows.filter((row) => row[key] != null);
    return [{ ...line(run, denser(run.steps, rows), key), name: run.name, colour }].filter(({ x }) => x.length);
  };

  function line(run, rows, key) {
    const known = smoothed(rows.filter((row) => row[key] != null), key);
    const near = within(run, known);
    const every = Math.ceil(near.length / MOST);
    const shown = near.filter((_, i) => i % every === 0 || i === near.length - 1);
    return { x: shown.map((row) => place(run, row)), y: shown.map((row) => row[key]) };
  }

  // The rows of the range that is looked at, and one on either side: then the other axis fits it, too, and a line has all
  // points that it has there.
  function within(run, rows) {
    const range = zoomed.range();
    if (!range) return rows;
    const first = rows.findLastIndex((row) => place(run, row) <= range[0]);
    const last = rows.findIndex((row) => place(run, row) >= range[1]);
    return rows.slice(Math.max(first, 0), last < 0 ? undefined : last + 1);
  }

  function smoothed(rows, key) {
    let mean = rows[0]?.[key];
    return how.smooth ? rows.map((row) => ({ ...row, [key]: (mean = SMOOTH * mean + (1 - SMOOTH) * row[key]) })) : rows;
  }

  // Where the past step stands that is shown, among the rows of the first run.
  function moment() {
    if (!past) return null;
    const [run] = runs;
    const nearest = [...run.steps, ...run.rows].sort((a, b) => Math.abs(a.step - past) - Math.abs(b.step - past))[0];
    return { x: by === "step" || !nearest ? past : place(run, nearest), words: "" };
  }

  function place(run, row) {
    if (by !== "epoch" || !row.total_steps || !run.facts?.epochs) return row[by];
    return (row.step / row.total_steps) * run.facts.epochs;
  }

  // One chart a frame, so that none of them keeps the page from answering.
  function next() {
    frame = 0;
    const [first] = due;
    if (first === undefined) return;
    due.delete(first);
    charts[first]?.draw();
    if (due.size) frame = requestAnimationFrame(next);
  }

  function draw() {
    several = runs.length > 1;
    legend.textContent = several
      ? "Each run in its own colour: validation solid, training dotted."
      : "Training is measured on the images that the network is learning from, validation on held-out images.";
    if (!coarse.matches) legend.append(" Drag across a chart to zoom; a double click shows all.");
    make();
    const rows = runs.flatMap((run) => [...run.steps, ...run.rows].map((row) => ({ step: row.step, x: place(run, row) })));
    zoomed.about(rows.map(({ x }) => x), rows.map(({ step }) => step), how.logX, moment()?.x ?? null);
    charts.forEach((_, i) => due.add(i));
    frame ||= requestAnimationFrame(next);
  }

  return {
    show(shown) { runs = shown; draw(); },
    // The past step that is shown, or null.
    mark(step) {
      past = step;
      if (runs.length) draw();
    },
    close() { cancelAnimationFrame(frame); charts.forEach(({ close }) => close()); },
  };
}
