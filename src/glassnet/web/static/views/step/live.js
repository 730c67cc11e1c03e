// What the two networks under the hand have in common: an answer for every change, and settings that fit into an address.

import { notice } from "../../shared/notice.js";

// Ask now, or once more after the question under way, and then show the answer: of many changes only the last one waits.
// What is returned is a promise of whether there was an answer.
export function lastOnly(ask, show) {
  let running = null;
  let again = false;
  const run = () => {
    again = true;
    running ??= (async () => {
      try {
        while (again) {
          again = false;
          await ask();
        }
        show();
        return true;
      } catch (error) {
        notice(error.message);
        return false;
      } finally {
        running = null;
      }
    })();
    return running;
  };
  run.done = () => running;
  return run;
}

// The numbers of an address as parameters of these shapes, or null where they are not that.
export function fromAddress(text, shapes) {
  const numbers = (text ?? "").split(",").map(Number);
  const size = Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b), 0);
  if (!text || numbers.length !== size || !numbers.every(Number.isFinite)) return null;
  const take = ([first, ...rest]) => (first == null ? numbers.shift() : Array.from({ length: first }, () => take(rest)));
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, take(shape)]));
}

export const short = (numbers) => numbers.map((value) => Number(value.toPrecision(6))).join(",");
