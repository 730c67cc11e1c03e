// The list of lessons: those that come with glassnet, and a teacher's own.

import { get } from "../../shared/api.js";
import { h } from "../../shared/dom.js";

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

function entry({ name, title, about, steps, questions, error }) {
  if (error) return h("li", { class: "card" }, h("h3", {}, title), h("p", { class: "wrong" }, "This lesson has an error and cannot be shown: ", error));
  return h("li", { class: "card" },
    h("h3", {}, h("a", { href: `?lesson=${encodeURIComponent(name)}` }, title)),
    h("p", {}, about),
    h("p", { class: "soft small" }, `${count(steps, "step")}, ${count(questions, "question")}`));
}

export async function mount(root) {
  const lessons = await get("/api/lessons");
  const list = (title, own) => {
    const some = lessons.filter((each) => each.own === own);
    return some.length ? [h("h2", {}, title), h("ol", {}, some.map(entry))] : [];
  };
  root.append(
    h("h1", {}, "Lessons"),
    h("p", { class: "lede" }, "Each lesson goes through the page step by step: words at the side, the real view beside them, and questions on what you see. The link of a step leads back to it."),
    ...list("Your teacher’s lessons", true), ...list("From one neuron to a convolutional network", false));
}
