// A view keeps its settings in the address for as long as the address is its own: an answer that comes late for a view
// that was left must not change the address of the next one.

import { notice } from "./notice.js";

const list = new Intl.ListFormat("en-GB");

let present = null; // the view that may write
let refused = []; // settings of its address that cannot be used

// Called when a view is to be shown, which ends the turn of the one before: returns keep(query, how).
export function keeper(view) {
  const own = Symbol(view);
  present = own;
  refused = [];
  let hash = location.hash; // a link changes it some time before the next view is asked for
  return function keep(query, how = "replaceState") {
    if (present !== own || location.hash !== hash) return;
    history[how](null, "", `#${view}${query.size ? `?${query}` : ""}`);
    hash = location.hash;
  };
}

// Tells which settings of the view's address cannot be used, in one line for all that it is called with. Those of the names
// that the address does not have are no matter.
export function unusable(settings, names) {
  const found = names.filter((name) => settings.has(name)).map((name) => `${name} “${settings.get(name).slice(0, 20)}”`);
  if (!found.length) return;
  refused.push(...found);
  notice(`The address asks for ${list.format(refused)}, which cannot be used; the default is shown instead.`);
}
