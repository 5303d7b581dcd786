// Colours as they look in drawings: what is called "black" hair is not #000000.
const COLOURS = {
  aqua: "#35c9c2",
  beige: "#e6d3b3",
  black: "#2b2730",
  blonde: "#f3cf6b",
  blue: "#3d7be8",
  brown: "#85543a",
  cyan: "#35c4dc",
  gold: "#d9a827",
  gray: "#9a9da6",
  green: "#45b25a",
  grey: "#9a9da6",
  magenta: "#d83fa8",
  orange: "#f28a2e",
  pink: "#f58fb8",
  purple: "#8d58d6",
  red: "#de3b40",
  silver: "#c6cbd4",
  teal: "#1f9a8e",
  violet: "#7d5be0",
  white: "#fbfbfd",
  yellow: "#f6d532",
};

// A CSS colour for a choice, or null where its name is no colour.
export const colourOf = (choice) => COLOURS[choice.toLowerCase()] ?? null;
