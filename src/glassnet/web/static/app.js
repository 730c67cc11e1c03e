// The page: one view at a time, named by the address. #train?recipe=fast&hidden=64 is the view "train" and its settings,
// so that an address can be kept, sent and come back to.

import { lesson } from "./lesson/lesson.js";
import { keeper } from "./shared/address.js";
import { h } from "./shared/dom.js";
import { clear } from "./shared/notice.js";
import { place as scrolled } from "./shared/scroll.js";

const VIEWS = ["draw", "network", "watch", "train", "step", "clinic", "lessons"];
const TITLES = { draw: "Draw", network: "Network", watch: "Watch", train: "Train", step: "Step through", clinic: "Clinic", lessons: "Lessons" };

const main = document.querySelector("main");
const nav = document.querySelector("header nav");
let leave = () => {};
let visit = 0; // counts the views that were asked for, so that one that comes late is not shown

function place() {
  const [name, query] = location.hash.slice(1).split("?");
  return { name: VIEWS.includes(name) ? name : VIEWS[0], settings: new URLSearchParams(query) };
}

async function show() {
  const { name, settings } = place();
  const scroll = scrolled();
  for (const link of nav.children) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  leave();
  leave = () => {};
  const own = ++visit;
  const keep = keeper(name);
  document.title = `${TITLES[name]} · glassnet`;
  const root = h("div", { class: `view ${name}` });
  try {
    const view = await import(`./views/${name}/${name}.js`);
    if (own !== visit) return;
    clear();
    main.replaceChildren(root);
    const end = (await view.mount(root, settings, keep)) ?? (() => {});
    if (own !== visit) return end();
    leave = end;
    scroll();
  } catch (error) {
    if (own === visit) fail(error, root);
    if (error.constructor !== Error) throw error; // not a line of the server's, but a fault
  }
}

// A view that cannot be shown, since the server is gone or says no: the line, and another try.
function fail(error, root) {
  const isFetched = !(error instanceof TypeError); // which says that its module did not come
  const words = isFetched ? error.message : "The server does not answer. Is glassnet serve still running?";
  const again = () => (isFetched ? show() : location.reload());
  root.replaceChildren(h("section", { class: "card", role: "alert" }, h("h1", {}, "This view cannot be shown"), h("p", {}, words), h("div", { class: "row" }, h("button", { onclick: again }, "Try again"))));
  main.replaceChildren(root);
}

for (const view of VIEWS) nav.append(h("a", { href: `#${view}`, "data-view": view }, TITLES[view]));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  main.focus();
});
addEventListener("hashchange", show);
lesson(show);
