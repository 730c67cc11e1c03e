// A small sheet whose ten probabilities follow a network while it learns. What is drawn is the same as in Draw.

import { postImage } from "../../shared/api.js";
import { asking } from "../../shared/asking.js";
import { h } from "../../shared/dom.js";
import { percent } from "../../shared/format.js";
import { drawing, paper } from "./brush.js";

const EVERY = 250; // ms: how often a network that learns is asked
const MOST = 10; // bars: of a model with more classes, the most probable

// run(): the name of the run that is asked, or null before there is one. going(): whether its network may be another now.
export function follower(run, going) {
  const canvas = h("canvas", { class: "paper", tabindex: "0", role: "application", "aria-label": "Paper to draw a digit on" });
  const clear = h("button", { type: "button", onclick: () => { drawing.clear(); sheet.repaint(); answers.again(); } }, "Clear");
  const words = h("p", { class: "soft small" });
  const bars = h("ul", { class: "probabilities", "aria-label": "Probability of each class" });
  const element = h("section", { class: "card follower", "aria-label": "Your drawing" },
    h("div", { class: "row split" }, h("h2", {}, "Your drawing"), clear),
    h("div", { class: "beside" }, canvas, bars), words);
  let lines = []; // of the bars: { name, fill, share, line }

  const answers = asking(async (signal) => {
    if (run() === null || drawing.empty) return tell();
    const where = `/api/draw?brief=true&run=${encodeURIComponent(run())}`;
    const answer = await postImage(where, await drawing.picture(), { signal });
    if (answer.empty) return tell(answer.why);
    show(answer);
  }, (error) => tell(error.message), EVERY / 2);
  const sheet = paper(canvas, drawing, () => answers.again(), () => []);

  function tell(why) {
    build([]);
    words.textContent = why ?? (run() === null
      ? "Draw a digit, then start: the probabilities that the network gives it follow its training."
      : "Draw a digit: the probabilities that this network gives it follow its training.");
  }

  function build(names) {
    if (names.join() === lines.map(({ name }) => name).join()) return;
    lines = names.map((name) => {
      const [fill, share] = [h("span", { class: "fill" }), h("span", { class: "share" })];
      return { name, fill, share, line: h("li", {}, h("span", {}, name), h("span", { class: "track" }, fill), share) };
    });
    bars.replaceChildren(...lines.map(({ line }) => line));
  }

  function show({ classes, probabilities, answer }) {
    const shares = new Map(classes.map((name, i) => [name, probabilities[i]]));
    const likely = [...classes].sort((a, b) => shares.get(b) - shares.get(a)).slice(0, MOST);
    build(classes.length > MOST ? classes.filter((name) => likely.includes(name)) : classes);
    for (const { name, fill, share, line } of lines) {
      fill.style.width = `${100 * shares.get(name)}%`;
      share.textContent = percent(shares.get(name), 0);
      line.className = name === answer ? "best" : "";
    }
    words.textContent = "What this network says now; it follows the training.";
  }

  let was = true; // so that what it came to is asked for once more
  const clock = setInterval(() => {
    const is = going();
    if (is || was) answers.again();
    was = is;
  }, EVERY);

  tell();
  return {
    element,
    close() { clearInterval(clock); answers.close(); sheet.close(); },
  };
}
