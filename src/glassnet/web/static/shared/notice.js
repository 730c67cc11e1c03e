// A line at the foot of the page that tells what went wrong, or what was done. It goes by itself, or when it is closed.

import { h } from "./dom.js";

const SECONDS = 12;
const shelf = document.querySelector(".notices");

export const clear = () => shelf.replaceChildren();

export function notice(words) {
  const line = h("p", {}, words, h("button", { class: "quiet", "aria-label": "Close", onclick: () => line.remove() }, "×"));
  shelf.replaceChildren(line);
  setTimeout(() => line.remove(), 1000 * SECONDS);
}
