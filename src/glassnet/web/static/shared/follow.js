// A run as it goes: its facts, its rows (one an epoch) and its steps (up to four a second), told to `heard` as they come.
// A page that nobody sees closes its stream, and goes on from the same place when it is seen again.

import { events } from "./api.js";

export const isGoing = (facts) => facts?.state === "running" || facts?.state === "paused";

// `stay`: whether to listen on to a run that does not go, as it may be resumed; a browser has few connections.
export function follow(name, stay, heard) {
  const run = { name, facts: null, rows: [], steps: [], model: null, gone: false, lost: false, close: leave };
  let place = "";
  let end = () => {};

  function tell(what) {
    run.lost = false;
    heard(run, what);
  }

  function open() {
    end();
    end = events(`/api/runs/${encodeURIComponent(name)}/events?after=${place}`, {
      run: (facts) => { run.facts = facts; tell("facts"); },
      rows: (rows, id) => { run.rows.push(...rows); place = id; tell("rows"); },
      steps: (steps, id) => { run.steps.push(...steps); place = id; tell("steps"); },
      model: (model, id) => { run.model = model; place = id; tell("model"); },
      now: () => { if (!stay && !isGoing(run.facts)) end(); },
      gone: () => { run.gone = true; leave(); heard(run, "gone"); },
    }, () => { run.lost = true; heard(run, "lost"); });
  }

  function see() {
    if (document.hidden) end();
    else open();
  }

  function leave() {
    document.removeEventListener("visibilitychange", see);
    end();
  }

  document.addEventListener("visibilitychange", see);
  if (!document.hidden) open();
  return run;
}
