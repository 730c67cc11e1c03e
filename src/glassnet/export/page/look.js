// What the model makes of a drawing: the same answer as the page of `glassnet serve` gets from its server, worked out here.

import { framePicture } from "./framing/framing.js";

// Evidence is input times gradient: by how much, to first order, the ink of a pixel raised (> 0) or lowered the score of a
// class (Shrikumar, Greenside, Shcherbina and Kundaje, Not Just a Black Box, 2016).
export function look(model, gray) {
  const { classes, form } = model;
  let pixels;
  try {
    pixels = framePicture(gray, form);
  } catch (error) {
    return { empty: true, classes, why: error.message };
  }
  const x = model.inputs(pixels);
  const ground = model.inputs([form.dark_on_light ? 255 : 0])[0];
  const outputs = model.networks.map((network) => model.outputs(x, network));
  const probabilities = model.probabilities(outputs);
  const order = [...classes.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const evidence = (target) => {
    const sums = new Float64Array(x.length);
    model.networks.forEach((network, n) => {
      model.inputGradient(outputs[n], target, network).forEach((slope, i) => { sums[i] += ((x[i] - ground) * slope) / outputs.length; });
    });
    return rows(sums, form.width);
  };
  return {
    empty: false,
    classes,
    prepared: rows(pixels, form.width),
    probabilities,
    answer: classes[order[0]],
    runner_up: classes[order[1]],
    doubt: model.howDoubtful(outputs[0]),
    reading: null,
    evidence: evidence(order[0]),
    runner_up_evidence: evidence(order[1]),
    outputs: outputs[0],
  };
}

export const rows = (values, width) =>
  Array.from({ length: values.length / width }, (_, y) => Array.from(values.subarray(y * width, (y + 1) * width)));
