// The units of a network, layer by layer, and what each of them is connected with. A layer of units is one that takes sums
// or a pool, together with what follows it number by number. In a convolution a unit is a filter at a place. Names are
// those of glassnet.explain.

const HEADS = {
  Dense: "dense", Conv2D: "convolution", MaxPool2D: "max pool", AveragePool2D: "average pool", GlobalAveragePool2D: "average pool",
};
const NOTHING_CHANGES = ["Dropout", "Flatten", "Reshape", "SpatialDropout2D"];

// [{ name, kind, shape, steps }]: the input first, the output last. steps are the indices of the network's layers whose
// results are shown, the first the sum or the pool itself; head is the network's layer that does these.
export function unitLayers(model) {
  const { networks: [network], form } = model;
  const starts = network.flatMap(({ layer }, i) => (layer in HEADS ? [i] : []));
  const found = [-1, ...starts].map((start, n) => {
    const end = starts[n] ?? network.length;
    const steps = [];
    for (let i = Math.max(start, 0); i < end; i++) if (!NOTHING_CHANGES.includes(network[i].layer)) steps.push(i);
    const kind = start < 0 ? "input" : HEADS[network[start].layer];
    return { kind, steps, name: kind, shape: start < 0 ? [form.height, form.width, 1] : network[start].output, get head() { return model.networks[0][start]; } };
  });
  for (const kinds of [["dense", "convolution"], ["max pool", "average pool"]]) {
    const own = found.filter(({ kind }) => kinds.includes(kind));
    own.forEach((layer, n) => { layer.name = `${kinds[0] === "dense" ? "hidden layer" : "pool"} ${n + 1}`; });
  }
  found.at(-1).name = "output";
  return found;
}

// Where a unit is, in words that count from 1.
export function place({ kind, shape }, unit) {
  if (shape.length === 1) return `unit ${unit + 1}`;
  const [, width, channels] = shape;
  const where = `row ${Math.floor(unit / channels / width) + 1}, column ${(Math.floor(unit / channels) % width) + 1}`;
  return kind === "input" ? where : `filter ${(unit % channels) + 1}, ${where}`;
}

// What goes into a unit: [{ from, weight }], by index in the layer below. The weights of a maximum are null.
export function incoming({ kind, head, shape }, unit) {
  if (kind === "input") return [];
  const units = shape.at(-1);
  if (kind === "dense") return Array.from({ length: head.W.length / units }, (_, i) => ({ from: i, weight: head.W[i * units + unit] }));
  const { window, input: [h, w, channels] } = head;
  const channel = unit % units;
  const across = shape.length === 3 ? shape[1] : 1;
  const [row, column] = [Math.floor(unit / units / across), Math.floor(unit / units) % across];
  const found = [];
  for (let u = 0; u < window.height; u++) {
    for (let v = 0; v < window.width; v++) {
      const [y, x] = [row * window.stride - window.top + u, column * window.stride - window.left + v];
      if (y < 0 || y >= h || x < 0 || x >= w) continue;
      const at = (y * w + x) * channels;
      if (kind === "convolution") {
        for (let c = 0; c < channels; c++) {
          found.push({ from: at + c, weight: head.W[((u * window.width + v) * channels + c) * units + channel] });
        }
      } else {
        found.push({ from: at + channel, weight: kind === "max pool" ? null : 1 / (window.height * window.width) });
      }
    }
  }
  return found;
}

// Where a unit's activation goes: [{ to, weight }], by index in the layer above.
export function outgoing(above, unit) {
  if (above.kind === "dense") {
    const units = above.shape[0];
    return Array.from({ length: units }, (_, to) => ({ to, weight: above.head.W[unit * units + to] }));
  }
  const { window, input: [, w, channels] } = above.head;
  const units = above.shape.at(-1);
  const [down, across] = above.shape.length === 3 ? above.shape : [1, 1];
  const [row, column, channel] = [Math.floor(unit / channels / w), Math.floor(unit / channels) % w, unit % channels];
  const found = [];
  for (let i = 0; i < down; i++) {
    for (let j = 0; j < across; j++) {
      const [u, v] = [row + window.top - i * window.stride, column + window.left - j * window.stride];
      if (u < 0 || u >= window.height || v < 0 || v >= window.width) continue;
      const at = (i * across + j) * units;
      if (above.kind === "convolution") {
        for (let f = 0; f < units; f++) found.push({ to: at + f, weight: above.head.W[((u * window.width + v) * channels + channel) * units + f] });
      } else {
        found.push({ to: at + channel, weight: above.kind === "max pool" ? null : 1 / (window.height * window.width) });
      }
    }
  }
  return found;
}
