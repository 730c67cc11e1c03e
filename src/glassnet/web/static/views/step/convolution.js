// The convolution of 15 numbers: the image, one filter, its map, a pool and two outputs, every number with its sum.

import { post } from "../../shared/api.js";
import { chart } from "../../shared/chart.js";
import { h } from "../../shared/dom.js";
import { CONVOLUTION, parameterFields } from "./fields.js";
import { fromAddress, lastOnly, short } from "./live.js";
import { maps } from "./maps.js";
import { stages } from "./stages.js";

const MANY = 10; // steps that one press takes
const SIDE = 4; // pixels of the image
const SHAPES = { W1: [2, 2, 1, 1], b1: [1], W2: [4, 2], b2: [2] };

function question(settings) {
  const asked = {};
  const parameters = fromAddress(settings.get("parameters"), SHAPES);
  const pixels = (settings.get("image") ?? "").split(",").map((text) => (/^\d+$/.test(text) ? Number(text) : NaN));
  if (parameters) asked.parameters = parameters;
  if (pixels.length === SIDE * SIDE && pixels.every((gray) => gray <= 255)) {
    asked.image = Array.from({ length: SIDE }, (_, i) => pixels.slice(SIDE * i, SIDE * (i + 1)));
  }
  if (["0", "1"].includes(settings.get("label"))) asked.label = Number(settings.get("label"));
  const rate = Number(settings.get("rate"));
  if (rate > 0 && Number.isFinite(rate)) asked.rate = rate;
  return asked;
}

// The filter comes as an image; the server takes it with its axes of channels and filters.
const filter = (rows) => rows.map((row) => row.map((value) => [[value]]));

export async function mountConvolution(root, settings, keep) {
  let asked = question(settings);
  let stage = settings.get("stage");
  let losses = (settings.get("losses") ?? "").split(",").filter(Boolean).map(Number).filter(Number.isFinite);
  let answer = null;
  let gone = false; // another view is shown
  let pixel = [0, 0];

  const walk = stages((chosen) => { stage = chosen.name; draw(); });
  const picture = maps({
    onpart: (part) => walk.choose((each) => each.part === part),
    onchoose(kind, at) {
      if (kind === "image") pixel = at;
      if (kind === "filter") fields.select("W1", [...at, 0, 0]);
      if (kind === "bias") fields.select("b1", [0]);
      mark();
    },
  });
  const fields = parameterFields(CONVOLUTION, { onchange: (parameters) => change({ parameters }), onselect: () => answer && draw() });
  const figure = h("span", {});
  const shade = h("input", { type: "range", min: 0, max: 255, oninput: () => paint(shade.valueAsNumber) });
  const label = h("select", { onchange: () => change({ label: label.selectedIndex }) });
  const rate = h("input", { type: "number", min: 0.01, step: 0.1, oninput: () => rate.valueAsNumber > 0 && change({ rate: rate.valueAsNumber }) });
  const verdict = h("p", { "aria-live": "polite", class: "verdict" });
  const curve = h("div", {});
  const line = chart(curve, { title: "Loss", x: "steps taken", y: "loss", height: 220 });

  root.append(
    h("div", { class: "columns" }, picture.element, h("section", { class: "card", "aria-label": "The step" },
      h("p", { class: "soft" }, "One filter looks at each 2 × 2 pixels of the image. The network says whether it is a 7 or a 1."),
      h("label", {}, figure, shade),
      fields.slider,
      h("div", { class: "row" }, h("label", {}, "true class", label), h("label", {}, "learning rate η", rate)),
      verdict,
      h("div", { class: "row" }, h("button", { class: "main", onclick: () => take(1) }, "Take the step"),
        h("button", { onclick: () => take(MANY) }, `Again, ${MANY} times`), h("button", { onclick: reset }, "Reset")),
      curve)),
    walk.element, fields.element);

  function paint(gray) {
    const rows = answer.image.map((row) => [...row]);
    rows[pixel[0]][pixel[1]] = gray;
    change({ image: rows });
  }

  function change(what) {
    asked = { ...asked, ...what };
    return refresh();
  }

  const refresh = lastOnly(async () => {
    answer = await post("/api/explain/tiny-convolution", asked);
  }, () => {
    fill();
    draw();
  });

  function able(is) {
    for (const control of root.querySelectorAll("input, select")) control.disabled = !is;
  }

  function fill() {
    able(true);
    asked = { parameters: answer.parameters, image: answer.image, label: answer.label, rate: answer.rate };
    if (!label.length) label.append(...answer.classes.map((name) => h("option", {}, name)));
    label.selectedIndex = answer.label;
    if (document.activeElement !== rate) rate.value = Number(answer.rate.toPrecision(6));
    fields.fill(answer.parameters);
    mark();
    verdict.textContent = `One step from here: ${answer.result.replace(/^The/, "the").replaceAll(" %", "\u00a0%")}`;
  }

  function mark() {
    if (!answer) return;
    const gray = answer.image[pixel[0]][pixel[1]];
    figure.textContent = `pixel in row ${pixel[0] + 1}, column ${pixel[1] + 1}: ${gray}`;
    shade.value = gray;
  }

  function draw() {
    picture.draw(answer, walk.show(answer, stage));
    const all = [...losses, array("L")];
    line.draw([{ name: "loss", x: all.map((_, i) => i), y: all }]);
    keep({
      show: "convolution", parameters: short(Object.values(answer.parameters).flat(4)), image: answer.image.flat().join(","),
      label: answer.label, rate: answer.rate, stage, losses: losses.length ? short(losses) : null,
    });
  }

  const array = (name) => answer.stages.find((each) => each.name === name).array;

  async function take(count) {
    for (let i = 0; i < count; i += 1) {
      await refresh.done();
      if (gone || !(answer || (await refresh()))) return;
      const before = [asked, losses];
      losses = [...losses, array("L")];
      const taken = await change({ parameters: { W1: filter(array("W1 after")[0]), b1: array("b1 after"), W2: array("W2 after"), b2: array("b2 after") } });
      if (!taken) {
        [asked, losses] = before;
        return;
      }
    }
  }

  function reset() {
    losses = [];
    asked = {};
    return refresh();
  }

  able(false); // until there are numbers to change
  await refresh();
  if (!answer) await reset(); // an address of numbers that make no step
  return () => {
    gone = true;
    walk.close();
    line.close();
  };
}
