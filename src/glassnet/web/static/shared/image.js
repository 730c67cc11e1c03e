// Which image a network looks at: the drawing, or one of its test or validation images by its number from 0.

import { drawing } from "../views/draw/brush.js";
import { unusable } from "./address.js";
import { h } from "./dom.js";
import { count } from "./format.js";

const KINDS = { drawing: "your drawing", test: "test image", validation: "validation image" };

// In an address: image=drawing, or image=7 with of=validation where it is not a test image. Anything else is test image 0.
export function imageChoice(settings, onchange) {
  const wanted = settings.get("image");
  const given = /^\d+$/.test(wanted ?? "") ? Number(wanted) : null;
  if (given === null && wanted !== "drawing") unusable(settings, ["image"]);
  if (!["test", "validation"].includes(settings.get("of"))) unusable(settings, ["of"]);
  const first = wanted === "drawing" || (wanted === null && !drawing.empty) ? "drawing" : settings.get("of") === "validation" ? "validation" : "test";
  const kind = h("select", { onchange: change }, Object.entries(KINDS).map(([name, words]) => h("option", { value: name, selected: name === first }, words)));
  const number = h("input", { type: "number", min: 0, step: 1, value: given ?? 0, onchange });
  const range = h("span", {}, "number, from 0");
  const numbered = [
    h("label", {}, range, number),
    h("button", { "aria-label": "Previous image", title: "Previous image", onclick: () => turn(-1) }, "←"),
    h("button", { "aria-label": "Next image", title: "Next image", onclick: () => turn(1) }, "→"),
  ];
  const isDrawing = () => kind.value === "drawing";

  function change() {
    mark();
    onchange();
  }

  function mark() {
    for (const field of numbered) field.hidden = isDrawing();
  }

  function turn(by) {
    const wanted = Math.max(0, Number(number.value) + by);
    const last = number.max === "" ? wanted : Number(number.max);
    if (Number(number.value) === Math.min(wanted, last)) return;
    number.value = Math.min(wanted, last);
    onchange();
  }

  mark();
  return {
    fields: [h("label", {}, "image", kind), ...numbered],
    isDrawing,
    // What to put into an address.
    settings: () => (isDrawing() ? { image: "drawing" } : { image: number.value, ...(kind.value === "validation" && { of: "validation" }) }),
    // The image that is asked for: { blob }, or { of, number }; an error where there is no drawing.
    async wanted() {
      if (!isDrawing()) return { of: kind.value, number: number.value };
      if (drawing.empty) throw new Error("Nothing is drawn yet. Draw a digit in the view Draw, or choose a test image.");
      return { blob: await drawing.picture() };
    },
    // How many images there are of the kind that was asked for.
    has(images) {
      if (!images) return;
      number.max = images - 1;
      range.textContent = `number, 0 to ${count(images - 1)}`;
    },
  };
}
