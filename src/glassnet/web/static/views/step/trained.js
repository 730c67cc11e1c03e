// A trained network and an image: the same stages, with pictures where the numbers are too many to read.

import { unusable } from "../../shared/address.js";
import { get, postImage } from "../../shared/api.js";
import { networkChoice } from "../../shared/choice.js";
import { h } from "../../shared/dom.js";
import { imageChoice } from "../../shared/image.js";
import { moments } from "../../shared/moments.js";
import { paintGray } from "../../shared/pixels.js";
import { ways } from "../../shared/ways.js";
import { stages } from "./stages.js";

const USUAL_RATE = 0.1;

export async function mountTrained(root, settings, keep) {
  let stage = settings.get("stage");
  let isFirst = true; // whether no answer has come yet
  let latest = 0; // the number of the last question, so that an older answer is dropped
  const runs = await get("/api/runs");
  const wanted = settings.get("run") ?? runs.find(({ epoch }) => epoch > 0)?.name ?? "";
  const time = moments(ask);
  const model = networkChoice(runs, wanted, () => {
    moment(null);
    ask();
  });
  const image = imageChoice(settings, ask);
  const rate = h("input", { type: "number", min: 0, step: "any", value: settings.get("rate") ?? USUAL_RATE, onchange: ask });
  if (!(rate.valueAsNumber > 0)) {
    rate.value = USUAL_RATE;
    unusable(settings, ["rate"]);
  }
  let chosen = null; // the place of the class that the person says the drawing has; else it is what the network predicts
  const label = h("select", { onchange: () => { chosen = label.selectedIndex; ask(); } });
  const truth = h("label", { hidden: true }, "true class of the drawing", label);
  const canvas = h("canvas", { class: "pixels", role: "img", hidden: true });
  const words = h("div", { class: "words", "aria-live": "polite" });
  const walk = stages((chosen) => { stage = chosen.name; remember(); });
  walk.element.hidden = true;

  root.append(time.element, h("div", { class: "bench" },
    h("section", { class: "card", "aria-label": "Network and image" },
      h("div", { class: "row fields" },
        h("label", {}, "network", model), image.fields, truth, h("label", {}, "learning rate η", rate)),
      h("div", { class: "shown" }, canvas, words)),
    walk.element));

  function moment(step) {
    return time.of(runs.some(({ name }) => name === model.value) ? model.value : null, step);
  }

  function remember() {
    keep({ show: "trained", run: model.value, step: time.step(), ...image.settings(), rate: rate.value, stage });
  }

  async function asked() {
    const given = new URLSearchParams({ rate: rate.value, ...(model.value && { run: model.value }), ...(time.step() !== null && { step: time.step() }) });
    const { blob, of, number } = await image.wanted();
    if (!blob) return get(`/api/explain?${given}&${new URLSearchParams({ of, image: number })}`);
    if (chosen !== null) given.set("label", chosen);
    return postImage(`/api/explain?${given}`, blob);
  }

  async function ask() {
    latest += 1;
    const own = latest;
    remember();
    truth.hidden = !image.isDrawing();
    try {
      const answer = await asked();
      if (own === latest) show(answer);
    } catch (error) {
      if (own !== latest) return;
      walk.element.hidden = canvas.hidden = true;
      words.replaceChildren(h("p", {}, error.message));
    }
  }

  function show(answer) {
    image.has(answer.images);
    canvas.hidden = walk.element.hidden = false;
    paintGray(canvas, answer.image);
    canvas.setAttribute("aria-label", `The image: ${answer.classes[answer.label]}`);
    if (label.length !== answer.classes.length) label.replaceChildren(...answer.classes.map((name) => h("option", {}, name)));
    label.selectedIndex = answer.label;
    words.replaceChildren(
      h("p", { class: "verdict" }, answer.result.replaceAll(" %", "\u00a0%")), h("p", { class: "soft small" }, answer.heading),
      ...answer.notes.map((note) => h("p", { class: "soft small" }, note)),
      h("p", { class: "ways" }, ways([["network", "The same image, unit by unit"]], model.value, { ...image.settings(), step: time.step() }), ways([["draw", "Draw with this network"]], model.value, { step: time.step() })));
    const { name } = walk.show(answer, stage);
    if (isFirst && name !== stage) unusable(settings, ["stage"]);
    isFirst = false;
    stage = name;
  }

  await moment(settings.get("step"));
  await ask();
  return () => {
    latest += 1;
    time.close();
    walk.close();
  };
}
