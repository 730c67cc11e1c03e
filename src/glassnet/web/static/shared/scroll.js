// Where each address was scrolled to: a link begins at the top, and Back finds the place that one left. The browser's own
// memory does not do, since a view is filled only after it is shown.

const PATIENCE = 10_000; // ms that a view may take to grow as long as it was
const places = new Map(); // by address
let byLink = false;
let visit = 0; // counts the addresses that were shown, of which only the newest is scrolled

history.scrollRestoration = "manual";
addEventListener("scroll", () => places.set(location.hash, scrollY), { passive: true });
addEventListener("click", (event) => { byLink = Boolean(event.target.closest?.("a[href^='#']")); }, { capture: true });
addEventListener("popstate", () => setTimeout(() => { byLink = false; })); // after the view has been asked for

// Called when another address is to be shown, which begins at its top: returns what scrolls to its place once the view is
// there.
export function place() {
  const own = ++visit;
  const y = byLink ? 0 : places.get(location.hash) ?? 0;
  scrollTo(0, 0);
  return () => {
    if (y === 0) return;
    const end = performance.now() + PATIENCE;
    let moved = false;
    const stop = () => { moved = true; };
    const signs = ["wheel", "touchstart", "keydown", "pointerdown"];
    for (const sign of signs) addEventListener(sign, stop, { once: true, passive: true });
    const again = () => {
      if (!moved && own === visit) scrollTo(0, y);
      if (!moved && own === visit && Math.abs(scrollY - y) > 1 && performance.now() < end) requestAnimationFrame(again);
      else for (const sign of signs) removeEventListener(sign, stop);
    };
    again();
  };
}
