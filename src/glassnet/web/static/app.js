// The page: one view at a time, named by the address. #train?recipe=fast&hidden=64 is the view "train" and its settings,
// so that an address can be kept, sent and come back to.

import { lesson } from "./lesson/lesson.js";
import { h } from "./shared/dom.js";
import { clear, notice } from "./shared/notice.js";

const VIEWS = ["draw", "watch", "train", "step", "clinic", "lessons"];
const TITLES = { draw: "Draw", watch: "Watch", train: "Train", step: "Step through", clinic: "Clinic", lessons: "Lessons" };

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
  if (location.hash === "#main") return;
  for (const link of nav.children) {
    if (link.dataset.view === name) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone not all of them are in sight
    } else link.removeAttribute("aria-current");
  }
  leave();
  leave = () => {};
  const own = ++visit;
  document.title = `${TITLES[name]} · glassnet`;
  const root = h("div", { class: `view ${name}` });
  try {
    const view = await import(`./views/${name}/${name}.js`);
    if (own !== visit) return;
    clear();
    main.replaceChildren(root);
    const end = (await view.mount(root, settings)) ?? (() => {});
    if (own === visit) leave = end;
    else end();
  } catch (error) {
    notice(error.message);
    throw error;
  }
}

for (const view of VIEWS) nav.append(h("a", { href: `#${view}`, "data-view": view }, TITLES[view]));
addEventListener("hashchange", show);
lesson(show);
