// Draw a digit, and see at every stroke what the network of this page makes of it.

import { h } from "../../web/static/shared/dom.js";
import { Drawing, paper } from "../../web/static/views/draw/brush.js";
import { answerCard, evidenceCard, seenCard } from "../../web/static/views/draw/cards.js";
import { notice } from "../../web/static/shared/notice.js";
import { look } from "./look.js";
import { networkCard } from "./network.js";
import { moments } from "./moments.js";
import { grayOf } from "./picture.js";

const NOTHING = "Draw a digit, and the network says which one it is.";

export function mountDraw(root, model, about) {
  const drawing = new Drawing();
  const canvas = h("canvas", {
    class: "paper", tabindex: "0", role: "application", "aria-label": "Paper to draw a digit on", "aria-describedby": "how",
  });
  const file = h("input", { type: "file", accept: "image/*", onchange: () => lay(file.files[0]) });
  const result = answerCard();
  const cards = [result, seenCard(), evidenceCard(), networkCard(model)];
  let [asked, asking] = [0, false]; // how often something has changed, and whether an answer is being worked out

  if (model.steps.length > 1) result.card.append(moments(model, () => ask()));
  root.append(
    h("h1", {}, "Draw a digit"),
    h("p", { class: "lede soft" }, about),
    h("div", { class: "desk" },
      h("section", { class: "card", "aria-label": "Drawing" },
        canvas,
        h("div", { class: "row" },
          h("button", { onclick: () => { drawing.undo(); changed(true); } }, "Undo"),
          h("button", { onclick: () => { drawing.clear(); changed(true); } }, "Clear"),
          h("label", { class: "button" }, "Open a picture", file)),
        h("p", { class: "soft small", id: "how" },
          "Draw one digit with mouse, pen or finger, or drop or paste a picture of one. ",
          h("span", { class: "by-keys" }, "With keys: the arrows move, Space puts the pen down and lifts it, Backspace undoes, Delete clears. "),
          "Everything is worked out in this page; nothing is sent anywhere.")),
      result.card),
    h("div", { class: "columns" }, cards[1].card, cards[2].card),
    cards[3].card);

  const sheet = paper(canvas, drawing, ask, () => []);

  function changed(done) {
    sheet.repaint();
    ask(done);
  }

  // At most one answer for each frame that the browser shows; what was drawn last is always answered.
  async function ask(done = true) {
    asked += 1;
    result.busy(!done);
    if (asking) return;
    asking = true;
    for (let answered = 0; answered !== asked;) {
      await new Promise(requestAnimationFrame);
      answered = asked;
      const answer = drawing.empty ? nothing(NOTHING) : await looked();
      for (const card of cards) card.show(answer);
    }
    asking = false;
  }

  const nothing = (why) => ({ empty: true, classes: model.classes, why });

  async function looked() {
    try {
      return look(model, await grayOf(drawing));
    } catch (error) { // a picture that takes more memory than the browser has, for one
      return nothing(`This cannot be read (${error.message}). Undo it, or open a smaller picture.`);
    }
  }

  async function lay(picture) {
    if (!picture) return;
    try {
      await drawing.lay(picture);
    } catch {
      notice("This browser cannot read that file as a picture. Try a PNG, JPEG, GIF, BMP or WebP.");
      return;
    }
    changed(true);
  }

  document.addEventListener("paste", (event) => lay([...event.clipboardData.files].find(({ type }) => type.startsWith("image/"))));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    lay(event.dataTransfer.files[0]);
  });
  ask();
}
