// What the network makes of a drawing: cards, each { card, show(answer) }, where an answer is what the server gave.

import { h } from "../../shared/dom.js";
import { count, number, percent } from "../../shared/format.js";
import { paintGray, paintSigned } from "../../shared/pixels.js";

const THRESHOLD = 0.5; // of doubt: one digit in a hundred has more
const SCANS = 16; // pixels: of images this small a drawing loses much
const CERTAIN = 0.999; // a higher probability is not told in figures, nor one that is as near to zero
const BARS = 10; // of a model with more classes, the most probable

// The answer, large, and the probabilities as bars. Only the answer itself is read out, when a stroke has ended.
// `better`: which other models see more of a drawing than one of small images.
export function answerCard(better = "") {
  const unseen = h("span", { class: "unseen" });
  const digit = h("span", { class: "digit", "aria-hidden": "true" });
  const live = h("p", { "aria-live": "polite", "aria-atomic": "true" }, unseen, digit);
  const sure = h("p", { class: "soft" });
  const bars = h("ul", { class: "probabilities", "aria-label": "Probability of each digit" });
  let said = null;

  function say(words, large) {
    if (said === words) return;
    said = words;
    unseen.textContent = words;
    digit.textContent = large ?? "–";
    digit.classList.toggle("none", large === undefined);
  }

  function bar(name, share, best) {
    return h("li", { class: best ? "best" : null }, h("span", {}, name),
      h("span", { class: "track" }, h("span", { class: "fill", style: `width: ${100 * share}%` })),
      h("span", { class: "share" }, share == null ? "–" : percent(share)));
  }

  function show({ empty, classes, why, prepared, probabilities, answer, runner_up: other, doubt, reading }) {
    size.hidden = empty || Math.max(prepared.length, prepared[0].length) > SCANS;
    if (!size.hidden) size.textContent = `This model learned from ${prepared.length} × ${prepared[0].length} scans, so little is left of a drawing. ${better}`;
    const shares = new Map(classes.map((name, i) => [name, empty || reading ? null : probabilities[i]]));
    const guess = () => h("span", {}, `${answer} (${percent(shares.get(answer))}) or ${other} (${percent(shares.get(other))})`);
    digit.classList.toggle("several", Boolean(reading));
    if (empty) {
      say("No digit yet.");
      sure.textContent = why || "Draw a digit, and the network says which one it is.";
    } else if (reading) {
      const text = reading.numbers.map((line) => line.join(" ")).join(", ");
      say(`Several digits: ${text}.`, text);
      sure.textContent = `${reading.digits.length} digits, read one by one.`;
    } else if (doubt > THRESHOLD) {
      say("That is not like a digit.", "?");
      sure.replaceChildren(h("span", {}, "Not like a digit that the network knows."), " ", h("span", {}, "At best "), guess());
    } else {
      say(`That looks like ${answer}.`, answer);
      const [best, next] = [shares.get(answer), shares.get(other)];
      sure.replaceChildren(h("span", {}, best < CERTAIN ? `Probability ${percent(best)}` : "Probability above 99.9 %"));
      if (next >= 1 - CERTAIN) sure.append(", ", h("span", {}, `then ${other} with ${percent(next)}`));
    }
    const likely = [...classes].sort((a, b) => shares.get(b) - shares.get(a)).slice(0, BARS);
    const listed = classes.filter((name) => likely.includes(name));
    bars.replaceChildren(...listed.map((name) => bar(name, shares.get(name), !empty && !reading && name === answer)));
  }

  const size = h("p", { class: "soft small", hidden: true });
  const card = h("section", { class: "card answer", "aria-label": "Answer" }, h("div", { class: "said" }, live, sure), bars, size);
  return { card, show, busy: (is) => live.setAttribute("aria-busy", is) };
}

// A picture on a canvas with words that say the same.
function figure(title) {
  const canvas = h("canvas", { class: "pixels", width: 28, height: 28, role: "img", "aria-label": title });
  const caption = h("figcaption", { class: "small" }, title);
  return { canvas, caption, element: h("figure", {}, canvas, caption) };
}

export function seenCard() {
  const picture = figure("What the network sees");
  const card = h("section", { class: "card seen-card" },
    h("h2", {}, "What the network sees"),
    h("p", { class: "soft small" },
      "The drawing is cropped, scaled to the size of the training digits, and centred."),
    h("div", { class: "seen" }, picture.element));

  function show({ empty, prepared }) {
    card.hidden = empty;
    if (empty) return;
    paintGray(picture.canvas, prepared);
    picture.caption.textContent = `${prepared.length} × ${prepared[0].length} pixels`;
  }
  return { card, show };
}

export function evidenceCard() {
  const answer = figure("For the answer");
  const other = figure("For the runner-up");
  const card = h("section", { class: "card evidence-card" },
    h("h2", {}, "Evidence"),
    h("p", { class: "soft small" },
      "How much the ink of each pixel raised or lowered a digit’s score: input times gradient. ",
      h("span", { class: "key for" }, "Blue"), " is evidence for the digit, ", h("span", { class: "key against" }, "orange"),
      " evidence against it; the stronger the colour, the more."),
    h("div", { class: "pair" }, answer.element, other.element));

  function paint(part, words, rows, largest) {
    const sum = (sign) => number(rows.flat().filter((e) => e * sign > 0).reduce((a, b) => a + Math.abs(b), 0));
    paintSigned(part.canvas, rows, largest);
    part.caption.textContent = `${words}: ${sum(1)} for, ${sum(-1)} against`;
    part.canvas.setAttribute("aria-label", part.caption.textContent);
  }

  function show({ empty, answer: first, runner_up: second, evidence, runner_up_evidence: against }) {
    card.hidden = empty;
    if (empty) return;
    const largest = Math.max(1e-9, ...[...evidence, ...against].flat().map(Math.abs));
    paint(answer, `For ${first}`, evidence, largest);
    paint(other, `For ${second}, the runner-up`, against, largest);
  }
  return { card, show };
}

export function insideCard() {
  const layers = h("div", { class: "layers" });
  const card = h("section", { class: "card inside-card" },
    h("h2", {}, "Inside the network"),
    h("p", { class: "soft small" }, "Each square is a unit, or of a convolution a place in the map of a filter: the darker, the larger its activation."),
    layers);

  function show({ empty, layers: all, classes }) {
    card.hidden = empty;
    if (!empty) layers.replaceChildren(...all.map((layer, i) => (i === all.length - 1 ? scores(layer, classes) : Array.isArray(layer.scaled[0]) ? maps(layer) : hidden(layer))));
  }
  return { card, show };
}

// What each filter of a convolution finds, as an image, all in one: a blank line between two of them.
function maps({ name, steps, scaled, activations }) {
  const { canvas, caption, element } = figure(name);
  const [height, width] = [scaled[0].length, scaled[0][0].length];
  const across = Math.ceil(Math.sqrt(2 * scaled.length));
  const down = Math.ceil(scaled.length / across);
  const rows = Array.from({ length: down * (height + 1) - 1 }, () => Array(across * (width + 1) - 1).fill(0));
  scaled.forEach((map, k) => map.forEach((line, y) => line.forEach((value, x) => {
    rows[Math.floor(k / across) * (height + 1) + y][(k % across) * (width + 1) + x] = 255 * value;
  })));
  paintGray(canvas, rows);
  const above = activations.filter((a) => a > 0).length;
  caption.textContent =
    `${name[0].toUpperCase()}${name.slice(1)} (${steps.join(", ")}): ${scaled.length} feature maps of ${height} × ${width}; ` +
    `${count(above)} of ${count(activations.length)} numbers above zero`;
  canvas.setAttribute("aria-label", caption.textContent);
  return element;
}

function hidden({ name, steps, activations, scaled }) {
  const { canvas, caption, element } = figure(name);
  const width = Math.ceil(Math.sqrt(3 * scaled.length));
  const rows = [];
  for (let i = 0; i < scaled.length; i += width) {
    rows.push(Array.from({ length: width }, (_, j) => 255 * (scaled[i + j] ?? 0)));
  }
  paintGray(canvas, rows);
  const strongest = scaled.indexOf(Math.max(...scaled));
  caption.textContent =
    `${name[0].toUpperCase()}${name.slice(1)} (${steps.join(", ")}): ${count(activations.filter((a) => a > 0).length)} of ` +
    `${count(activations.length)} units above zero; the largest is unit ${strongest + 1} at ${number(activations[strongest])}`;
  canvas.setAttribute("aria-label", caption.textContent);
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const i = Math.floor((offsetY / canvas.clientHeight) * rows.length) * width + Math.floor((offsetX / canvas.clientWidth) * width);
    canvas.title = i < activations.length ? `unit ${i + 1}: ${number(activations[i])}` : "";
  });
  return element;
}

function scores({ activations }, classes) {
  const said = (score) => (Math.round(10 * score) / 10 || 0).toFixed(1).replace("-", "−");
  return h("div", { class: "layers" },
    h("ol", { class: "scores", "aria-label": "Score of each digit" },
      activations.map((score, i) => h("li", {}, h("b", {}, classes[i]), said(score)))),
    h("p", { class: "soft small" }, "Output: a score for each digit. The higher it is above the others, the more probable the digit."));
}
