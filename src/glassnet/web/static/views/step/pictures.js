// A stage's numbers as something to look at, where they are too many to read.

import { h } from "../../shared/dom.js";
import { number, percent } from "../../shared/format.js";
import { paintGray, paintSigned } from "../../shared/pixels.js";

const HIGHEST = 18; // rem of a picture
const ACROSS = 32; // numbers of a row that stand beside each other in its picture

export function picture(answer, stage) {
  if (stage.kind === "number") return [h("p", { class: "large" }, number(stage.array, 4).replace("-", "−"))];
  if (stage.kind === "image") return [painted(paintGray, stage.array, `The image: ${answer.classes[answer.label]}`, "small")];
  if (stage.kind === "units") return units(stage);
  if (stage.per_class && stage.array.length <= 20) return [bars(answer, stage)];
  if (stage.kind === "row") return [painted(paintSigned, folded(stage.array), `${stage.array.length} numbers`), scale(stage.array)];
  const [rows, columns] = stage.shape;
  const shown = [stage.array.length, stage.array[0].length];
  const words = shown[0] < rows || shown[1] < columns
    ? `Of ${rows} × ${columns} numbers the ${shown[0]} rows and ${shown[1]} columns with the largest.`
    : `All ${rows} × ${columns} numbers: a row for each input, a column for each unit.`;
  return [painted(paintSigned, stage.array, `${stage.title}, as an image`), scale(stage.array.flat()), h("p", { class: "soft small" }, words)];
}

function painted(paint, rows, label, kind = "", largest = undefined) {
  const canvas = h("canvas", { class: `pixels ${kind}`, role: "img", "aria-label": label });
  const share = rows[0].length / rows.length;
  if (share < 1) canvas.style.maxWidth = `${HIGHEST * share}rem`; // of a matrix with few columns
  paint(canvas, rows, largest);
  return canvas;
}

function folded(values) {
  const across = Math.min(ACROSS, values.length);
  const rows = [];
  for (let i = 0; i < values.length; i += across) {
    rows.push([...values.slice(i, i + across), ...Array(Math.max(0, i + across - values.length)).fill(0)]);
  }
  return rows;
}

function scale(values) {
  const largest = Math.max(...values.map(Math.abs));
  return h("p", { class: "scale soft small" }, h("span", {}, `−${number(largest)}`), h("i", {}), h("span", {}, `+${number(largest)}`));
}

function units(stage) {
  const largest = Math.max(1e-9, ...stage.array.flat(2).map(Math.abs));
  const what = stage.name === "dW1" ? "gradients" : "weights";
  return [
    h("p", { class: "small" }, `The ${stage.array.length} most active units, and the ${what} of each as an image.`),
    h("div", { class: "units" }, stage.array.map((rows, i) =>
      h("figure", {}, painted(paintSigned, rows, `${what} of unit ${stage.units[i] + 1}`, "", largest),
        h("figcaption", { class: "soft small" }, `unit ${stage.units[i] + 1}`)))),
    scale([largest]),
  ];
}

// A bar for each class; probabilities after the step have those from before it beside them.
function bars(answer, stage) {
  const before = stage.name === "P after" ? answer.stages.find(({ name }) => name === "P").array : null;
  const shares = stage.name.startsWith("P");
  const largest = shares ? 1 : Math.max(1e-9, ...stage.array.map(Math.abs));
  const said = (value) => (shares ? percent(value, 2) : number(value).replace("-", "−"));
  const row = (value, i) => {
    const width = `width:${(100 * Math.abs(value)) / largest}%`;
    return h("tr", { class: i === answer.label && "true" },
      h("th", { scope: "row" }, answer.classes[i], i === answer.label && h("span", { class: "soft small" }, " true class")),
      h("td", { class: "track" }, h("i", { class: value < 0 ? "less" : "more", style: width })),
      h("td", {}, before ? `${said(before[i])} → ${said(value)}` : said(value)));
  };
  return h("table", { class: "bars" }, h("tbody", {}, stage.array.map(row)));
}
