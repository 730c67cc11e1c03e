// The drawings that were kept: looked at, given another label, deleted, and what the network in hand is fine-tuned on.

import { get, remove, replace } from "../../shared/api.js";
import { h } from "../../shared/dom.js";
import { count, percent } from "../../shared/format.js";
import { notice } from "../../shared/notice.js";
import { find, fineTune, forget, underWay, where } from "./fine_tuning.js";

const SHOWN = 60; // at first, and more at a time
const isKept = (name) => !name.includes("."); // people's own pictures are called as their files are
const ownPictures = (number) => `${count(number)} ${number === 1 ? "picture" : "pictures"} of your own`;

// run(): the run in hand, or null for the default model; classes(): its classes; opened(name): a run has begun.
export function galleryCard({ run, classes, opened }) {
  let kept = {};
  let only = null; // the label whose drawings are shown, or null for all
  let shown = SHOWN;
  let chosen = null; // { label, name }
  let gone = false;

  const heading = h("h2", {}, "Your drawings");
  const words = h("p", { class: "soft small" });
  const labels = h("div", { class: "row labels", role: "group", "aria-label": "Show the drawings of" });
  const pictures = h("div", { class: "kept" });
  const more = h("button", { onclick: () => { shown += SHOWN; fill(); } }, "Show more");
  const label = h("select", { onchange: relabel });
  const bar = h("div", { class: "row bar", hidden: true },
    h("label", { class: "inline" }, "This is a", label),
    h("button", { onclick: deleteOne }, "Delete it"));
  const leftAlone = h("p", { class: "soft small", hidden: true });
  const deleteAll = h("button", { onclick: () => asked.showModal() }, "Delete all …");
  const question = h("p", {});
  const asked = h("dialog", { "aria-label": "Delete all drawings?" }, question,
    h("form", { method: "dialog", class: "row" },
      h("button", { class: "main", onclick: removeAll }, "Delete them"), h("button", { autofocus: true }, "Keep them")));
  const train = h("button", { class: "main", onclick: () => train.getAttribute("aria-disabled") !== "true" && follow(fineTune(run())) }, "Fine-tune on them");
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const body = h("div", { class: "filled", hidden: true },
    labels, pictures, bar, leftAlone, more,
    h("div", { class: "row" }, train, deleteAll),
    h("p", { class: "soft small" },
      "Fine-tuning starts from the newest weights of the model chosen above and takes some seconds. Three of four images are from the data that it learned first, so that it does not forget them; a fifth of the drawings is held out to measure on."),
    outcome);
  const card = h("section", { class: "card gallery" }, heading, words, body, asked);

  const path = ({ label: of, name }) => `/api/drawings/${encodeURIComponent(of)}/${encodeURIComponent(name)}`;

  async function look() {
    kept = await get("/api/drawings");
    if (only !== null && !kept[only]) only = null;
    if (chosen && !kept[chosen.label]?.includes(chosen.name)) chosen = null;
    fill();
  }

  function fill() {
    const counts = Object.entries(kept).map(([name, names]) => [name, names.length]);
    const all = counts.reduce((sum, [, times]) => sum + times, 0);
    const own = Object.values(kept).flat().filter((name) => !isKept(name)).length;
    body.hidden = all === 0;
    words.textContent = all === 0
      ? "Keep a drawing with its label, and it appears here: data that the network can be fine-tuned on."
      : own ? `${count(all - own)} kept so far, and ${ownPictures(own)} in their folder.` : `${count(all)} kept so far.`;
    labels.replaceChildren(...[[null, "All", all], ...counts.map(([name, times]) => [name, name, times])].map(([name, said, times]) =>
      h("button", { "aria-pressed": String(only === name), onclick: () => { only = name; shown = SHOWN; fill(); } },
        h("b", {}, said), ` ${count(times)}`)));
    const listed = Object.entries(kept)
      .flatMap(([of, names]) => (only === null || only === of ? names.map((name) => ({ label: of, name })) : []))
      .sort((a, b) => b.name.localeCompare(a.name));
    pictures.replaceChildren(...listed.slice(0, shown).map((one) => {
      const is = chosen?.name === one.name && chosen.label === one.label;
      const image = h("img", { src: path(one), alt: "", width: 64, height: 64, loading: "lazy" });
      const tile = h("button", { "aria-pressed": String(is), "aria-label": `A ${one.label}`, onclick: () => { chosen = is ? null : one; fill(); } },
        image, h("span", {}, one.label));
      image.onerror = () => {
        image.replaceWith(h("span", { class: "unreadable" }, "cannot be read"));
        tile.setAttribute("aria-label", `A ${one.label}, which cannot be read`);
      };
      return tile;
    }));
    more.hidden = listed.length <= shown;
    bar.hidden = !chosen || !isKept(chosen.name);
    leftAlone.hidden = !chosen || isKept(chosen.name);
    leftAlone.textContent = chosen ? `${chosen.label}/${chosen.name} was not drawn here. Move or delete it in its folder.` : "";
    if (!bar.hidden) {
      const names = [...new Set([...(classes() ?? []), chosen.label])];
      label.replaceChildren(...names.map((name) => h("option", { selected: name === chosen.label }, name)));
    }
    deleteAll.hidden = all === own;
    const stay = own ? ` ${ownPictures(own)} ${own === 1 ? "stays" : "stay"}.` : "";
    const what = all - own === 1 ? "Delete 1 drawing? It" : `Delete all ${count(all - own)} drawings? They`;
    question.textContent = `${what} cannot be brought back.${stay}`;
  }

  async function attempt(what) {
    try {
      await what();
    } catch (error) {
      notice(error.message);
    }
    await look().catch((error) => notice(error.message)); // after a failure too: another tab may have changed them
  }

  function relabel() {
    const [one, wanted] = [chosen, label.value];
    return attempt(async () => {
      chosen = await replace(where(path(one), run()), { label: wanted });
      if (only !== null) only = wanted;
    });
  }

  function deleteOne() {
    return attempt(() => deleteAt(path(chosen)));
  }

  function removeAll() {
    return attempt(() => deleteAt("/api/drawings"));
  }

  async function deleteAt(place) {
    const { deleted } = await remove(place);
    notice(deleted === 1 ? "1 drawing is deleted." : `${count(deleted)} drawings are deleted.`);
  }

  // A fine-tuning, begun here or found under way, until its result is shown.
  async function follow(task) {
    busy(true);
    task.told = () => {
      if (gone) return;
      if (task.name && !task.opened) {
        task.opened = true;
        opened(task.name);
      }
      outcome.replaceChildren(h("p", {}, task.words));
    };
    task.told();
    try {
      const { before, after } = await task.result;
      if (!gone) tell(task.name, before, after);
    } catch (error) {
      if (!gone) outcome.replaceChildren(h("p", { class: "wrong" }, error.message));
    }
    if (gone) return; // whoever comes back is told
    forget();
    busy(false);
  }

  function tell(name, before, after) {
    const rows = [["Drawings held out", "held_out"], ["All drawings", "all"], [`Validation images of ${after.before}`, "validation"]];
    const said = ([right, of]) => (of > 200 ? percent(right / of) : `${count(right)} of ${count(of)}`);
    outcome.replaceChildren(
      h("div", { class: "scroll" }, h("table", {},
        h("thead", {}, h("tr", {}, ["Correct", "before", "after"].map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, rows.filter(([, key]) => before[key] && after[key]?.[1]).map(([title, key]) =>
          h("tr", {}, h("th", { scope: "row" }, title), h("td", {}, said(before[key])), h("td", {}, said(after[key]))))))),
      h("p", { class: "small" }, "The fine-tuned model is ", h("a", { href: `#watch?run=${encodeURIComponent(name)}` }, name), "."));
  }

  function busy(is) {
    train.setAttribute("aria-disabled", String(is));
    train.textContent = is ? "Fine-tuning …" : "Fine-tune on them";
  }

  // One that goes, begun before this page was loaded or from a shell, is found.
  async function seek() {
    const task = await find();
    if (task && !gone) follow(task);
  }

  if (underWay()) follow(underWay());
  return { card, look, seek, close: () => { gone = true; } };
}
