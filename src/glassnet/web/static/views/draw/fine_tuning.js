// A fine-tuning that was asked for. It goes on while another view is shown, and whoever comes back finds it.

import { get, post } from "../../shared/api.js";

const LOOK = 700; // ms: how often a run under way is asked for

let present = null; // until its result has been shown

export const underWay = () => present;
export const forget = () => { present = null; };

// A path of the server, asked of a run, or with null of the default model.
export const where = (place, name) => (name === null ? place : `${place}?run=${encodeURIComponent(name)}`);

// from: the run that it starts from, or null for the default model. What is returned is a task: words: how it stands;
// name: of the run, once it has begun; told(): called when one of them is new, by whoever sets it; result: a promise of the
// scores { before, after }.
export function fineTune(from) {
  const task = { words: "Measuring, then starting …", name: null, told() {} };
  task.result = go(task, from);
  present = task;
  return task;
}

async function go(task, from) {
  const before = await get(where("/api/drawings/score", from));
  if (before.why) throw new Error(before.why);
  task.name = (await post(where("/api/drawings/train", from))).name;
  const state = await ended(task);
  if (state !== "finished") throw new Error(`${task.name} is ${state}; see it in Watch.`);
  return { before, after: await get(where("/api/drawings/score", task.name)) };
}

// The state of its run once it goes no longer.
async function ended(task) {
  for (;;) {
    const facts = await get(`/api/runs/${encodeURIComponent(task.name)}`);
    if (facts.state !== "running" && facts.state !== "paused") return facts.ended ?? facts.state;
    task.words = `Fine-tuning: epoch ${Math.min(facts.epoch + 1, facts.epochs)} of ${facts.epochs} …`;
    task.told();
    await new Promise((done) => setTimeout(done, LOOK));
  }
}
