// A list of the networks that there are: the site's own, and each run's.

import { h } from "./dom.js";

// A run of the address that is not there stays in the list, so that what is wrong can be said and another one chosen.
export function networkChoice(runs, wanted, onchange) {
  const names = runs.map(({ name }) => name);
  if (wanted && !names.includes(wanted)) names.unshift(wanted);
  const choice = h("select", { onchange }, h("option", { value: "" }, "The default model"), names.map((name) => h("option", { value: name }, name)));
  choice.value = wanted ?? "";
  return choice;
}
