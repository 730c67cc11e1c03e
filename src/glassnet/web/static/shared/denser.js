// What a line of training is drawn from: the live rows of its steps, which come four times a second, or, of a run that was
// quicker than that, its reports at the end of each epoch after the first of those rows.

export const denser = (steps, rows) => (steps.length >= rows.length ? steps : [...steps.slice(0, 1), ...rows]);
