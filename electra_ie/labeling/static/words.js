/* The words of a text, by which the cursor moves and selections grow. In scripts without blanks each character is one, and
so is each punctuation mark; a number with its separators is one, such as 1,200.00 and 03/04/2021. */

const UNSPACED = '\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3005-\\u3007\\u3040-\\u30ff\\u3100-\\u312f\\u31f0-\\u31ff'
  + '\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\uff66-\\uff9f\\u{20000}-\\u{323af}';
const MARKS = '[\\p{M}\\p{Cf}\\ufe0f\\u{1f3fb}-\\u{1f3ff}]', LETTER = `(?![${UNSPACED}])[\\p{L}\\p{N}]`;
const SEPARATOR = "(?<=\\p{N})[.,:/'\\u2019\\-](?=\\p{N})";
const WORD = new RegExp(`${LETTER}(?:${LETTER}|${MARKS}|${SEPARATOR})*|\\S(?:\\u200d\\S|${MARKS})*`, 'gu');

/** Return the words of a text (CodePoints) as `{start, end}` in code points. */
export function wordsOf(points) {
  const found = [];
  for (const match of points.text.matchAll(WORD)) {
    found.push({start: points.point(match.index), end: points.point(match.index + match[0].length)});
  }
  return found;
}

/** Return the smallest range of whole words that contains a range; null if it has only blanks. */
export function snapped(words, range) {
  const inside = words.filter(word => word.start < range.end && range.start < word.end);
  return inside.length ? {start: inside[0].start, end: inside.at(-1).end} : null;
}

/** Return a range without blanks at its edges; null if nothing is left. */
export function trimmed(points, range) {
  let {start, end} = range;
  while (start < end && /^\s$/u.test(points.slice(start, start + 1))) start++;
  while (start < end && /^\s$/u.test(points.slice(end - 1, end))) end--;
  return start < end ? {start, end} : null;
}
