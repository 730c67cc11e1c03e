// What each kind of layer does with one example, a row of numbers; images are laid out row by row, channels last. The
// equations are those of glassnet.nn when it predicts.
//
//   forward(x, layer)            returns y
//   backward(dy, layer, x, y)    returns ∂L/∂x, given dy = ∂L/∂y
//
// A layer has its input's and output's shape, `input` and `output`, its parameters by name, and its settings.

const size = (shape) => shape.reduce((a, b) => a * b, 1);
const same = (x) => x;

// z = x W + b, with W (inputs, units).
const dense = {
  forward(x, { W, b }) {
    const units = b.length;
    const z = Float64Array.from(b);
    for (let i = 0; i < x.length; i++) {
      const value = x[i];
      if (value === 0) continue;
      for (let j = 0, at = i * units; j < units; j++) z[j] += value * W[at + j];
    }
    return Float32Array.from(z);
  },
  backward(dz, { W, b }, x) {
    const units = b.length;
    const dx = new Float32Array(x.length);
    for (let i = 0; i < x.length; i++) {
      let sum = 0;
      for (let j = 0, at = i * units; j < units; j++) sum += dz[j] * W[at + j];
      dx[i] = sum;
    }
    return dx;
  },
};

// Calls visit(place, under) for each place of the window, where under(each) calls each(i, k) for the numbers of the image
// that lie under it: i, where the first channel lies in the image, and k, which of the window's numbers it is.
function slide({ input, output, window }, visit) {
  const [h, w, channels] = input;
  const [down, across] = output.length === 3 ? output : [1, 1];
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      visit(row * across + column, (each) => {
        const [top, left] = [row * window.stride - window.top, column * window.stride - window.left];
        for (let u = 0; u < window.height; u++) {
          if (top + u < 0 || top + u >= h) continue;
          for (let v = 0; v < window.width; v++) {
            if (left + v < 0 || left + v >= w) continue;
            each(((top + u) * w + left + v) * channels, u * window.width + v);
          }
        }
      });
    }
  }
}

// The dense layer's sum at each place of a window, with W (height, width, channels, filters).
const convolution = {
  forward(x, layer) {
    const { W, b, input: [, , channels] } = layer;
    const filters = b.length;
    const y = new Float32Array(size(layer.output));
    const z = new Float64Array(filters);
    slide(layer, (place, under) => {
      z.set(b);
      under((i, k) => {
        for (let c = 0; c < channels; c++) {
          const value = x[i + c];
          if (value === 0) continue;
          for (let f = 0, at = (k * channels + c) * filters; f < filters; f++) z[f] += value * W[at + f];
        }
      });
      y.set(z, place * filters);
    });
    return y;
  },
  backward(dz, layer, x) {
    const { W, b, input: [, , channels] } = layer;
    const filters = b.length;
    const dx = new Float32Array(x.length);
    const lively = new Int32Array(filters); // the filters that have a gradient here: after a pool they are few
    slide(layer, (place, under) => {
      let some = 0;
      for (let f = 0; f < filters; f++) if (dz[place * filters + f]) lively[some++] = f;
      if (!some) return;
      under((i, k) => {
        for (let c = 0; c < channels; c++) {
          const at = (k * channels + c) * filters;
          let sum = 0;
          for (let n = 0; n < some; n++) sum += dz[place * filters + lively[n]] * W[at + lively[n]];
          dx[i + c] += sum;
        }
      });
    });
    return dx;
  },
};

const maxPool = {
  forward(x, layer) {
    const channels = layer.input[2];
    const y = new Float32Array(size(layer.output)).fill(-Infinity);
    slide(layer, (place, under) => under((i) => {
      for (let c = 0, at = place * channels; c < channels; c++) if (x[i + c] > y[at + c]) y[at + c] = x[i + c];
    }));
    return y;
  },
  // All of dy goes to the first of the largest numbers.
  backward(dy, layer, x, y) {
    const channels = layer.input[2];
    const dx = new Float32Array(x.length);
    const left = Float32Array.from(dy);
    slide(layer, (place, under) => under((i) => {
      for (let c = 0, at = place * channels; c < channels; c++) {
        if (!left[at + c] || x[i + c] !== y[at + c]) continue;
        dx[i + c] += left[at + c];
        left[at + c] = 0;
      }
    }));
    return dx;
  },
};

const averagePool = {
  forward(x, layer) {
    const channels = layer.input[2];
    const share = 1 / (layer.window.height * layer.window.width);
    const sums = new Float64Array(size(layer.output));
    slide(layer, (place, under) => under((i) => {
      for (let c = 0; c < channels; c++) sums[place * channels + c] += share * x[i + c];
    }));
    return Float32Array.from(sums);
  },
  backward(dy, layer, x) {
    const channels = layer.input[2];
    const share = 1 / (layer.window.height * layer.window.width);
    const dx = new Float32Array(x.length);
    slide(layer, (place, under) => under((i) => {
      for (let c = 0; c < channels; c++) dx[i + c] += share * dy[place * channels + c];
    }));
    return dx;
  },
};

// y = (x − μ) / √(v + ε) · γ + β, with the running mean and variance of training; of images by channel.
const normalise = {
  forward(x, { running_mean: mean, running_variance: variance, gamma, beta, epsilon }) {
    return x.map((value, i) => {
      const c = i % gamma.length;
      return ((value - mean[c]) / Math.sqrt(variance[c] + epsilon)) * gamma[c] + beta[c];
    });
  },
  backward(dy, { running_variance: variance, gamma, epsilon }) {
    return dy.map((value, i) => (value * gamma[i % gamma.length]) / Math.sqrt(variance[i % gamma.length] + epsilon));
  },
};

// a = f(z) number by number, and f′ from z and a.
const each = (f, slope) => ({
  forward: (z, layer) => z.map((value) => f(value, layer)),
  backward: (da, layer, z, a) => da.map((value, i) => value * slope(z[i], a[i], layer)),
});

const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBE = 0.044715;
const bend = (z) => Math.tanh(GELU_SCALE * (z + GELU_CUBE * z ** 3));

const bias = {
  forward: (x, { b }) => x.map((value, i) => value + b[i]),
  backward: same,
};

const unchanged = { forward: same, backward: same };

export const KINDS = {
  Dense: dense,
  Conv2D: convolution,
  MaxPool2D: maxPool,
  AveragePool2D: averagePool,
  GlobalAveragePool2D: averagePool,
  BatchNorm: normalise,
  Reshape: unchanged,
  Flatten: unchanged,
  Dropout: unchanged, // while predicting
  SpatialDropout2D: unchanged,
  Bias: bias,
  ReLU: each((z) => Math.max(z, 0), (z, a) => (a > 0 ? 1 : 0)),
  LeakyReLU: each((z, { slope }) => Math.max(z, slope * z), (z, a, { slope }) => (a > 0 ? 1 : slope)),
  GELU: each(
    (z) => 0.5 * z * (1 + bend(z)),
    (z) => 0.5 * (1 + bend(z)) + 0.5 * z * (1 - bend(z) ** 2) * GELU_SCALE * (1 + 3 * GELU_CUBE * z * z),
  ),
  Sigmoid: each((z) => 0.5 * (1 + Math.tanh(0.5 * z)), (z, a) => a * (1 - a)),
  Tanh: each(Math.tanh, (z, a) => 1 - a * a),
};
