// What the modules of this folder look at: one image's way through a network, as an object with a small interface.
//
//   classes         names
//   image           rows of gray values 0 … 255
//   probabilities   one for each class
//   layers          [{ name, kind, shape, steps: [{ name, values: Float32Array }] }], the input first, the output last.
//                   kind: input, dense, convolution, max pool or average pool. shape: [units], or [height, width, filters];
//                   a unit's index counts from 0 through it, the last part fastest. steps: what each gives, a sum or a pool
//                   and then what follows it number by number; the last are the activations.
//   units(layer, [index, …])   a promise of what each is connected with: { inputs, weights, bias, outputs, outputWeights,
//                   normalisation }. inputs: indices into the layer below, null for all of it; weights: null for the largest
//                   of them; normalisation: { mean, deviation, gamma, beta } by the place of the step.
//   top(layer, index)          a promise of { images, labels, activations, of }, the images that excite it most; may be absent.
//
// Where the numbers come from, a server or the page itself, is not these modules' business.

export const activations = (layer) => layer.steps.at(-1).values;

export const sizeOf = (layer) => layer.shape.reduce((product, length) => product * length, 1);

const isImage = (layer) => layer.shape.length === 3;

// Four decimals, no zeros at the end, a true minus: as `glassnet explain` prints numbers.
export const exact = (value) => {
  const rounded = Number(value.toFixed(4));
  return String(rounded === 0 ? 0 : rounded).replace("-", "−");
};

// Where a unit is, in words that count from 1.
export function placeName(layer, unit) {
  if (!isImage(layer)) return `unit ${unit + 1}`;
  const [, width, filters] = layer.shape;
  const [row, column] = [Math.floor(unit / filters / width) + 1, (Math.floor(unit / filters) % width) + 1];
  return layer.kind === "input" ? `row ${row}, column ${column}` : `filter ${(unit % filters) + 1}, row ${row}, column ${column}`;
}

export function unitName(source, level, unit) {
  const layer = source.layers[level];
  if (level === source.layers.length - 1) return `Output for ${source.classes[unit]}`;
  if (layer.kind === "input") return `Pixel, ${placeName(layer, unit)}`;
  return `${layer.name[0].toUpperCase()}${layer.name.slice(1)}, ${placeName(layer, unit)}`;
}

// A unit's terms, the largest first: [{ input, value, weight, term }], where input is an index into the layer below. Of a
// maximum the term is the value, the winner first.
export function termsOf(source, level, connections) {
  if (level === 0) return [];
  const below = activations(source.layers[level - 1]);
  const { inputs, weights } = connections;
  const terms = Array.from({ length: inputs?.length ?? below.length }, (_, i) => {
    const input = inputs ? inputs[i] : i;
    const [value, weight] = [below[input], weights ? weights[i] : null];
    return { input, value, weight, term: weight === null ? value : value * weight };
  });
  return terms.sort(weights ? (a, b) => Math.abs(b.term) - Math.abs(a.term) : (a, b) => b.term - a.term);
}

// What a unit hands on, the largest first: [{ output, weight, term }].
export function givenBy(source, level, unit, connections) {
  if (level === source.layers.length - 1) return [];
  const value = activations(source.layers[level])[unit];
  const { outputs, outputWeights } = connections;
  const count = outputs?.length ?? sizeOf(source.layers[level + 1]);
  const given = Array.from({ length: count }, (_, i) => {
    const weight = outputWeights ? outputWeights[i] : null;
    return { output: outputs ? outputs[i] : i, weight, term: weight === null ? value : value * weight };
  });
  return given.sort((a, b) => Math.abs(b.term) - Math.abs(a.term));
}

// The indices of the units with the largest activations in size, at most so many.
export function strongest(layer, most) {
  const values = activations(layer);
  return Array.from(values.keys()).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, most);
}
