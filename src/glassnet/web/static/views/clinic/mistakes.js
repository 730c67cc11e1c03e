// One mistake, chosen by its curve: its equations, the settings of both runs, and the runs.

import { clear, notice } from "../../shared/notice.js";
import { contest } from "./contest.js";
import { gallery, title } from "./gallery.js";
import { h } from "../../shared/dom.js";
import { startPair, stopRuns } from "./pair.js";

// The circumstances that a person may change; the rest stays as the mistake needs it to show.
const FIELDS = {
  hidden: ["hidden units", { type: "text", placeholder: "none", title: "Units of each hidden layer, from the input up, such as 64, 32" }],
  learning_rate: ["learning rate", { type: "number", min: 0, step: "any" }],
  batch_size: ["batch size", { type: "number", min: 1 }],
  epochs: ["epochs", { type: "number", min: 1, title: "Passes through the training images" }],
  from: ["mistake from epoch", { type: "number", min: 1, placeholder: "the start", title: "The epoch after which the mistake is switched on; until then both runs are the same" }],
  seed: ["seed", { type: "number", min: 0, title: "Of the split, the initial weights and the order of images: the same in both runs" }],
};
const SETTINGS = Object.keys(FIELDS).filter((name) => name !== "from");

const shown = (value) => (Array.isArray(value) ? value.join(", ") || "none" : typeof value === "number" ? Number(value.toPrecision(3)) : value);
const read = (name, text) => (name === "hidden" ? text.split(/[^0-9.]+/).filter(Boolean).map(Number) : Number(text));

let kept = ""; // the settings when one left, with the runs that may still go

export function describe(mistake) {
  const equation = (side, mark) => h("div", { class: side }, h("p", { class: "small" }, mark), h("pre", { class: "scroll", tabindex: 0 }, mistake[side].replaceAll(/ {4,}/g, "\n")));
  return [
    h("p", {}, mistake.summary), h("div", { class: "equations" }, equation("wrong", "✗ wrong"), equation("right", "✓ right")),
    h("h3", {}, "What it does"), h("p", {}, mistake.effect), h("h3", {}, "What to look for"), h("p", {}, mistake.symptom),
    h("h3", {}, "What catches it"), h("p", {}, mistake.check[0].toUpperCase() + mistake.check.slice(1)),
    mistake.tutorial && h("p", { class: "soft small" }, `Page ${Number(mistake.tutorial.slice(0, 2))} of the tutorial has the right equation: `, h("code", {}, `docs/tutorial/${mistake.tutorial}.md`), ", or, after ", h("code", {}, "make docs"), ", ", h("code", {}, `build/docs/tutorial/${mistake.tutorial}.html`), "."),
  ];
}

export function mountMistakes(root, given, keep, mistakes) {
  const settings = given.size ? given : new URLSearchParams(kept);
  const known = (name) => mistakes.find((each) => each.name === name);
  let mistake = known(settings.get("mistake"));
  let stopping = false; // Stop was pressed since the pair was asked for
  const pair = contest();
  const pictures = gallery(mistakes, choose);
  const heading = h("h2", { tabindex: -1 });
  const unknown = h("p", { role: "alert", hidden: Boolean(mistake) || !settings.has("mistake") }, `There is no mistake called ${settings.get("mistake")}. Choose one by its curve.`);
  const words = h("div", { class: "words" });
  const inputs = Object.fromEntries(Object.entries(FIELDS).map(([name, [, how]]) => [name, h("input", { ...how, onchange: () => remember() })]));
  const others = h("p", { class: "soft small" });
  const start = h("button", { class: "main", onclick: run }, "Run both");
  const stop = h("button", { onclick: halt }, "Stop");
  const choice = h("details", { class: "card choice", open: !mistake }, h("summary", {}, "Choose a mistake by what it looks like"), pictures.element);
  const chosen = h("div", { class: "columns" },
    h("section", { class: "card", "aria-label": "The mistake" }, heading, words),
    h("section", { class: "card", "aria-label": "The runs" },
      h("h2", {}, "Settings"),
      h("div", { class: "fields" }, Object.entries(inputs).map(([name, input]) => h("label", {}, FIELDS[name][0], input))),
      others, h("div", { class: "row" }, start, stop)));

  root.append(
    h("p", { class: "lede" }, "A common mistake in hand-written networks, in one run, beside a run without it. Both train on the same digits from the same initial weights; only the mistake differs."),
    unknown,
    choice, chosen, pair.element);

  function show(given) {
    chosen.hidden = !mistake;
    pictures.mark(mistake?.name);
    if (!mistake) return;
    heading.textContent = title(mistake.name);
    words.replaceChildren(...describe(mistake));
    const rest = Object.entries(mistake.settings).filter(([name]) => !(name in FIELDS) && name !== "validation");
    others.textContent = `Also: 8×8 digits, ${rest.map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(value)}`).join(", ")}; `
      + `${Math.round(100 * mistake.settings.validation)} % of the training images are held out.`;
    for (const [name, input] of Object.entries(inputs)) {
      const own = mistake.settings[name] ?? "";
      input.value = given.get(name) ?? (Array.isArray(own) ? own.join(", ") : own);
    }
    inputs.hidden.disabled = !("hidden" in mistake.settings); // a mistake of convolutions has other layers
    inputs.from.disabled = mistake.from_the_start;
    if (mistake.from_the_start) inputs.from.value = "";
  }

  function choose(name) {
    mistake = known(name);
    unknown.hidden = true;
    pair.hide();
    show(new URLSearchParams(inputs.from.value && { from: inputs.from.value }));
    remember();
    choice.open = false;
    heading.focus();
  }

  const changeable = () => SETTINGS.filter((name) => !inputs[name].disabled);

  function remember(runs = {}) {
    const query = new URLSearchParams({ mistake: mistake.name });
    for (const name of changeable()) {
      if (String(read(name, inputs[name].value)) !== String(mistake.settings[name])) query.set(name, inputs[name].value);
    }
    if (inputs.from.value) query.set("from", inputs.from.value);
    for (const [side, name] of Object.entries(runs)) query.set(side, name);
    kept = String(query);
    keep(query);
  }

  async function run() {
    if (start.getAttribute("aria-disabled")) return;
    start.setAttribute("aria-disabled", "true");
    stopping = false;
    clear();
    pair.hide();
    try {
      const asked = Object.fromEntries(changeable().map((name) => [name, read(name, inputs[name].value)]));
      const later = inputs.from.value ? Number(inputs.from.value) : null;
      const begun = await startPair({ mistake: mistake.name, settings: asked, mistakes_from: later }, () => stopping);
      if (!begun) {
        notice("Stopped while the pair was starting.");
        return;
      }
      remember(begun);
      await pair.begin(begun);
    } catch (error) {
      notice(error.message.replace("mistakes_from:", `${FIELDS.from[0]}:`));
    } finally {
      start.removeAttribute("aria-disabled");
    }
  }

  function halt() {
    stopping = true;
    stopRuns(pair.names()).catch((error) => notice(error.message));
  }

  show(settings);
  if (mistake && !given.size) keep(settings);
  if (mistake && settings.has("planted") && settings.has("cured")) pair.begin({ planted: settings.get("planted"), cured: settings.get("cured") });
  return () => {
    stopping = true; // a pair that is still being started has nobody to watch it
    pair.close();
  };
}
