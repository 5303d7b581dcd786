// Recipes to JSON and back without losing a digit: seeds go to 2^63 - 1, JavaScript's numbers to
// 2^53. An integer that a number cannot hold is a BigInt.

const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const MARK = "avatargan-integer:";
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, "g");

/** Read JSON that may hold seeds. */
export function parseRecipes(text) {
  const marked = text.replace(STRING_OR_LONG_INTEGER, (token) =>
    token.startsWith('"') ? token : `"${MARK}${token}"`,
  );
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && /^avatargan-integer:-?\d+$/.test(value)
      ? exact(value.slice(MARK.length))
      : value,
  );
}

/** Write such JSON, BigInts as plain integers. */
export function stringifyRecipes(value) {
  const text = JSON.stringify(value, (_, part) =>
    typeof part === "bigint" ? `${MARK}${part}` : part,
  );
  return text.replace(MARKED, "$1");
}

/** An integer as a number where that is exact, as a BigInt otherwise. */
export function exact(integer) {
  const whole = BigInt(integer);
  return whole <= Number.MAX_SAFE_INTEGER && whole >= Number.MIN_SAFE_INTEGER
    ? Number(whole)
    : whole;
}
