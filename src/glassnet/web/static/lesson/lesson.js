// A lesson beside the real view. Which lesson and which step stand before the # of the address, ?lesson=a&step=3#train?…,
// so that the view may keep its own settings behind it, and a link leads to both.

import { get } from "../shared/api.js";
import { h } from "../shared/dom.js";
import { notice } from "../shared/notice.js";
import { question } from "./question.js";

const LIST = "#lessons";

function asked() {
  const settings = new URLSearchParams(location.search);
  return { name: settings.get("lesson"), step: settings.get("step") };
}

const address = (name, number, view) => `?${new URLSearchParams({ lesson: name, step: number })}${view}`;

// show(): draws the view that the address names.
export async function lesson(show) {
  let told = null; // the lesson's content
  let drawn = ""; // the part of the address that the panel shows
  let questions = []; // of each step, with what was answered, once it was seen
  const panel = h("aside", { class: "lesson", "aria-label": "Lesson", hidden: true, onkeydown: onkey });
  const wide = matchMedia("(min-width: 60rem)");

  async function open() {
    const { name } = asked();
    if (told?.name === name) return;
    told = name && { name, ...(await get(`/api/lessons/${encodeURIComponent(name)}`)) };
    questions = told ? told.steps.map(() => null) : [];
  }

  const isStep = (text) => /^[1-9]\d*$/.test(text) && Number(text) <= told.steps.length;
  const present = () => (isStep(asked().step) ? Number(asked().step) : 1);

  // Another step: a new entry in the history, the step's own view, and the panel from its top.
  function go(number) {
    history.pushState(null, "", address(told.name, number, told.steps[number - 1].view));
    draw();
    scrollTo(0, 0);
    panel.querySelector("h2").focus({ preventScroll: true });
    show();
  }

  function again() {
    history.replaceState(null, "", address(told.name, present(), told.steps[present() - 1].view));
    show();
  }

  function close() {
    history.pushState(null, "", `${location.pathname}${LIST}`);
    told = null;
    draw();
    show();
  }

  function onkey(event) {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation(); // a view may have the arrows for itself
    const number = present() + by;
    if (number >= 1 && number <= told.steps.length) go(number);
  }

  function draw() {
    drawn = location.search;
    panel.hidden = !told;
    document.body.classList.toggle("has-lesson", Boolean(told));
    if (!told) return;
    const number = present();
    const step = told.steps[number - 1];
    const words = h("div", { class: "words" });
    words.innerHTML = step.words; // made of Markdown by the server, without HTML of its own
    if (step.question) questions[number - 1] ??= question(step.question);
    const end = number === told.steps.length;
    panel.replaceChildren(...[
      h("div", { class: "row split" },
        h("p", { class: "small soft where" }, h("b", {}, told.title), ` · step ${number} of ${told.steps.length}`),
        h("button", { class: "quiet fold", "aria-expanded": String(!panel.classList.contains("folded")), onclick: fold }, panel.classList.contains("folded") ? "Unfold" : "Fold"),
        h("button", { class: "quiet", onclick: close, "aria-label": "Close the lesson" }, "×")),
      h("progress", { max: told.steps.length, value: number, "aria-label": "Steps of the lesson" }),
      h("div", { class: "body" },
        h("h2", { tabindex: -1 }, step.title), words,
        h("button", { class: "small again", onclick: again, title: "Show the view as this step has it" }, "Reset the view"),
        questions[number - 1] ?? ""),
      h("div", { class: "row split foot" },
        h("button", { disabled: number === 1, onclick: () => go(number - 1) }, "← Previous"),
        end ? h("button", { class: "main", onclick: close }, "All lessons") : h("button", { class: "main", onclick: () => go(number + 1) }, "Next step →")),
    ].filter(Boolean));
  }

  function fold() {
    panel.classList.toggle("folded");
    draw();
    panel.querySelector(".fold").focus();
  }

  // Returns a line of what is wrong, or "".
  async function arrive() {
    let wrong = "";
    try {
      await open();
      const { step } = asked();
      if (told && step !== null && !isStep(step)) wrong = `This lesson has no step “${step.slice(0, 20)}”, but steps 1 to ${told.steps.length}: here is the first.`;
    } catch (error) {
      told = null;
      wrong = error.message;
    }
    if (wrong || location.search !== drawn) draw(); // another view is no reason to begin the panel anew
    return wrong;
  }

  document.querySelector("main").after(panel);
  wide.addEventListener("change", () => panel.classList.remove("folded") || draw());
  addEventListener("popstate", async () => {
    const turned = location.search !== drawn; // then Chromium tells of no other #…, though the view is another
    const [line] = await Promise.all([arrive(), turned && show()]);
    if (line) notice(line);
  });
  const wrong = await arrive();
  if (told && (wrong || !location.hash)) history.replaceState(null, "", address(told.name, present(), told.steps[present() - 1].view));
  else if (wrong) history.replaceState(null, "", `${location.pathname}${LIST}`);
  await show();
  if (wrong) notice(wrong);
}
