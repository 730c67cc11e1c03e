// A view keeps its settings in the address for as long as the address is its own: an answer that comes late for a view
// that was left must not change the address of the next one.

let present = null; // the view that may write

// Called when a view is to be shown, which ends the turn of the one before: returns keep(query, how).
export function keeper(view) {
  const own = Symbol(view);
  present = own;
  let hash = location.hash; // a link changes it some time before the next view is asked for
  return function keep(query, how = "replaceState") {
    if (present !== own || location.hash !== hash) return;
    history[how](null, "", `#${view}${query.size ? `?${query}` : ""}`);
    hash = location.hash;
  };
}
