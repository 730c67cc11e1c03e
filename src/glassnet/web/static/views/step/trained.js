// A trained network and one of its test images: the same stages, with pictures where the numbers are too many to read.

import { get } from "../../shared/api.js";
import { h } from "../../shared/dom.js";
import { count } from "../../shared/format.js";
import { paintGray } from "../../shared/pixels.js";
import { stages } from "./stages.js";

export async function mountTrained(root, settings, keep) {
  let stage = settings.get("stage");
  let latest = 0; // the number of the last question, so that an older answer is dropped
  const model = h("select", { onchange: ask });
  const image = h("input", { type: "number", min: 0, step: 1, value: settings.get("image") ?? 0, onchange: ask });
  const rate = h("input", { type: "number", min: 0, step: "any", value: settings.get("rate") ?? 0.1, onchange: ask });
  const canvas = h("canvas", { class: "pixels", role: "img", hidden: true });
  const words = h("div", { class: "words", "aria-live": "polite" });
  const walk = stages((chosen) => { stage = chosen.name; remember(); });
  walk.element.hidden = true;

  root.append(
    h("section", { class: "card", "aria-label": "Network and image" },
      h("div", { class: "row fields" },
        h("label", {}, "network", model),
        h("label", {}, "test image, counted from 0", image),
        h("button", { onclick: () => turn(-1) }, "Previous image"),
        h("button", { onclick: () => turn(1) }, "Next image"),
        h("label", {}, "learning rate η", rate)),
      h("div", { class: "shown" }, canvas, words)),
    walk.element);

  const runs = await get("/api/runs");
  model.append(h("option", { value: "" }, "the bundled model"), ...runs.map(({ name }) => h("option", { value: name }, name)));
  const wanted = settings.get("run") ?? runs.find(({ epoch }) => epoch > 0)?.name ?? "";
  if (![...model.options].some(({ value }) => value === wanted)) model.append(h("option", { value: wanted }, wanted));
  model.value = wanted;

  function turn(by) {
    image.value = Math.max(0, Number(image.value) + by);
    ask();
  }

  function remember() {
    keep({ show: "trained", run: model.value, image: image.value, rate: rate.value, stage });
  }

  async function ask() {
    latest += 1;
    const own = latest;
    const asked = new URLSearchParams({ image: image.value, rate: rate.value, ...(model.value && { run: model.value }) });
    remember();
    try {
      const answer = await get(`/api/explain?${asked}`);
      if (own === latest) show(answer);
    } catch (error) {
      if (own !== latest) return;
      walk.element.hidden = canvas.hidden = true;
      words.replaceChildren(h("p", {}, error.message));
    }
  }

  function show(answer) {
    image.max = answer.images - 1;
    canvas.hidden = walk.element.hidden = false;
    paintGray(canvas, answer.image);
    canvas.setAttribute("aria-label", `Image ${image.value}: ${answer.classes[answer.label]}`);
    words.replaceChildren(
      h("p", { class: "verdict" }, answer.result.replaceAll(" %", "\u00a0%")), h("p", { class: "soft small" }, `${answer.heading} There are ${count(answer.images)} test images.`),
      ...answer.notes.map((note) => h("p", { class: "soft small" }, note)));
    stage = walk.show(answer, stage).name;
  }

  await ask();
  return () => {
    latest += 1;
    walk.close();
  };
}
