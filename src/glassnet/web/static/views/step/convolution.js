// The convolution of 15 numbers: the image, one filter, its map, a pool and two outputs, every number with its sum.

import { chart } from "../../shared/chart.js";
import { h } from "../../shared/dom.js";
import { CONVOLUTION, parameterFields, rateField } from "./fields.js";
import { live, MANY, short } from "./live.js";
import { maps } from "./maps.js";
import { stages } from "./stages.js";

const SHAPES = { W1: [2, 2, 1, 1], b1: [1], W2: [4, 2], b2: [2] };

export async function mountConvolution(root, settings, keep) {
  let pixel = [0, 0];
  const net = live({ path: "/api/explain/tiny-convolution", shapes: SHAPES, side: 4, settings, show() { fill(); draw(); } });
  const walk = stages((chosen) => { net.stage = chosen.name; draw(); });
  const picture = maps({
    onpart: (part) => walk.choose((each) => each.part === part),
    onchoose(kind, at) {
      if (kind === "image") pixel = at;
      if (kind === "filter") fields.select("W1", [...at, 0, 0]);
      if (kind === "bias") fields.select("b1", [0]);
      mark();
    },
  });
  const fields = parameterFields(CONVOLUTION, { onchange: (parameters) => net.change({ parameters }), onselect: () => net.answer && draw() });
  const figure = h("span", {});
  const shade = h("input", { type: "range", min: 0, max: 255, oninput: () => paint(shade.valueAsNumber) });
  const label = h("select", { onchange: () => net.change({ label: label.selectedIndex }) });
  const rate = rateField((number) => net.change({ rate: number }));
  const verdict = h("p", { "aria-live": "polite", class: "verdict" });
  const curve = h("div", {});
  const line = chart(curve, { title: "Loss", x: "steps taken", y: "loss", height: 220 });

  root.append(
    h("div", { class: "columns" }, picture.element, h("section", { class: "card", "aria-label": "The step" },
      h("p", { class: "soft" }, "One filter looks at each 2 × 2 pixels of the image. The network says whether it is a 7 or a 1."),
      h("label", {}, figure, shade),
      fields.slider,
      h("div", { class: "row" }, h("label", {}, "true class", label), rate.element),
      verdict,
      h("div", { class: "row" }, h("button", { class: "main", onclick: () => net.take(1) }, "Take the step"),
        h("button", { onclick: () => net.take(MANY) }, `Again, ${MANY} times`), h("button", { onclick: net.reset }, "Reset")),
      curve)),
    walk.element, fields.element);

  function paint(gray) {
    const rows = net.answer.image.map((row) => [...row]);
    rows[pixel[0]][pixel[1]] = gray;
    net.change({ image: rows });
  }

  function able(is) {
    for (const control of root.querySelectorAll("input, select")) control.disabled = !is;
  }

  function fill() {
    const { answer } = net;
    able(true);
    if (!label.length) label.append(...answer.classes.map((name) => h("option", {}, name)));
    label.selectedIndex = answer.label;
    rate.fill(answer.rate);
    fields.fill(answer.parameters);
    mark();
    verdict.textContent = `One step from here: ${answer.result.replace(/^The/, "the").replaceAll(" %", "\u00a0%")}`;
  }

  function mark() {
    if (!net.answer) return;
    const gray = net.answer.image[pixel[0]][pixel[1]];
    figure.textContent = `pixel in row ${pixel[0] + 1}, column ${pixel[1] + 1}: ${gray}`;
    shade.value = gray;
  }

  function draw() {
    const { answer, losses, stage } = net;
    picture.draw(answer, walk.show(answer, stage));
    const all = [...losses, net.array("L")];
    line.draw([{ name: "loss", x: all.map((_, i) => i), y: all }]);
    keep({
      show: "convolution", parameters: short(Object.values(answer.parameters).flat(4)), image: answer.image.flat().join(","),
      label: answer.label, rate: answer.rate, stage, losses: losses.length ? short(losses) : null,
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
