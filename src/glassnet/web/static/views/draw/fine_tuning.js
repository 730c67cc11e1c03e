// A fine-tuning that was asked for. It goes on while another view is shown, and whoever comes back finds it.

import { get, post } from "../../shared/api.js";

const LOOK = 700; // ms: how often a run under way is asked for

let present = null; // until its result has been shown

export const underWay = () => present;
export const forget = () => { present = null; };

// A path of the server, asked of a run, or with null of the default model.
export const where = (place, name, more = {}) => `${place}?${new URLSearchParams({ ...(name !== null && { run: name }), ...more })}`;

// from: the run that it starts from, or null for the default model. What is returned is a task: words: how it stands;
// name: of the run, once it has begun; opened: whether that was taken in hand; told(): called when one of these is new, by
// whoever sets it; result: a promise of the scores { before, after }.
export const fineTune = (from) => follow({ words: "Starting …", name: null, opened: false, told() {} }, async (task) => {
  task.name = (await post(where("/api/drawings/train", from))).name; // first, so that a reload does not lose it
});

// The task of a fine-tuning that goes and that this page does not know of, since it was loaded anew, or null.
export async function find() {
  if (present) return null;
  const { name } = await get("/api/drawings/train");
  if (name === null || present) return null;
  return follow({ words: "Fine-tuning …", name, opened: true, told() {} });
}

// begin(task): gives it the name of its run, where it has none yet.
function follow(task, begin) {
  present = task;
  task.result = outcome(task, begin);
  return task;
}

async function outcome(task, begin) {
  await begin?.(task);
  const state = await ended(task);
  if (state !== "finished") throw new Error(`${task.name} is ${state}; see it in Watch.`);
  return { after: await score(task.name), before: await score(task.name, { step: 0 }) };
}

async function score(name, more) {
  const found = await get(where("/api/drawings/score", name, more));
  if (found.why) throw new Error(found.why);
  return found;
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
