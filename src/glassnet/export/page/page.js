// A trained network in one file: views that are shown by the address, #draw, #training and #tiny, which may name
// one of its stages: #tiny?stage=Z1. The data are in the page.

import { network } from "../../web/static/views/step/network.js";
import { stages } from "../../web/static/views/step/stages.js";
import { curves } from "./curves.js";
import { mountDraw } from "./draw.js";
import { look } from "./look.js";
import { Model } from "./model.js";
import { grayOfFile } from "./picture.js";

const data = JSON.parse(document.getElementById("data").textContent);
const model = new Model(data.model);
const views = [...document.querySelectorAll("main > .view")];
const links = [...document.querySelectorAll("nav a")];
let leave = () => {};

function mountTiny(root, name) {
  const walk = stages((stage) => picture.draw(data.tiny, stage, null));
  const picture = network({ onpart: (part) => walk.choose((each) => each.part === part) });
  root.replaceChildren(picture.element, walk.element);
  picture.draw(data.tiny, walk.show(data.tiny, name ?? undefined), null);
  return () => walk.close();
}

function show() {
  const [name, settings] = location.hash.slice(1).split("?");
  const wanted = views.find(({ dataset }) => dataset.view === name) ?? views[0];
  leave();
  leave = wanted.dataset.view === "tiny" ? mountTiny(wanted.querySelector(".steps"), new URLSearchParams(settings).get("stage")) : () => {};
  for (const view of views) view.hidden = view !== wanted;
  for (const link of links) {
    if (link.hash === `#${wanted.dataset.view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${wanted.dataset.title} · ${data.name} · glassnet`;
  scrollTo(0, 0);
}

mountDraw(views[0], model, data.about);
for (const chart of data.curves) document.querySelector(".charts").append(curves(chart));
addEventListener("hashchange", show);
show();

// h·w numbers from 0 to 255, or a RangeError.
function checked(pixels) {
  const [{ height, width }, numbers] = [model.form, Array.from(pixels ?? [])];
  if (numbers.length === height * width && numbers.every((n) => typeof n === "number" && n >= 0 && n <= 255)) return numbers;
  throw new RangeError(`glassnet.predictProba: give the ${height * width} pixels of an image as numbers from 0 to 255, row by row`);
}

// For whoever opens the browser's console: the probability of each class for h·w numbers from 0 to 255, and all that the
// page says of a picture file.
globalThis.glassnet = {
  classes: model.classes,
  predictProba: (pixels) => model.predictProba(checked(pixels)),
  look: async (file) => look(model, await grayOfFile(file)),
};
