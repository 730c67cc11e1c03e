// Asks the server whenever there is something new to ask for, but for about a tenth of the time at most, since what it
// works out takes time from the training beside it.

const SHARE = 0.1;
const LONGEST = 4000; // ms of rest, however busy the server is; an answer that takes longer than this is followed by all of its rest

// What a path has behind it for a step of the past, or for now.
export const at = (step) => (step === null ? "" : `?step=${step}`);

// ask: async (signal) => …; failed: told the Error. `again` says that there is something new.
export function asking(ask, failed, least = 500) {
  const aborter = new AbortController();
  let wanted = false;
  let busy = false;

  async function go() {
    if (busy || !wanted || document.hidden || aborter.signal.aborted) return;
    [busy, wanted] = [true, false];
    const start = performance.now();
    try {
      await ask(aborter.signal);
    } catch (error) {
      if (!aborter.signal.aborted) failed(error);
    }
    const taken = performance.now() - start;
    const rest = taken > LONGEST ? taken / SHARE : Math.min(taken / SHARE, LONGEST);
    setTimeout(() => { busy = false; go(); }, Math.max(least, rest));
  }

  document.addEventListener("visibilitychange", go, { signal: aborter.signal });
  return {
    again() { wanted = true; go(); },
    close: () => aborter.abort(),
  };
}
