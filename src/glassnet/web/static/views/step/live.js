// What the two networks under the hand have in common: an answer for every change, the steps that are taken, and settings
// that fit into an address.

import { unusable } from "../../shared/address.js";
import { post } from "../../shared/api.js";
import { notice } from "../../shared/notice.js";
import { isRate } from "./fields.js";

export const MANY = 10; // steps that one press takes

// Ask now, or once more after the question under way, and then show the answer: of many changes only the last one waits.
// What is returned is a promise of whether there was an answer to the last one.
function lastOnly(ask, show, failed) {
  let running = null;
  let again = false;

  async function go() {
    let answer;
    do {
      again = false;
      try {
        answer = await ask();
      } catch (error) {
        if (again) continue;
        failed(error);
        return false;
      }
    } while (again);
    show(answer);
    return true;
  }

  const run = () => {
    again = true;
    running ??= go().finally(() => { running = null; });
    return running;
  };
  run.done = () => running;
  return run;
}

// A tiny network, its image and its steps: what is asked of the server at `path`, first of all what the address has, and its
// answer. shapes: of the parameters; side: pixels along the image; show(): shows `answer` at `stage`, null for the first, and
// the `losses` of the steps that led to it. A change or step that fails is taken back: what was shown before is shown again.
export function live({ path, shapes, side, settings, show }) {
  const self = { answer: null, losses: [], stage: settings.get("stage"), array, change, take, reset, begin, close: stop };
  let wanted = fromAddress(settings, shapes, side); // { question, losses }
  let shown = { question: {}, losses: [] };
  let left = 0; // steps still to be taken
  let taking = false;

  const refresh = lastOnly(() => post(path, wanted.question), (answer) => {
    const { parameters, image, label, rate } = answer;
    self.answer = answer;
    if (self.stage !== null && !answer.stages.some(({ name }) => name === self.stage)) {
      self.stage = null;
      unusable(settings, ["stage"]);
    }
    shown = { question: { parameters, image, label, rate }, losses: wanted.losses };
    settle();
  }, (error) => {
    notice(error.message);
    settle();
  });

  function settle() {
    wanted = shown;
    self.losses = shown.losses;
    if (self.answer) show();
  }

  // The numbers of a stage.
  function array(name) {
    return self.answer.stages.find((stage) => stage.name === name).array;
  }

  const moved = () => Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, shaped([array(`${name} after`)].flat(Infinity), shape)]));

  function change(what) {
    wanted = { ...wanted, question: { ...wanted.question, ...what } };
    return refresh();
  }

  // Takes so many steps more, one after the other, each from the numbers that the one before it led to.
  async function take(count) {
    left += count;
    if (taking) return;
    taking = true;
    await (self.answer ? refresh.done() : refresh());
    if (!self.answer) stop();
    while (left > 0) {
      left -= 1;
      wanted = { ...wanted, losses: [...wanted.losses, array("L")] };
      if (!(await change({ parameters: moved() }))) stop();
    }
    taking = false;
  }

  function stop() {
    left = 0;
  }

  function reset() {
    stop();
    wanted = { question: {}, losses: [] };
    return refresh();
  }

  // Shows the numbers of the address, or those of the server where they make no step.
  async function begin() {
    if (!(await refresh())) await reset();
  }

  return self;
}

// What an address asks for: { question, losses }. What of it cannot be used is told, and left out.
function fromAddress(settings, shapes, side) {
  const rate = Number(settings.get("rate"));
  const found = {
    parameters: parametersOf(settings.get("parameters"), shapes),
    image: imageOf(settings.get("image"), side),
    label: ["0", "1"].includes(settings.get("label")) ? Number(settings.get("label")) : null,
    rate: isRate(rate) ? rate : null,
    losses: numbersOf(settings.get("losses")),
  };
  unusable(settings, Object.keys(found).filter((name) => found[name] === null));
  const { losses = [], ...question } = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null));
  return { question, losses };
}

function numbersOf(text) {
  const numbers = text ? text.split(",").map(Number) : [NaN];
  return numbers.every(Number.isFinite) ? numbers : null;
}

function parametersOf(text, shapes) {
  const numbers = numbersOf(text);
  const size = Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b), 0);
  if (numbers?.length !== size) return null;
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, shaped(numbers, shape)]));
}

function imageOf(text, side) {
  const grays = (text ?? "").split(",");
  if (grays.length !== side * side || !grays.every((gray) => /^\d+$/.test(gray) && gray <= 255)) return null;
  return shaped(grays.map(Number), [side, side]);
}

// An array of this shape, whose numbers are taken off the beginning of those that are given.
function shaped(numbers, [first, ...rest]) {
  return first == null ? numbers.shift() : Array.from({ length: first }, () => shaped(numbers, rest));
}

export const short = (numbers) => numbers.map((value) => Number(value.toPrecision(6))).join(",");
