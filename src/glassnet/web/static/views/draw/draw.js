// Draw a digit, and see at every stroke what the network makes of it.

import { get, post, postImage } from "../../shared/api.js";
import { drawing, paper } from "./brush.js";
import { h } from "../../shared/dom.js";
import { moments } from "../../shared/moments.js";
import { notice } from "../../shared/notice.js";
import { ways } from "../../shared/ways.js";
import { answerCard, evidenceCard, insideCard, seenCard } from "./cards.js";
import { galleryCard } from "./gallery.js";

const DIGITS = [..."0123456789"];
const BETTER = "The bundled model, which is there by default, and those trained on MNIST see more.";
const OFTEN = 5000; // ms: how often it is looked which runs there are

export function mount(root, settings, keepAddress) {
  let run = settings.get("run");
  let runs = [];
  let listedOnce = false;
  let classes = null;
  let turn = 0; // counts up whenever the drawing is another one, so that an answer still under way is no longer wanted
  let stroking = false; // a stroke is under way
  let asking = false;
  let left = false; // whether another view is shown
  let again = false;
  let boxes = []; // of several digits that were read

  const canvas = h("canvas", {
    class: "paper", tabindex: "0", role: "application", "aria-label": "Paper to draw a digit on", "aria-describedby": "how",
  });
  const file = h("input", { type: "file", accept: "image/*", onchange: () => lay(file.files[0]) });
  const label = h("select", { "aria-label": "The digit that you drew" });
  const keep = h("button", { onclick: keepIt }, "Keep it");
  const model = h("select", { onchange: () => choose(model.value) });
  const time = moments(() => {
    address();
    return ask();
  });
  const result = answerCard(BETTER);
  const onward = h("p", { class: "ways", hidden: true });
  result.card.append(onward, h("div", { class: "keep row" }, h("span", {}, "That was a"), label, keep));
  const seen = seenCard();
  const evidence = evidenceCard();
  const inside = insideCard();
  const gallery = galleryCard({
    run: () => run,
    classes: () => classes,
    async opened(name) {
      await loadRuns().catch(() => {}); // else there would be no such run yet
      if (left) return;
      choose(name);
      model.value = name;
    },
  });

  root.append(
    h("div", { class: "row head" },
      h("h1", {}, "Draw a digit"),
      h("label", { class: "model" }, "Model", model)),
    time.element,
    h("div", { class: "desk" },
      h("div", { class: "stack" },
        h("section", { class: "card", "aria-label": "Drawing" },
          canvas,
          h("div", { class: "row" },
            h("button", { onclick: () => { drawing.undo(); changed(true); } }, "Undo"),
            h("button", { onclick: () => { drawing.clear(); changed(true); } }, "Clear"),
            h("label", { class: "button" }, "Open a picture", file)),
          h("p", { class: "soft small", id: "how" },
            "Draw with mouse, pen or finger, or drop or paste a picture. ",
            h("span", { class: "by-keys" },
              "With keys: the arrows move, Space puts the pen down and lifts it, Backspace undoes, Delete clears."))),
        seen.card),
      h("div", { class: "stack" }, result.card, evidence.card, inside.card)),
    gallery.card,
  );

  const sheet = paper(canvas, drawing, ask, () => boxes);

  function changed(done) {
    sheet.repaint();
    ask(done);
  }

  // One question at a time: a stroke asks as often as answers come, and what was drawn last is always answered.
  async function ask(done = true) {
    keep.disabled = drawing.empty;
    stroking = !done;
    result.busy(stroking || !drawing.empty);
    if (drawing.empty) {
      turn++;
      show({ empty: true, classes: classes ?? DIGITS, why: "" });
      return;
    }
    if (run !== null && listedOnce && !runs.some(({ name }) => name === run)) { // one line, not one for each stroke
      show({ empty: true, classes: classes ?? DIGITS, why: `There is no run called ${run}; choose another model above.` });
      result.busy(false);
      return;
    }
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    do {
      again = false;
      await one();
    } while (again && !drawing.empty);
    asking = false;
    result.busy(stroking);
  }

  // A late answer is shown until a newer one comes, also where the same run has a newer network by then.
  async function one() {
    const asked = turn;
    const query = new URLSearchParams(named());
    const wanted = () => asked === turn && String(query) === String(new URLSearchParams(named()));
    try {
      const answer = await postImage(`/api/draw${query.size ? "?" : ""}${query}`, await drawing.picture());
      if (wanted()) show(answer);
    } catch (error) {
      if (wanted()) show({ empty: true, classes: classes ?? DIGITS, why: error.message });
    }
  }

  function show(answer) {
    if (String(classes) !== String(answer.classes)) {
      classes = answer.classes;
      label.replaceChildren(...classes.map((name) => h("option", {}, name)));
    }
    if (!answer.empty && document.activeElement !== label) label.value = answer.answer;
    for (const part of [result, seen, evidence, inside]) part.show(answer);
    onward.hidden = answer.empty || Boolean(answer.reading);
    onward.replaceChildren(...ways([["network", "See it unit by unit"], ["step", "One training step on it"]], run, { image: "drawing", step: time.step() }), ...ways([["map", "On a map of images"]], run, { step: time.step() }));
    boxes = drawing.empty ? [] : (answer.reading?.digits ?? []).map(({ box }) => drawing.onSheet(box));
    keep.disabled = drawing.empty || Boolean(answer.reading); // several digits are no image of one
    sheet.repaint();
  }

  async function lay(picture) {
    if (!picture) return;
    try {
      await drawing.lay(picture);
    } catch {
      notice("This browser cannot read that file as a picture. Try a PNG, JPEG, GIF, BMP or WebP.");
      return;
    }
    turn++;
    changed(true);
    canvas.scrollIntoView({ block: "nearest" });
  }

  async function keepIt() {
    const where = run === null ? "/api/drawings" : `/api/drawings?run=${encodeURIComponent(run)}`;
    keep.disabled = true;
    try {
      await post(where, { image: await inBase64(await drawing.picture()), label: label.value });
      notice(`Kept as ${label.value}.`);
      drawing.clear();
      changed(true);
      await gallery.look();
    } catch (error) {
      keep.disabled = false;
      notice(error.message);
    }
  }

  function choose(name) {
    run = name === "" ? null : name;
    time.of(run);
    address();
    ask();
  }

  // The network in hand, as an address and the server name it.
  const named = () => ({ ...(run !== null && { run }), ...(time.step() !== null && { step: time.step() }) });
  const address = () => keepAddress(new URLSearchParams(named()));

  async function loadRuns() {
    const found = await get("/api/runs");
    if (JSON.stringify(found) === JSON.stringify(runs) && model.options.length) return;
    runs = found;
    listedOnce = true;
    if (document.activeElement === model && model.options.length) return; // it may be open
    const names = runs.map(({ name }) => name);
    if (run !== null && !names.includes(run)) names.unshift(run);
    model.replaceChildren(
      h("option", { value: "" }, "The default model"),
      ...names.map((name) => h("option", { value: name }, training(name) ? `${name} (in training)` : name)),
    );
    model.value = run ?? "";
  }

  const training = (name) => runs.some((other) => other.name === name && other.state === "running");

  const clock = setInterval(() => {
    if (!document.hidden) Promise.all([loadRuns(), gallery.seek()]).catch(() => {}); // a server that is gone says so when it is asked something
  }, OFTEN);

  const whole = {
    paste: (event) => lay([...event.clipboardData.files].find(({ type }) => type.startsWith("image/"))),
    dragover: (event) => event.preventDefault(),
    drop(event) {
      event.preventDefault();
      lay(event.dataTransfer.files[0]);
    },
    keydown(event) {
      if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      drawing.undo();
      changed(true);
    },
  };
  for (const [name, handle] of Object.entries(whole)) document.addEventListener(name, handle);

  if (run === null) ask();
  const listed = loadRuns().finally(async () => { // by then it is known whether the run is there
    if (run === null) return;
    if (runs.some(({ name }) => name === run)) await time.of(run, settings.get("step"));
    address();
    ask();
  });
  Promise.all([listed, gallery.look(), gallery.seek()]).catch((error) => notice(error.message));
  return () => {
    left = true;
    turn++;
    again = false;
    clearInterval(clock);
    time.close();
    gallery.close();
    sheet.close();
    for (const [name, handle] of Object.entries(whole)) document.removeEventListener(name, handle);
  };
}

async function inBase64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
