// Watch a run as it goes, or afterwards: its curves, its weights, its layers, and what it takes for what.
// #watch?run=a&run=b: the first run is looked into; the curves of the others are laid over its own.
// &true=4&predicted=9: the cell of the confusion matrix whose images are shown.

import { h } from "../../shared/dom.js";
import { follow } from "../../shared/follow.js";
import { count, percent, seconds } from "../../shared/format.js";
import { notice } from "../../shared/notice.js";
import { steering } from "../../shared/steer.js";
import { timeline } from "../../shared/time.js";
import { ways } from "../../shared/ways.js";
import { confusion } from "./confusion.js";
import { curves } from "./curves.js";
import { inside } from "./inside.js";
import { list } from "./list.js";
import { managing } from "./manage.js";
import { own } from "./own.js";

const MOST = 4; // runs together: a browser has six connections to a server, and each run that goes keeps one

export async function mount(root, settings, keep) {
  let names = [...new Set(settings.getAll("run"))].slice(0, MOST);
  let by = settings.get("by") ?? "step";
  let followed = []; // in the order of the names
  let parts = []; // what shows the inside of the first
  let title = null; // what shows how it stands, once that is known
  let absent = false; // whether the first is not there
  let time = null; // which moment of the first is shown
  let asked = settings.get("step"); // of the address, until it is shown
  let differences = false; // whether changes are shown
  let cell = settings.has("true") || settings.has("predicted") ? [settings.get("true") ?? "", settings.get("predicted") ?? ""] : null; // that is open

  const places = {
    list: h("section", { class: "card", "aria-label": "Runs" }),
    head: h("section", { class: "card head", hidden: true }),
    curves: h("section", { class: "card", hidden: true }),
    time: h("section", { class: "card time", "aria-label": "Time", hidden: true }),
    inside: h("div", { class: "columns", hidden: true }),
    confusion: h("div", { hidden: true }),
    own: h("div", { class: "own", hidden: true }),
  };
  const within = [places.curves, places.inside, places.confusion, places.own];
  root.append(h("h1", {}, "Watch it learn"), ...Object.values(places));

  const drawn = curves(places.curves, by, (chosen) => { by = chosen; address("replaceState"); });
  const runs = list(places.list, {
    choose(name) {
      if (name !== names[0]) cell = null;
      show([name, ...names.slice(1).filter((other) => other !== name)], "pushState");
    },
    toggle(name) {
      if (absent) show([name], "pushState");
      else if (!names.includes(name) && names.length === MOST) notice(`At most ${MOST} runs can be compared. Remove one first.`);
      else if (!names.includes(name)) show([...names, name], "replaceState");
      else if (names.length > 1) show(names.filter((other) => other !== name), "replaceState");
      runs.show(names);
    },
    heard(there) {
      const known = (name) => there.some((run) => run.name === name);
      if (names.length === 0) {
        if (there.length) show([(there.find((run) => run.state === "running") ?? there[0]).name], "replaceState");
      } else if (!known(names[0])) {
        if (!absent) miss();
      } else if (!followed.length) {
        const missing = names.filter((name) => !known(name));
        if (missing.length) notice(`${missing.join(", ")}: no such run; it may have been renamed, moved or deleted.`);
        show(names.filter(known), "replaceState"); // each once, and those that there are
      }
    },
  });

  function address(how) {
    const query = new URLSearchParams(names.map((name) => ["run", name]));
    if (by !== "step") query.set("by", by);
    const step = asked ?? time?.step() ?? null;
    if (step !== null) query.set("step", step);
    if (cell) {
      query.set("true", cell[0]);
      query.set("predicted", cell[1]);
    }
    keep(query, how);
  }

  function show(wanted, how) {
    const another = followed[0]?.name !== wanted[0];
    const kept = new Map(followed.map((run) => [run.name, run]));
    if (another) {
      for (const name of [followed[0]?.name, wanted[0]]) { // who comes first is followed in another way than the others
        kept.get(name)?.close();
        kept.delete(name);
      }
    }
    names = wanted;
    followed = names.map((name, i) => kept.get(name) ?? follow(name, i === 0, heard));
    for (const run of kept.values()) if (!followed.includes(run)) run.close();
    if (how) address(how);
    absent = false;
    runs.show(names);
    for (const place of [places.head, ...within]) place.hidden = false;
    if (another) begin(h("p", { class: "soft" }, "Reading …"));
    drawn.show(followed);
  }

  // Another run comes first, or none: what is there of the one before goes.
  function begin(words) {
    parts.forEach((part) => part.close());
    parts = [];
    time?.close();
    time = null;
    places.time.hidden = true;
    title = null;
    places.head.replaceChildren(h("h2", {}, names[0]), words);
    places.inside.replaceChildren();
    places.confusion.replaceChildren();
    places.own.replaceChildren();
  }

  function heard(run, what) {
    if (what === "gone") return lose(run);
    const first = run === followed[0];
    if (first && what === "facts" && !title) open(run);
    if (first) title?.update(run);
    if (first && what === "facts") {
      time?.update(run.facts);
      parts.forEach((part) => part.more?.(run.facts.snapshots));
    }
    if (first && what === "model") parts.forEach((part) => part.again());
    if (followed.includes(run) && what !== "model" && what !== "lost") drawn.show(followed);
  }

  function open(run) {
    title = heading(places.head, run, { stepped: () => time?.differ(), renamed: (name) => show([name, ...names.slice(1)], "replaceState") });
    const path = `/api/runs/${encodeURIComponent(run.name)}`;
    const { data, validation } = run.facts.config;
    let why = null;
    if (data === "") why = "This run learned from arrays in memory, so there are no images of it to show.";
    else if (validation === 0) why = "This run keeps no validation images (validation = 0), so there are none to show.";
    const opened = (classes) => { cell = classes; address("replaceState"); };
    parts = [inside(places.inside, path, why), confusion(places.confusion, run.name, path, why, cell, opened), own(places.own, path, run.name)];
    time = timeline(places.time, { show: moment, changes: (are) => { differences = are; } });
    time.update(run.facts);
    const wanted = asked;
    asked = null;
    if (wanted !== null && !time.place(wanted)) address("replaceState"); // without a step that is not there
  }

  // A step of the past, or with null what is now.
  async function moment(step) {
    drawn.mark(step);
    title.mark(step);
    address("replaceState");
    await Promise.all(parts.map((part) => part.show(step, differences)));
  }

  function lose(run) {
    if (run === followed[0]) {
      miss();
    } else {
      show(names.filter((name) => name !== run.name), "replaceState");
      notice(`${run.name}: its folder was deleted or moved.`);
    }
    runs.look().catch(() => {});
  }

  function miss() {
    absent = true;
    followed.forEach((run) => run.close());
    followed = [];
    names = names.slice(0, 1);
    runs.show([]);
    begin(h("p", { role: "alert" }, "The folder of this run is not there: it was deleted or moved. Choose another run above."));
    places.head.hidden = false;
    for (const place of within) place.hidden = true;
  }

  const leave = () => {
    runs.close();
    followed.forEach((run) => run.close());
    parts.forEach((part) => part.close());
    time?.close();
    drawn.close();
  };
  try {
    await runs.look();
  } catch (error) {
    leave();
    throw error;
  }
  return leave;
}

const STATES = {
  running: "running",
  paused: "paused",
  stopped: "stopped; it can be resumed",
  finished: "finished",
  broken: "broken by the mistake that was planted in it",
};

const ONWARD = [["draw", "Draw with this network"], "network", "map", "step"];

function heading(root, { name }, { stepped, renamed }) {
  const title = h("h2", { tabindex: -1 }, name);
  const steer = steering((facts) => steer.update(facts), title, stepped);
  const manage = managing(name, renamed);
  const state = h("span", { class: "state", "aria-live": "polite" });
  const line = h("p", { class: "soft" });
  const bar = h("progress", { "aria-label": "Steps taken" });
  const result = h("p", { class: "result" });
  const progress = h("div", { class: "row split" }, h("div", {}, line, bar), result);
  const about = h("p", { class: "small soft" });
  const links = ways(ONWARD, name);
  root.replaceChildren(
    h("div", { class: "row" }, title, state, manage.element),
    progress,
    steer.element,
    about,
    h("p", { class: "ways" }, links),
  );
  // A past step goes along. The links stay, as one of them may be under the hand while it plays.
  function mark(step) {
    for (const [i, { href }] of ways(ONWARD, name, { step }).entries()) links[i].href = href;
  }

  function update({ facts, rows, steps, lost }) {
    const last = steps.at(-1) ?? rows.at(-1);
    const words = lost ? "connection lost, trying again …" : STATES[facts.state] ?? facts.state;
    if (state.textContent !== words) state.textContent = words;
    steer.update(facts);
    manage.update(facts);
    state.className = `state ${lost ? "lost" : facts.state}`;
    progress.hidden = facts.state === "unreadable";
    const total = facts.total_steps;
    line.textContent = last ? `Epoch ${Math.min(facts.state === "finished" ? facts.epoch : last.epoch, facts.epochs)} of ${facts.epochs} · step ${count(last.step)}${total ? ` of ${count(total)}` : ""} · ${seconds(last.seconds)} of training` : "No step taken yet.";
    bar.max = total ?? facts.epochs ?? 1;
    bar.value = total ? last?.step ?? 0 : facts.epoch;
    const best = facts.validation_accuracy ?? facts.accuracy;
    const of = facts.validation_accuracy == null ? "training" : "validation";
    if (best == null) result.replaceChildren(h("span", { class: "small soft" }, "No epoch is complete yet."));
    else result.replaceChildren(h("strong", {}, percent(best)), h("span", { class: "small soft" }, ` of the ${of} images, in the best epoch`));
    const { hidden = [], layers = [], optimizer, batch_size: batch } = facts.config;
    about.textContent = facts.error ?? facts.ended ?? [facts.data || "arrays in memory", facts.recipe && `recipe ${facts.recipe}`, hidden.length && `layers of ${hidden.join(", ")} units`, layers.length && `layers ${layers.join(", ")}`, optimizer, batch && `batches of ${batch}`, facts.members > 1 && `an ensemble of ${facts.members} networks`, facts.mistakes?.length && `mistakes: ${facts.mistakes.join(", ")}`, facts.damaged].filter(Boolean).join(" · ");
  }

  return { mark, update };
}
