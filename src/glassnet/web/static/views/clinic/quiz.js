// A run with a mistake that is not named, beside its cure: which mistake is it? Then the verdict, with the evidence.
// #clinic?show=quiz&round=7: the round decides mistake, choices and seed, so that a class can play the same one.

import { get } from "../../shared/api.js";
import { count } from "../../shared/format.js";
import { clear, notice } from "../../shared/notice.js";
import { contest } from "./contest.js";
import { smallCurve, title } from "./gallery.js";
import { h } from "../../shared/dom.js";
import { describe } from "./mistakes.js";
import { startPair, stopRuns } from "./pair.js";

const LAST = 2 ** 32 - 1; // round: its number is the seed of the runs
const answers = new Map(); // what was answered in each round, { given, isRight }, while the page is open

const isRound = (text) => /^[1-9]\d*$/.test(text) && Number(text) <= LAST;

// The round whose number an address has, or with null any: its number, its mistake, and the choices.
async function drawn(text, mistakes) {
  const named = new Map(mistakes.map((mistake) => [mistake.name, mistake]));
  const { number, right, choices } = await get(`/api/clinic/round${text === null ? "" : `?number=${text}`}`);
  return { round: number, right: named.get(right), choices: choices.map((name) => named.get(name)) };
}

const scored = () => {
  const right = [...answers.values()].filter(({ isRight }) => isRight).length;
  return answers.size ? `${right} of ${answers.size} correct so far` : "";
};

// A class plays the round of its link: where that is wrong, nobody is given another one unawares.
function refuse(root, text) {
  root.append(h("section", { class: "card", role: "alert" },
    h("h2", {}, "No such round"),
    h("p", {}, `“${text.slice(0, 20)}” is not the number of a round: these go from 1 to ${count(LAST)}. Ask for the right link, or play any round.`),
    h("div", { class: "row" }, h("a", { class: "button", href: "#clinic?show=quiz" }, "Any round"))));
}

export async function mountQuiz(root, settings, keep, mistakes) {
  const asked = settings.get("round");
  if (asked !== null && !isRound(asked)) return refuse(root, asked);
  const { round, right, choices } = await drawn(asked, mistakes);
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
  const next = h("a", { class: "button", href: `#clinic?show=quiz&round=${round + 1}`, onclick: halt }, "Next round");
  const heading = h("h2", { tabindex: -1 }, `Round ${round}`);
  const tally = h("span", { class: "soft" }, scored());

  // The runs stand in the address, so that a round that is reloaded or come back to is the same one.
  const remember = (runs) => keep(new URLSearchParams({ show: "quiz", round, ...runs }));
  root.append(
    h("p", { class: "lede" }, "Two networks train on the same digits from the same initial weights. One has a mistake that is not named. Look at the curves, and choose."),
    h("div", { class: "row" }, heading, start, next, tally),
    pair.element, form);

  async function begin() {
    if (start.getAttribute("aria-disabled")) return;
    start.setAttribute("aria-disabled", "true");
    clear();
    try {
      const begun = await startPair({ mistake: right.name, settings: { seed: round } }, () => gone);
      if (!begun) return;
      remember(begun);
      await show(begun);
    } catch (error) {
      start.removeAttribute("aria-disabled");
      notice(error.message);
    }
  }

  async function show(runs) {
    const isFocused = document.activeElement === start;
    start.hidden = true;
    form.hidden = false;
    if (isFocused) heading.focus();
    await pair.begin(runs);
    if (answers.has(round)) pair.reveal();
  }

  // Those that are left for the next round need not go on.
  function halt() {
    stopRuns(pair.names()).catch(() => {}); // one that has just ended
  }

  function judge(event) {
    event.preventDefault();
    const given = form.querySelector(":checked")?.value;
    if (!given) {
      told.textContent = "Choose one of the mistakes first.";
      return;
    }
    answers.set(round, { given, isRight: given === right.name });
    tally.textContent = scored();
    reveal(given);
    told.focus();
  }

  function reveal(given) {
    const chosen = choices.find(({ name }) => name === given);
    told.textContent = given === right.name ? `Correct: ${title(right.name)}.` : `No, it is: ${title(right.name)}.`;
    told.classList.toggle("right", given === right.name);
    for (const input of form.querySelectorAll("input")) {
      input.checked = input.value === given;
      input.disabled = true;
    }
    check.hidden = true;
    const compared = given === right.name ? [right] : [right, chosen];
    evidence.replaceChildren(
      h("div", { class: "curves" }, compared.map((mistake) => h("figure", {}, smallCurve(mistake), h("figcaption", { class: "small" }, `Accuracy on new images, measured before: ${title(mistake.name)}`)))),
      ...describe(right),
      h("p", {}, h("a", { href: `#clinic?mistake=${right.name}` }, "Change its settings in the clinic")));
    pair.reveal();
  }

  const runs = { planted: settings.get("planted"), cured: settings.get("cured") };
  const there = runs.planted && runs.cured ? (await get("/api/runs")).map(({ name }) => name) : [];
  if (there.includes(runs.planted) && there.includes(runs.cured)) {
    remember(runs);
    await show(runs);
  } else remember({});
  if (answers.has(round)) {
    form.hidden = false;
    reveal(answers.get(round).given);
  }
  return () => {
    gone = true;
    pair.close();
  };
}
