// Choose, start, and hold in one's hand: a run of one's own. The address keeps what was chosen and which run it became.

import { events, get, post } from "../../shared/api.js";
import { chart } from "../../shared/chart.js";
import { h } from "../../shared/dom.js";
import { follower } from "../draw/follower.js";
import { quoted, settingsForm } from "./form.js";
import { count, number, percent, seconds } from "../../shared/format.js";
import { denser } from "../../shared/denser.js";
import { notice } from "../../shared/notice.js";
import { choosePace, paceField, steering } from "../../shared/steer.js";

const WAIT = 250; // milliseconds after a key before the settings are looked at
const STATES = {
  running: "Running",
  paused: "Paused",
  stopped: "Stopped; nothing is lost",
  finished: "Finished",
  broken: "Broken by a planted mistake",
  unreadable: "Unreadable",
};

export async function mount(root, settings, keep) {
  const options = await get("/api/options");
  const panel = runPanel(options.runs, keepAddress);
  const drawn = follower(() => panel.name() ?? null, panel.going);
  let timer = null;
  let asked = 0;

  const form = settingsForm(options, settings, changed);
  const train = command("The same on the command line");
  const begin = h("button", { class: "main" }, "Start");
  const pace = paceField(changed);
  const summary = h("p", { class: "summary small", "aria-live": "polite" });
  const element = h("form", { class: "card", novalidate: true, onsubmit: start, "aria-label": "What to train" },
    h("h2", {}, "What to train"), form.element,
    train.element,
    h("div", { class: "begin" }, summary,
      h("div", { class: "row" }, begin, h("button", { value: "paused" }, "Start paused"), h("label", { class: "pace" }, "Pace", pace))));
  root.append(
    h("div", {}, h("h1", {}, "Train"),
      h("p", { class: "soft" }, "Choose settings, start a run, and control it step by step. The address keeps your settings, so a link can be shared.")),
    h("div", { class: "columns" }, element, h("div", { class: "stack" }, drawn.element, panel.element)));

  function changed() {
    keepAddress();
    clearTimeout(timer);
    timer = setTimeout(() => check().catch((error) => form.complain(error.message)), WAIT);
  }

  function keepAddress() {
    const kept = form.address();
    if (pace.value) kept.set("pace", pace.value);
    if (panel.name()) kept.set("run", panel.name());
    keep(kept);
    train.show(form.command());
  }

  const order = () => ({ ...form.order(), pace: pace.value ? Number(pace.value) : null });

  // What the settings come to, or what is wrong with them; an answer that is out of date is not shown.
  async function check() {
    const mine = ++asked;
    const answer = await post("/api/settings", order());
    if (mine === asked) {
      const wrong = [answer.error, ...(answer.others ?? [])].filter(Boolean);
      form.complain(...wrong);
      if (!answer.error) form.suggest(answer.settings);
      summary.textContent = answer.error ? `${wrong.length === 1 ? "One thing is" : `${wrong.length} things are`} wrong with these settings.` : inShort(answer);
      summary.classList.toggle("wrong", Boolean(answer.error));
    }
    return !answer.error;
  }

  async function start(event) {
    event.preventDefault();
    if (element.getAttribute("aria-busy")) return;
    const paused = event.submitter?.value === "paused";
    clearTimeout(timer);
    element.setAttribute("aria-busy", "true");
    begin.textContent = "Starting …";
    try {
      if (!(await check())) {
        element.querySelector("[aria-invalid]")?.focus();
        return;
      }
      const { name } = await post("/api/runs", { ...order(), paused });
      panel.show(name);
      keepAddress();
    } catch (error) {
      form.complain(error.message);
    } finally {
      element.removeAttribute("aria-busy");
      begin.textContent = "Start";
    }
  }

  if (settings.has("pace")) {
    const steps = Number(settings.get("pace"));
    if (steps > 0 && steps < Infinity) choosePace(pace, steps);
    else notice(`The pace “${settings.get("pace").slice(0, 20)}” is not a number of steps a second, so it is full speed.`);
  }
  await check();
  train.show(form.command());
  await panel.find(settings.get("run"));
  return () => {
    clearTimeout(timer);
    drawn.close();
    panel.close();
  };
}

// What the settings come to, in a line.
function inShort({ network, parameters, settings }) {
  const { optimizer, learning_rate: rate, batch_size: batch, epochs, members } = settings;
  const images = batch === "all" ? "all images per step" : `batches of ${count(batch)}`;
  const several = members > 1 ? `${members} networks of ` : "";
  return `${several}${network.join(", ")} · ${count(parameters)} parameters · ${optimizer}, learning rate ${number(rate, 2)} · ${images} · ${count(epochs)} ${epochs === 1 ? "epoch" : "epochs"}`;
}

// A run: what it does now, the hand on it, and how it has gone so far.
function runPanel(folder, changed) {
  let run = null;
  let steps = [];
  let rows = [];
  let end = () => {};

  const title = h("h2", { tabindex: -1 }, "Your run");
  const state = h("p", { class: "state", "aria-live": "polite" }, "No run yet. Start one and control it here.");
  const wrong = h("p", { class: "wrong", role: "alert" });
  const steer = steering(update, title);
  const facts = h("dl", { class: "facts" });
  const watch = h("a", {}, "Look inside while it trains");
  const resume = command("Once stopped, it can go on from the shell");
  const curves = { loss: h("div"), accuracy: h("div") };
  const charts = {
    loss: chart(curves.loss, { title: "Loss", x: "step", y: "nats", height: 240 }),
    accuracy: chart(curves.accuracy, { title: "Accuracy", x: "step", y: "share of images", percent: true, height: 240 }),
  };
  const there = h("div", { class: "there", hidden: true },
    steer.element, wrong, facts, curves.loss, curves.accuracy, watch, resume.element);
  const element = h("section", { class: "card", "aria-label": "The run" }, title, state, there);
  document.addEventListener("visibilitychange", draw);

  function update(more) {
    run = { ...run, ...more };
    if (state.textContent !== STATES[run.state]) state.textContent = STATES[run.state];
    steer.update(run);
    wrong.textContent = run.ended ?? run.error ?? "";
    resume.element.hidden = !["running", "paused", "stopped"].includes(run.state);
    tellFacts();
  }

  function tellFacts() {
    const validated = rows.at(-1);
    const known = (row) => Object.fromEntries(Object.entries(row ?? {}).filter(([, value]) => value != null));
    const [older, newer] = (steps.at(-1)?.step ?? 0) < (validated?.step ?? 0) ? [steps, rows] : [rows, steps];
    const last = { ...known(older.at(-1)), ...known(newer.at(-1)) };
    const shown = {
      Step: `${count(last.step ?? 0)} of ${count(run.total_steps)}`,
      Epoch: `${count(run.epoch ?? 0)} of ${count(run.epochs)} done`,
      Time: seconds(last.seconds ?? run.seconds ?? 0),
      Loss: number(last.loss),
      Accuracy: percent(last.accuracy),
      "On validation images": percent(validated?.validation_accuracy),
      "Learning rate": number(last.learning_rate),
      Speed: last.images_per_second ? `${count(last.images_per_second)} images/s` : "–",
    };
    facts.replaceChildren(...Object.entries(shown).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  function draw() {
    if (document.hidden || !run) return;
    const line = (name, of, key) => {
      const seen = of.filter((row) => row[key] != null);
      return { name, x: seen.map((row) => row.step), y: seen.map((row) => row[key]) };
    };
    charts.loss.draw([line("training", denser(steps, rows), "loss"), line("validation", rows, "validation_loss")]);
    const learned = steps.some((row) => row.accuracy != null) ? steps : rows;
    charts.accuracy.draw([line("training", denser(learned, rows), "accuracy"), line("validation", rows, "validation_accuracy")]);
  }

  // A run that goes on from a checkpoint may tell some steps again.
  const joined = (known, more) => [...known.filter((row) => row.step < more[0].step), ...more];

  function follow(name) {
    end();
    [run, steps, rows] = [{ name, state: "running", steered: true }, [], []];
    title.textContent = name;
    there.hidden = false;
    watch.href = `#watch?run=${encodeURIComponent(name)}`;
    resume.show(`glassnet resume ${quoted(`${folder}/${name}`)}`);
    update({});
    end = events(`/api/runs/${encodeURIComponent(name)}/events`, {
      run: update,
      rows(more) {
        rows = joined(rows, more);
        tellFacts();
        draw();
      },
      steps(more) {
        steps = joined(steps, more);
        tellFacts();
        draw();
      },
      gone: leave,
    }, () => { state.textContent = "The server does not answer; trying again …"; });
  }

  function leave() {
    end();
    notice(`The run ${run.name} is gone: its folder was renamed, moved or deleted.`);
    run = null;
    there.hidden = true;
    state.textContent = "No run any more: its folder was renamed, moved or deleted.";
    changed();
  }

  return {
    element,
    name: () => run?.name,
    going: () => run?.state === "running" || run?.state === "paused",
    show(name) {
      follow(name);
      steer.focus();
    },
    // A run that the address names, if there still is one; otherwise one that goes, which was begun here.
    async find(name) {
      const runs = await get("/api/runs");
      const found = runs.find((known) => (name ? known.name === name : known.steered));
      name ??= found?.name;
      if (!name) return;
      if (found) {
        follow(name);
        update(found);
      } else notice(`There is no run ${name} here any more.`);
    },
    close() {
      end();
      document.removeEventListener("visibilitychange", draw);
      Object.values(charts).forEach((each) => each.close());
    },
  };
}

// A line for the shell, and a button that copies it.
function command(title) {
  const line = h("code");
  const copy = h("button", { type: "button", class: "quiet", "aria-label": "Copy this command", onclick: take }, "Copy");

  async function take() {
    try {
      await navigator.clipboard.writeText(line.textContent);
      notice("Copied.");
    } catch {
      getSelection().selectAllChildren(line);
      notice("Selected; copy it with your keyboard.");
    }
  }

  return {
    element: h("div", { class: "command" }, h("h3", {}, title), h("div", { class: "row" }, line, copy)),
    // A line breaks before a flag, never within one.
    show(words) {
      line.replaceChildren(...words.split(" --").flatMap((part, i) => (i ? [" ", h("span", {}, `--${part}`)] : [h("span", {}, part)])));
    },
  };
}
