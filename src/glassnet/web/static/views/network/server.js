// The server as a source of what source.js describes.

import { get, postImage } from "../../shared/api.js";

const AT_ONCE = 64; // units in a question

// The network has learned on since the numbers came; they have to be asked for again.
export class Outdated extends Error {}

export function floats(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

const query = (run, step, more) => new URLSearchParams({ ...(run && { run }), ...(step !== null && { step }), ...more });

// What each unit gives, at a step or with null now. image: { of: "test" or "validation", number }, or a drawing's { blob }.
export async function lookAt(run, step, image) {
  const answer = image.blob
    ? await postImage(`/api/network?${query(run, step)}`, image.blob)
    : await get(`/api/network?${query(run, step, { image: image.number, of: image.of })}`);
  const layers = answer.layers.map((layer) => ({ ...layer, steps: layer.steps.map(({ name, values }) => ({ name, values: floats(values) })) }));
  const known = new Map(); // connections by layer and unit

  function check({ version }) {
    if (version !== answer.version) throw new Outdated("the network has learned on");
  }

  async function units(level, indices) {
    const wanted = indices.filter((unit) => !known.has(`${level} ${unit}`));
    for (let i = 0; i < wanted.length; i += AT_ONCE) {
      const some = wanted.slice(i, i + AT_ONCE);
      const found = await get(`/api/network/units?${query(run, step, { layer: level, units: some.join() })}`);
      check(found);
      some.forEach((unit, j) => known.set(`${level} ${unit}`, read(found.units[j])));
    }
    return indices.map((unit) => known.get(`${level} ${unit}`));
  }

  async function top(level, unit) {
    const found = await get(`/api/network/top?${query(run, step, { layer: level, unit })}`);
    check(found);
    return found;
  }

  return { ...answer, key: answer.version, layers, units, top };
}

const read = ({ weights, output_weights: outputWeights, ...rest }) => ({
  ...rest, weights: weights && floats(weights), outputWeights: outputWeights && floats(outputWeights),
});

// Where images lie on a map. known: a map of the same run, which has their pixels already.
export async function mapOf(run, step, method, known) {
  const answer = await get(`/api/map?${query(run, step, { method, pixels: !known })}`);
  const images = known ? known.points.map(({ image }) => image) : imagesOf(answer);
  const places = floats(answer.coordinates);
  return {
    ...answer,
    points: answer.labels.map((label, i) => ({
      x: places[2 * i], y: places[2 * i + 1], label, prediction: answer.predictions[i], image: images[i],
    })),
  };
}

function imagesOf({ pixels, labels, height, width }) {
  const bytes = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
  const start = (i, row) => (i * height + row) * width;
  return labels.map((_, i) => Array.from({ length: height }, (__, row) => [...bytes.subarray(start(i, row), start(i, row + 1))]));
}

export async function placeOf(run, step, method, blob) {
  const { place: [x, y], prediction, image } = await postImage(`/api/map?${query(run, step, { method })}`, blob);
  return { x, y, prediction, image };
}
