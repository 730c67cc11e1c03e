// The stages of a step, one at a time: a list to choose from, arrow keys, the equation large, its arithmetic below.

import { h } from "../../shared/dom.js";
import { isStill } from "../../shared/palette.js";
import { picture } from "./pictures.js";

const FEW = 4; // numbers that stand beside a stage's name in the list

// A number as the server's sums have it: four decimals, no zeros at the end, a true minus.
export const plain = (value, decimals = 4) => {
  const rounded = Number(value.toFixed(decimals));
  return String(rounded === 0 ? 0 : rounded).replace("-", "−");
};

export const symbol = (name) => name.replace(" after", "").replace("gamma", "γ").replace("beta", "β").replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
const capital = (words) => words[0].toUpperCase() + words.slice(1);

// Elements whose text the eye should find again when it has changed. Each has a key that stays from one answer to the next.
function flashing() {
  const before = new Map();
  return (key, element) => {
    const text = element.textContent;
    if (before.has(key) && before.get(key) !== text && !isStill()) element.classList.add("flash");
    before.set(key, text);
    return element;
  };
}

export function stages(onchoose) {
  let answer = null;
  let present = 0;
  const flash = flashing();
  const list = h("div", { class: "list", role: "group", "aria-label": "Stages" });
  const where = h("p", { class: "soft small", "aria-live": "polite" });
  const body = h("div", { class: "body" });
  const back = h("button", { onclick: () => go(-1) }, "← Back");
  const next = h("button", { onclick: () => go(1) }, "Next →");
  const element = h("section", { class: "card stages", "aria-label": "The stages of the step" },
    h("div", { class: "present" }, h("div", { class: "row" }, back, next, where), body), list);

  function go(by) {
    if (answer) choose(Math.min(Math.max(present + by, 0), answer.stages.length - 1));
  }

  function choose(index) {
    present = index;
    draw();
    onchoose(answer.stages[index]);
  }

  function onkey(event) {
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const inList = list.contains(event.target);
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: inList && 1, ArrowUp: inList && -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    go(by);
    if (inList) list.querySelector("[aria-current]")?.focus();
  }
  document.addEventListener("keydown", onkey);

  function beside(stage) {
    const numbers = stage.kind === "number" ? [stage.array] : stage.kind === "row" ? stage.array : [];
    return numbers.length <= FEW ? numbers.map((each) => plain(each)).join("  ") : "";
  }

  function entry(stage, index) {
    const numbers = flash(`beside ${stage.name}`, h("span", { class: "numbers" }, beside(stage)));
    return h("button", {
      class: "quiet", "data-stage": stage.name, "aria-current": index === present && "step", onclick: () => choose(index),
    }, h("b", {}, symbol(stage.name)), h("span", {}, stage.title), numbers);
  }

  function draw() {
    const stage = answer.stages[present];
    const parts = Object.entries(answer.parts).filter(([part]) => answer.stages.some((each) => each.part === part));
    const top = list.scrollTop;
    const focused = list.contains(document.activeElement);
    list.replaceChildren(...parts.flatMap(([part, words]) => [
      h("h3", {}, words),
      ...answer.stages.map((each, index) => (each.part === part ? entry(each, index) : null)),
    ]).filter(Boolean));
    list.scrollTop = top;
    const current = list.querySelector("[aria-current]");
    if (focused) current.focus({ preventScroll: true });
    keepInSight(current);
    back.disabled = present === 0;
    next.disabled = present === answer.stages.length - 1;
    const words = `Stage ${present + 1} of ${answer.stages.length}: ${stage.title}`;
    if (where.textContent !== words) where.textContent = words; // said aloud only when it is another one
    body.replaceChildren(...presented(stage).filter(Boolean));
  }

  function keepInSight(current) {
    const [low, high] = [current.offsetTop - list.offsetTop, current.offsetTop - list.offsetTop + current.offsetHeight];
    if (low < list.scrollTop) list.scrollTop = low - 40;
    if (high > list.scrollTop + list.clientHeight) list.scrollTop = high - list.clientHeight + 40;
  }

  function presented(stage) {
    const equation = h("div", { class: "equation scroll", "aria-label": stage.equation, role: "math", tabindex: 0 });
    equation.innerHTML = stage.mathml;
    return [
      h("p", { class: "soft small" }, answer.parts[stage.part]),
      h("h2", {}, capital(stage.title)),
      equation,
      h("p", { class: "shapes soft" }, stage.shapes),
      h("p", { class: "meaning" }, stage.meaning),
      stage.sums.length
        ? h("ol", { class: "sums" }, stage.sums.map((line, i) => flash(`${stage.name} ${i}`, h("li", {}, line))))
        : h("div", { class: "picture" }, ...picture(answer, stage)),
      stage.facts.length ? h("p", { class: "soft small" }, stage.facts.join(" · ")) : null,
    ];
  }

  return {
    element,
    // Show an answer of the server, at the stage of this name, or at the same one as before.
    show(given, name) {
      const wanted = name ?? answer?.stages[present]?.name;
      answer = given;
      present = Math.max(answer.stages.findIndex((stage) => stage.name === wanted), 0);
      draw();
      return answer.stages[present];
    },
    choose: (test) => choose(Math.max(answer.stages.findIndex(test), 0)),
    close: () => document.removeEventListener("keydown", onkey),
  };
}
