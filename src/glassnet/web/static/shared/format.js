// Numbers as people read them.

export const percent = (share, digits = 1) => (share == null ? "–" : `${(100 * share).toFixed(digits)} %`);
export const number = (value, digits = 3) => (value == null ? "–" : Number(value).toPrecision(digits));
export const count = (value) => (value == null ? "–" : Math.round(value).toLocaleString("en"));
export const seconds = (value) => (value < 90 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`);
