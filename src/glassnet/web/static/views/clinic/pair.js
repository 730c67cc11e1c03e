// Two runs that differ in a mistake alone: started, and stopped.

import { post } from "../../shared/api.js";

export const stopRuns = (names) => Promise.all(names.map((name) => post(`/api/runs/${encodeURIComponent(name)}/stop`)));

// Start both, and return their names, or null where `stopped()` says meanwhile that they are no longer wanted: what has
// been started by then is stopped again.
export async function startPair(asked, stopped) {
  const both = await post("/api/clinic/pair", asked);
  const begun = {};
  const undo = () => stopRuns(Object.values(begun)).catch(() => {});
  try {
    for (const side of ["planted", "cured"]) {
      if (!stopped()) begun[side] = (await post("/api/runs", both[side])).name;
    }
  } catch (error) {
    await undo();
    throw error;
  }
  if (!stopped()) return begun;
  await undo();
  return null;
}
