// The network of 23 numbers: its pixels, truth, learning rate and every parameter under the hand, everything else live.

import { chart } from "../../shared/chart.js";
import { h } from "../../shared/dom.js";
import { paintGray } from "../../shared/pixels.js";
import { DENSE, parameterFields, rateField } from "./fields.js";
import { live, MANY, short } from "./live.js";
import { network } from "./network.js";
import { stages } from "./stages.js";

const SHAPES = { W1: [4, 3], b1: [3], W2: [3, 2], b2: [2] };

export async function mountTiny(root, settings, keep) {
  const net = live({ path: "/api/explain/tiny", shapes: SHAPES, side: 2, settings, show() { fill(); draw(); } });
  const walk = stages((chosen) => { net.stage = chosen.name; draw(); });
  const picture = network({ onpart: (part) => walk.choose((each) => each.part === part), onedge: (name, index) => fields.select(name, index) });
  const fields = parameterFields(DENSE, { onchange: (parameters) => net.change({ parameters }), onselect: () => net.answer && draw() });
  const image = h("canvas", { class: "pixels", role: "img", "aria-label": "The image of two by two pixels" });
  const sliders = [0, 1, 2, 3].map((i) => h("input", { type: "range", min: 0, max: 255, oninput: (event) => shade(i, event.target.valueAsNumber) }));
  const figures = sliders.map(() => h("span", {}));
  const label = h("select", { onchange: () => net.change({ label: label.selectedIndex }) });
  const rate = rateField((number) => net.change({ rate: number }));
  const step = h("button", { class: "main", onclick: () => net.take(1) }, "Take the step");
  const more = h("button", { onclick: () => net.take(MANY) }, `Again, ${MANY} times`);
  const verdict = h("p", { "aria-live": "polite", class: "verdict" });
  const curve = h("div", {});
  const line = chart(curve, { title: "Loss", x: "steps taken", y: "loss", height: 220 });

  root.append(
    h("div", { class: "bench" }, picture.element, walk.element),
    h("div", { class: "columns" }, h("section", { class: "card", "aria-label": "The image and the loss" },
      h("p", { class: "soft" }, "The image has four pixels. The network says which half has more ink."),
      h("div", { class: "shown" }, image, h("div", { class: "pixelsliders" },
        sliders.map((slider, i) => h("label", {}, h("span", {}, `pixel ${i + 1} (x${"₁₂₃₄"[i]}): `, figures[i]), slider)))),
      h("div", { class: "row" }, h("label", {}, "true class", label), rate.element),
      curve), fields.element));
  picture.element.append(fields.slider, verdict, h("div", { class: "row" }, step, more, h("button", { onclick: net.reset }, "Reset")));

  function shade(i, value) {
    const rows = net.answer.image.map((row) => [...row]);
    rows[Math.floor(i / 2)][i % 2] = value;
    net.change({ image: rows });
  }

  function able(is) {
    for (const control of root.querySelectorAll("input, select")) control.disabled = !is;
  }

  function fill() {
    const { answer } = net;
    able(true);
    paintGray(image, answer.image);
    answer.image.flat().forEach((value, i) => {
      sliders[i].value = value;
      figures[i].textContent = value;
    });
    if (!label.length) label.append(...answer.classes.map((name) => h("option", {}, name)));
    label.selectedIndex = answer.label;
    rate.fill(answer.rate);
    fields.fill(answer.parameters);
    verdict.textContent = `One step from here: ${answer.result.replace(/^The/, "the").replaceAll(" %", "\u00a0%")}`;
  }

  function draw() {
    const { answer, losses, stage } = net;
    picture.draw(answer, walk.show(answer, stage), fields.selected());
    const all = [...losses, net.array("L")];
    line.draw([{ name: "loss", x: all.map((_, i) => i), y: all }]);
    keep({
      parameters: short(Object.values(answer.parameters).flat(2)), image: answer.image.flat().join(","), label: answer.label,
      rate: answer.rate, stage, losses: losses.length ? short(losses) : null,
    });
  }

  able(false); // until there are numbers to change
  await net.begin();
  return () => {
    net.close();
    walk.close();
    line.close();
  };
}
