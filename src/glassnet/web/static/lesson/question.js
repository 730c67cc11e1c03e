// A question of a lesson: choices or a number, whether the answer is right, and why.

import { h } from "../shared/dom.js";

let asked = 0; // for names of groups of choices

const read = (text) => (text.trim() ? Number(text.trim().replace("−", "-").replace(",", ".")) : NaN);

function words(tag, properties, html) {
  const element = h(tag, properties);
  element.innerHTML = html; // made of Markdown by the server, without HTML of its own
  return element;
}

// Returns a form, which keeps its state as long as it is kept.
export function question({ ask, choices, answer, tolerance, why }) {
  asked += 1;
  const id = `question-${asked}`;
  const told = h("p", { class: "told", role: "status", tabindex: -1 });
  const because = words("div", { class: "words because", hidden: true }, why);
  const reveal = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => solve(false) }, "Show the answer");
  const check = h("button", { type: "submit" }, "Check");
  const number = h("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-labelledby": id, oninput: forget });
  const options = (choices ?? []).map(({ value, words: html }) =>
    h("label", { class: "choice" }, h("input", { type: "radio", name: id, value, onchange: forget }), words("span", {}, html)));
  const form = h("form", { class: "question", onsubmit: judge, novalidate: true },
    h("fieldset", {}, words("legend", { id }, ask), choices ? options : number),
    h("div", { class: "row" }, check, reveal), told, because);

  const given = () => (choices ? form.querySelector(":checked")?.value : read(number.value));
  const isRight = (value) => (choices ? value === answer : Math.abs(value - answer) <= tolerance + 1e-9);

  function forget() {
    if (because.hidden) tell("", "");
  }

  function tell(line, kind) {
    told.textContent = line;
    told.className = `told ${kind}`;
  }

  function judge(event) {
    event.preventDefault();
    const value = given();
    if (value === undefined) return tell("Choose one of the answers first.", "");
    if (Number.isNaN(value)) return tell("Give a number, such as 0.5.", "");
    if (isRight(value)) return solve(true);
    tell("Not this one. Look at the view again, and try another answer.", "wrong");
    reveal.hidden = false;
    told.scrollIntoView({ block: "nearest" });
  }

  function solve(own) {
    const inputs = [...form.querySelectorAll("input")];
    if (choices) inputs.find(({ value }) => value === answer).checked = true;
    else if (!own) number.value = String(answer);
    tell(own ? "Correct." : `The answer is: ${choices ? choices.find(({ value }) => value === answer).value : answer}.`, own ? "right" : "");
    because.hidden = false;
    reveal.hidden = check.hidden = true;
    for (const input of inputs) input.disabled = true;
    told.focus();
    because.scrollIntoView({ block: "nearest" });
  }

  return form;
}
