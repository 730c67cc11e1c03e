// The network of 23 numbers: its pixels, truth, learning rate and every parameter under the hand, everything else live.

import { post } from "../../shared/api.js";
import { chart } from "../../shared/chart.js";
import { h } from "../../shared/dom.js";
import { paintGray } from "../../shared/pixels.js";
import { DENSE, parameterFields } from "./fields.js";
import { fromAddress, lastOnly, short } from "./live.js";
import { network } from "./network.js";
import { stages } from "./stages.js";

const MANY = 10; // steps that one press takes
const SHAPES = { W1: [4, 3], b1: [3], W2: [3, 2], b2: [2] };

function question(settings) {
  const asked = {};
  const parameters = fromAddress(settings.get("parameters"), SHAPES);
  const pixels = (settings.get("image") ?? "").split(",").map((part) => (/^\d+$/.test(part) ? Number(part) : NaN));
  if (parameters) asked.parameters = parameters;
  if (pixels.length === 4 && pixels.every((gray) => gray <= 255)) asked.image = [pixels.slice(0, 2), pixels.slice(2)];
  if (["0", "1"].includes(settings.get("label"))) asked.label = Number(settings.get("label"));
  if (Number(settings.get("rate")) > 0 && Number.isFinite(Number(settings.get("rate")))) asked.rate = Number(settings.get("rate"));
  return asked;
}

export async function mountTiny(root, settings, keep) {
  let asked = question(settings);
  let stage = settings.get("stage");
  let losses = (settings.get("losses") ?? "").split(",").filter(Boolean).map(Number).filter(Number.isFinite);
  let answer = null;
  let gone = false; // another view is shown

  const walk = stages((chosen) => { stage = chosen.name; draw(); });
  const picture = network({ onpart: (part) => walk.choose((each) => each.part === part), onedge: (name, index) => fields.select(name, index) });
  const fields = parameterFields(DENSE, { onchange: (parameters) => change({ parameters }), onselect: () => answer && draw() });
  const image = h("canvas", { class: "pixels", role: "img", "aria-label": "The image of two by two pixels" });
  const sliders = [0, 1, 2, 3].map((i) => h("input", { type: "range", min: 0, max: 255, oninput: (event) => shade(i, event.target.valueAsNumber) }));
  const figures = sliders.map(() => h("span", {}));
  const label = h("select", { onchange: () => change({ label: label.selectedIndex }) });
  const rate = h("input", { type: "number", min: 0.01, step: 0.1, oninput: () => rate.valueAsNumber > 0 && change({ rate: rate.valueAsNumber }) });
  const step = h("button", { class: "main", onclick: () => take(1) }, "Take the step");
  const more = h("button", { onclick: () => take(MANY) }, `Again, ${MANY} times`);
  const verdict = h("p", { "aria-live": "polite", class: "verdict" });
  const curve = h("div", {});
  const line = chart(curve, { title: "Loss", x: "steps taken", y: "loss", height: 220 });

  root.append(
    h("div", { class: "bench" }, picture.element, walk.element),
    h("div", { class: "columns" }, h("section", { class: "card", "aria-label": "The image and the loss" },
      h("p", { class: "soft" }, "The image has four pixels. The network says which half has more ink."),
      h("div", { class: "shown" }, image, h("div", { class: "pixelsliders" },
        sliders.map((slider, i) => h("label", {}, h("span", {}, `pixel ${i + 1} (x${"₁₂₃₄"[i]}): `, figures[i]), slider)))),
      h("div", { class: "row" }, h("label", {}, "true class", label), h("label", {}, "learning rate η", rate)),
      curve), fields.element));
  picture.element.append(fields.slider, verdict, h("div", { class: "row" }, step, more, h("button", { onclick: reset }, "Reset")));

  function shade(i, value) {
    const rows = answer.image.map((row) => [...row]);
    rows[Math.floor(i / 2)][i % 2] = value;
    change({ image: rows });
  }

  function change(what) {
    asked = { ...asked, ...what };
    return refresh();
  }

  // Ask for the numbers of what there is now.
  const refresh = lastOnly(async () => {
    answer = await post("/api/explain/tiny", asked);
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
    paintGray(image, answer.image);
    answer.image.flat().forEach((value, i) => {
      sliders[i].value = value;
      figures[i].textContent = value;
    });
    if (!label.length) label.append(...answer.classes.map((name) => h("option", {}, name)));
    label.selectedIndex = answer.label;
    if (document.activeElement !== rate) rate.value = Number(answer.rate.toPrecision(6));
    fields.fill(answer.parameters);
    verdict.textContent = `One step from here: ${answer.result.replace(/^The/, "the").replaceAll(" %", "\u00a0%")}`;
  }

  function draw() {
    picture.draw(answer, walk.show(answer, stage), fields.selected());
    const all = [...losses, loss()];
    line.draw([{ name: "loss", x: all.map((_, i) => i), y: all }]);
    keep({
      parameters: short(Object.values(answer.parameters).flat(2)), image: answer.image.flat().join(","), label: answer.label,
      rate: answer.rate, stage, losses: losses.length ? short(losses) : null,
    });
  }

  const loss = () => answer.stages.find(({ name }) => name === "L").array;

  async function take(count) {
    for (let i = 0; i < count; i += 1) {
      await refresh.done();
      if (gone || !(answer || (await refresh()))) return;
      const before = [asked, losses];
      const moved = (name) => answer.stages.find((each) => each.name === `${name} after`).array;
      losses = [...losses, loss()];
      const taken = await change({ parameters: Object.fromEntries(Object.keys(SHAPES).map((name) => [name, moved(name)])) });
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
