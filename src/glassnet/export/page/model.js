// The model of this page: its networks, how pixels become their inputs, and what their outputs are called.

import { KINDS } from "./layers.js";

// The float32 numbers of base64 text, whose bytes are little-endian float32, or float16 where that holds them exactly.
function unpacked({ type, numbers }) {
  const text = atob(numbers);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return type === "float32" ? new Float32Array(bytes.buffer) : Float32Array.from(new Uint16Array(bytes.buffer), wider);
}

// A float16 by its bits (IEEE 754).
function wider(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

// The layers of each network, with their numbers by name.
function networksOf(layers, members, weights) {
  const kinds = ["parameters", "statistics"].map((kind) => ({ kind, numbers: unpacked(weights[kind]), start: 0 }));
  return Array.from({ length: members }, () => layers.map((layer) => {
    const own = { ...layer };
    for (const from of kinds) {
      for (const [name, length] of Object.entries(layer[from.kind])) {
        own[name] = from.numbers.subarray(from.start, from.start + length);
        from.start += length;
      }
    }
    return own;
  }));
}

export class Model {
  // description: what glassnet.export wrote, see html_file.py.
  constructor({ classes, form, layers, members, doubt, weights }) {
    Object.assign(this, { classes, form });
    this.steps = weights.map(({ step }) => step); // of the training; the last is null, the model as it was kept
    const known = new Map();
    this.use = (n) => {
      if (!known.has(n)) known.set(n, networksOf(layers, members, weights[n]));
      this.networks = known.get(n);
      this.doubt = n === weights.length - 1 ? doubt : null; // which is calibrated for the model that was kept
    };
    this.use(weights.length - 1);
  }

  // Pixels (h·w), 0 … 255, as the network is given them.
  inputs(pixels) {
    const { scale, shift } = this.form;
    return Float32Array.from(pixels, (pixel) => pixel * scale + shift);
  }

  // What goes into the first layer of a network, and what comes out of each: the last are the logits.
  outputs(x, network = this.networks[0]) {
    const outputs = [x];
    for (const layer of network) outputs.push(KINDS[layer.layer].forward(outputs.at(-1), layer));
    return outputs;
  }

  // The probability of each class, of several networks the mean, from the outputs of each.
  probabilities(outputs) {
    const each = outputs.map((own) => softmax(own.at(-1)));
    return this.classes.map((_, i) => each.reduce((sum, own) => sum + own[i], 0) / each.length);
  }

  // The same for pixels (h·w).
  predictProba(pixels) {
    const x = this.inputs(pixels);
    return this.probabilities(this.networks.map((network) => this.outputs(x, network)));
  }

  // ∂z/∂x of the logit z of a class, for what `outputs` returned.
  inputGradient(outputs, target, network) {
    let dy = new Float32Array(this.classes.length);
    dy[target] = 1;
    network.forEach((_, i) => {
      const at = network.length - 1 - i;
      dy = KINDS[network[at].layer].backward(dy, network[at], outputs[at], outputs[at + 1]);
    });
    return dy;
  }

  // How little an image is like the classes, 0 to 1, from the outputs of the first network; null if that cannot be told.
  // The same measure as glassnet.doubt's.
  howDoubtful(outputs) {
    if (!this.doubt) return null;
    const logits = outputs.at(-1);
    const largest = Math.max(...logits);
    const energy = largest + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0));
    let [score, at] = [this.doubt.bias, 0];
    for (const i of this.doubt.layers) for (const value of outputs[i]) score += value * this.doubt.weights[at++];
    score += energy * this.doubt.weights[at] + largest * this.doubt.weights[at + 1];
    return 1 / (1 + Math.exp(Math.min(Math.max(score, -50), 50)));
  }
}

export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (z) => Math.exp(z - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
