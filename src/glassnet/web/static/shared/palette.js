// The colours of lines and images: Okabe and Ito's, which the colour-blind can tell apart (2008), and the page's own.

export const LINES = [0, 1, 2, 3, 4, 5].map((i) => `curve-${i}`); // names for `colour`, light or dark as the page is
export const FOR = [0, 114, 178]; // what speaks for an answer, and positive weights: blue
export const AGAINST = [213, 94, 0]; // what speaks against it, and negative weights: vermillion

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
