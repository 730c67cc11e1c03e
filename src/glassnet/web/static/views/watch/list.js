// The runs that there are: choose one to watch, and tick others to lay their curves over it.

import { get } from "../../shared/api.js";
import { h } from "../../shared/dom.js";
import { percent, seconds } from "../../shared/format.js";
import { LINES } from "../../shared/palette.js";

const EVERY = 3000; // ms

// choose(name): watch this one; toggle(name): its curves too, or no longer. heard(runs): what there is now.
export function list(root, { choose, toggle, heard }) {
  const body = h("tbody");
  const table = h("div", { class: "scroll runs" }, h("table", {},
    h("thead", {}, h("tr", {}, ...[["", "Curves"], ["", "Run"], ["", "State"], ["wide", "Data"], ["", "Validation"], ["wide", "Epochs"], ["wide", "Training"], ["wide", "Started"]]
      .map(([kind, words]) => h("th", { scope: "col", class: kind }, words)))), body));
  const empty = h("div", { class: "empty" },
    h("p", {}, "There is no run here yet. ", h("a", { href: "#train" }, "Train a network on this page"), ", or from the shell, in the folder where this server was started:"),
    h("pre", {}, h("code", {}, "glassnet train digits")),
    h("p", { class: "soft" }, "It appears here as soon as it begins."));
  const lines = new Map(); // a line for each run, kept, so that the focus stays where it is
  let shown = [];
  let revealed; // the run to watch, once its line has come and was scrolled to
  let timer = 0;
  let closed = false;

  async function look() {
    clearTimeout(timer);
    if (document.hidden || closed) return;
    try {
      const runs = await get("/api/runs");
      if (closed) return;
      fill(runs);
      heard(runs);
    } finally {
      if (!closed) timer = setTimeout(() => look().catch(() => {}), EVERY);
    }
  }

  function fill(runs) {
    root.replaceChildren(...(runs.length ? (root.contains(table) ? root.childNodes : [table]) : [empty]));
    for (const name of [...lines.keys()]) if (!runs.some((run) => run.name === name)) { lines.get(name).row.remove(); lines.delete(name); }
    runs.forEach((run, i) => {
      const line = lines.get(run.name) ?? make(run.name);
      lines.set(run.name, line);
      update(line, run);
      if (body.children[i] !== line.row) body.insertBefore(line.row, body.children[i] ?? null);
    });
    mark();
  }

  function make(name) {
    const tick = h("input", { type: "checkbox", "aria-label": `Curves of ${name}`, onchange: () => toggle(name) });
    const link = h("a", { href: `#watch?run=${encodeURIComponent(name)}`, onclick: (event) => { if (!event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); choose(name); } } }, name);
    const cells = [1, 2, 3, 4, 5, 6].map((i) => h("td", { class: i === 1 || i === 3 ? "" : "wide" }));
    return { name, tick, link, cells, row: h("tr", {}, h("td", {}, h("label", { class: "tick" }, tick, h("i"))), h("th", { scope: "row" }, link), cells) };
  }

  function update({ cells }, run) {
    const words = [
      run.state,
      run.data ?? "–",
      percent(run.validation_accuracy),
      `${run.epoch} of ${run.epochs ?? "–"}`,
      seconds(run.seconds),
      new Date(1000 * run.started).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }),
    ];
    words.forEach((word, i) => { if (cells[i].textContent !== word) cells[i].textContent = word; });
    cells[0].className = `state ${run.state}`;
  }

  function mark() {
    for (const { name, tick, link, row } of lines.values()) {
      const place = shown.indexOf(name);
      tick.checked = place >= 0;
      row.querySelector("i").style.background = place >= 0 && shown.length > 1 ? `var(--${LINES[place]})` : "transparent";
      if (place === 0) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (shown[0] !== revealed && lines.has(shown[0])) {
      revealed = shown[0];
      reveal(lines.get(revealed).row);
    }
  }

  // Scrolls within the list alone.
  function reveal(row) {
    const [frame, own] = [table.getBoundingClientRect(), row.getBoundingClientRect()];
    if (own.top < frame.top || own.bottom > frame.bottom) table.scrollTop += own.top - frame.top - (frame.height - own.height) / 2;
  }

  const see = () => look().catch(() => {});
  document.addEventListener("visibilitychange", see);
  return {
    look,
    show(names) {
      shown = names;
      mark();
    },
    close() { closed = true; clearTimeout(timer); document.removeEventListener("visibilitychange", see); },
  };
}
