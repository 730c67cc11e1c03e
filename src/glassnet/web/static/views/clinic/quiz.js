// A run with a mistake that is not named, beside its cure: which mistake is it? Then the verdict, with the evidence.
// #clinic?show=quiz&round=7: the round decides mistake, choices and seed, so that a class can play the same one.

import { clear, notice } from "../../shared/notice.js";
import { contest } from "./contest.js";
import { smallCurve, title } from "./gallery.js";
import { h } from "../../shared/dom.js";
import { describe } from "./mistakes.js";
import { startPair } from "./pair.js";

const ROUNDS = 1000; // of which a round without a number is one

const score = { right: 0, of: 0 }; // while the page is open

// Numbers from 0 to 1 that follow from a seed: mulberry32.
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(list, next) {
  const all = [...list];
  for (let i = all.length - 1; i > 0; i -= 1) {
    const j = Math.floor(next() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}

// The mistake of a round, and the choices: one of each symptom, so that the curves tell them apart.
function draw(round, mistakes) {
  const next = random(round);
  const rank = ({ measured }) => measured.rank;
  const little = Math.max(...mistakes.map(rank)); // to see, of the last group
  const [right, ...others] = shuffled(mistakes.filter((mistake) => rank(mistake) < little), next);
  const choices = new Map([[rank(right), right]]);
  for (const other of others) if (!choices.has(rank(other))) choices.set(rank(other), other);
  return { right, choices: shuffled(choices.values(), next) };
}

export function mountQuiz(root, settings, keep, mistakes) {
  const round = Math.trunc(Number(settings.get("round"))) || 1 + Math.floor(Math.random() * ROUNDS);
  const { right, choices } = draw(round, mistakes);
  const pair = contest({ hold: true });
  let gone = false;
  const told = h("p", { class: "told", role: "status", tabindex: -1 });
  const evidence = h("div", { class: "words" });
  const start = h("button", { class: "main", onclick: begin }, "Train both");
  const check = h("button", { class: "main", type: "submit" }, "Check");
  const options = choices.map((mistake) => h("label", { class: "option" },
    h("input", { type: "radio", name: "mistake", value: mistake.name }), h("span", {}, h("b", {}, title(mistake.name)), h("br"), mistake.summary)));
  const form = h("form", { class: "card quiz", "aria-label": "The question", novalidate: true, hidden: true, onsubmit: judge },
    h("fieldset", {}, h("legend", {}, "Which mistake is it?"), options), h("div", { class: "row" }, check), told, evidence);
  const next = h("a", { class: "button", href: `#clinic?show=quiz&round=${round + 1}` }, "Next round");

  keep(new URLSearchParams({ show: "quiz", round }));
  root.append(
    h("p", { class: "lede" }, "Two networks train on the same digits from the same initial weights. One has a mistake that is not named. Look at the curves, and choose."),
    h("div", { class: "row" }, h("h2", {}, `Round ${round}`), start, next, h("span", { class: "soft" }, score.of ? `${score.right} of ${score.of} correct so far` : "")),
    pair.element, form);

  async function begin() {
    start.disabled = true;
    clear();
    try {
      const begun = await startPair({ mistake: right.name, settings: { seed: round } }, () => gone);
      if (!begun) return;
      await pair.begin(begun);
      form.hidden = false;
      start.hidden = true;
    } catch (error) {
      start.disabled = false;
      notice(error.message);
    }
  }

  function judge(event) {
    event.preventDefault();
    const given = form.querySelector(":checked")?.value;
    if (!given) {
      told.textContent = "Choose one of the mistakes first.";
      return;
    }
    score.of += 1;
    score.right += given === right.name;
    const chosen = choices.find(({ name }) => name === given);
    told.textContent = given === right.name ? `Correct: ${title(right.name)}.` : `No, it is: ${title(right.name)}.`;
    told.classList.toggle("right", given === right.name);
    for (const input of form.querySelectorAll("input")) input.disabled = true;
    check.hidden = true;
    const compared = given === right.name ? [right] : [right, chosen];
    evidence.replaceChildren(
      h("div", { class: "curves" }, compared.map((mistake) => h("figure", {}, smallCurve(mistake), h("figcaption", { class: "small" }, `Accuracy on new images, measured before: ${title(mistake.name)}`)))),
      ...describe(right),
      h("p", {}, h("a", { href: `#clinic?mistake=${right.name}` }, "Change its settings in the clinic")));
    pair.reveal();
    told.focus();
  }

  return () => {
    gone = true;
    pair.close();
  };
}
