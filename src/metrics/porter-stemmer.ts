/** A suffix, what stands in its place, and what must hold for the stem in front of it. */
type Rule = readonly [suffix: string, replacement: string, holds: (stem: string) => boolean];

const always = (): boolean => true;
const measureAbove0 = (stem: string): boolean => measure(stem) > 0;
const measureAbove1 = (stem: string): boolean => measure(stem) > 1;

const irregularForms: ReadonlyMap<string, string> = new Map([
  ["sky", "sky"],
  ["skies", "sky"],
  ["dying", "die"],
  ["lying", "lie"],
  ["tying", "tie"],
  ["news", "news"],
  ["innings", "inning"],
  ["inning", "inning"],
  ["outings", "outing"],
  ["outing", "outing"],
  ["cannings", "canning"],
  ["canning", "canning"],
  ["howe", "howe"],
  ["proceed", "proceed"],
  ["exceed", "exceed"],
  ["succeed", "succeed"],
]);

const pluralRules: readonly Rule[] = [
  ["sses", "ss", always],
  ["ies", "i", always],
  ["ss", "ss", always],
  ["s", "", always],
];

const step2Rules: readonly Rule[] = [
  ["ational", "ate", measureAbove0],
  ["tional", "tion", measureAbove0],
  ["enci", "ence", measureAbove0],
  ["anci", "ance", measureAbove0],
  ["izer", "ize", measureAbove0],
  ["bli", "ble", measureAbove0],
  ["alli", "al", measureAbove0],
  ["entli", "ent", measureAbove0],
  ["eli", "e", measureAbove0],
  ["ousli", "ous", measureAbove0],
  ["ization", "ize", measureAbove0],
  ["ation", "ate", measureAbove0],
  ["ator", "ate", measureAbove0],
  ["alism", "al", measureAbove0],
  ["iveness", "ive", measureAbove0],
  ["fulness", "ful", measureAbove0],
  ["ousness", "ous", measureAbove0],
  ["aliti", "al", measureAbove0],
  ["iviti", "ive", measureAbove0],
  ["biliti", "ble", measureAbove0],
  ["fulli", "ful", measureAbove0],
  // The "l" counts with the stem, so that "geologi" becomes "geolog" as "archaeologi" becomes "archaeolog".
  ["logi", "log", (stem) => measure(`${stem}l`) > 0],
];

const step3Rules: readonly Rule[] = [
  ["icate", "ic", measureAbove0],
  ["ative", "", measureAbove0],
  ["alize", "al", measureAbove0],
  ["iciti", "ic", measureAbove0],
  ["ical", "ic", measureAbove0],
  ["ful", "", measureAbove0],
  ["ness", "", measureAbove0],
];

const step4Rules: readonly Rule[] = [
  ["al", "", measureAbove1],
  ["ance", "", measureAbove1],
  ["ence", "", measureAbove1],
  ["er", "", measureAbove1],
  ["ic", "", measureAbove1],
  ["able", "", measureAbove1],
  ["ible", "", measureAbove1],
  ["ant", "", measureAbove1],
  ["ement", "", measureAbove1],
  ["ment", "", measureAbove1],
  ["ent", "", measureAbove1],
  ["ion", "", (stem) => (stem.endsWith("s") || stem.endsWith("t")) && measure(stem) > 1],
  ["ou", "", measureAbove1],
  ["ism", "", measureAbove1],
  ["ate", "", measureAbove1],
  ["iti", "", measureAbove1],
  ["ous", "", measureAbove1],
  ["ive", "", measureAbove1],
  ["ize", "", measureAbove1],
];

/**
 * The stem of one lower-case word. Every character other than a, e, i, o, u and y counts as a consonant, digits too. In time linear in
 * the word's length.
 *
 * Source: Porter, "An algorithm for suffix stripping", Program 14.3 (1980), as NLTK 3.10's `PorterStemmer` changes it in its default mode
 * NLTK_EXTENSIONS (nltk/stem/porter.py): "dying" gives "die", "ties" gives "tie", "enjoy" stays.
 */
export function porterStem(word: string): string {
  const irregular = irregularForms.get(word);
  if (irregular !== undefined) return irregular;
  if (word.length <= 2) return word;
  let stem = step1a(word);
  stem = step1b(stem);
  stem = step1c(stem);
  stem = step2(stem);
  stem = applyFirst(stem, step3Rules);
  stem = applyFirst(stem, step4Rules);
  stem = step5a(stem);
  return stem.endsWith("ll") && measure(stem.slice(0, -1)) > 1 ? stem.slice(0, -1) : stem;
}

function step1a(word: string): string {
  return word.length === 4 && word.endsWith("ies") ? word.slice(0, -1) : applyFirst(word, pluralRules);
}

function step1b(word: string): string {
  if (word.endsWith("ied")) return word.length === 4 ? word.slice(0, -1) : word.slice(0, -2);
  if (word.endsWith("eed")) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const suffix = ["ed", "ing"].find((ending) => word.endsWith(ending));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (!containsVowel(stem)) return word;
  if (stem.endsWith("at") || stem.endsWith("bl") || stem.endsWith("iz")) return `${stem}e`;
  if (endsDoubleConsonant(stem)) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsConsonantVowelConsonant(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  const last = word.length - 1;
  return word.endsWith("y") && last > 1 && isConsonant(word, last - 1) ? `${word.slice(0, last)}i` : word;
}

function step2(word: string): string {
  const beforeAlli = word.slice(0, -4);
  return word.endsWith("alli") && measure(beforeAlli) > 0
    ? applyFirst(`${beforeAlli}al`, step2Rules)
    : applyFirst(word, step2Rules);
}

function step5a(word: string): string {
  if (!word.endsWith("e")) return word;
  const stem = word.slice(0, -1);
  const count = measure(stem);
  return count > 1 || (count === 1 && !endsConsonantVowelConsonant(stem)) ? stem : word;
}

/** The first rule whose suffix the word has decides, also when its condition fails. */
function applyFirst(word: string, rules: readonly Rule[]): string {
  for (const [suffix, replacement, holds] of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return holds(stem) ? stem + replacement : word;
  }
  return word;
}

function isVowelLetter(letter: string | undefined): boolean {
  return letter === "a" || letter === "e" || letter === "i" || letter === "o" || letter === "u";
}

/** "y" is a consonant at the start of a word and after a vowel, so in a run of them every other one is. */
function isConsonant(word: string, index: number): boolean {
  let at = index;
  while (at > 0 && word[at] === "y") at -= 1;
  return !isVowelLetter(word[at]) !== ((index - at) % 2 === 1);
}

/** Porter's m: how often a vowel is followed by a consonant. */
function measure(stem: string): number {
  let count = 0;
  let afterConsonant = true;
  for (let i = 0; i < stem.length; i++) {
    const letter = stem[i];
    const consonant: boolean = letter === "y" ? i === 0 || !afterConsonant : !isVowelLetter(letter);
    if (consonant && !afterConsonant) count += 1;
    afterConsonant = consonant;
  }
  return count;
}

function containsVowel(stem: string): boolean {
  for (let i = 0; i < stem.length; i++) {
    // The first "y" that does not begin the word is itself a vowel or follows one.
    if (isVowelLetter(stem[i]) || (i > 0 && stem[i] === "y")) return true;
  }
  return false;
}

function endsDoubleConsonant(word: string): boolean {
  const last = word.length - 1;
  return last > 0 && word[last] === word[last - 1] && isConsonant(word, last);
}

/** Porter's *o: consonant, vowel, consonant other than w, x, y; NLTK adds words of one vowel and one consonant of any kind. */
function endsConsonantVowelConsonant(word: string): boolean {
  const last = word.length - 1;
  if (last === 1) return !isConsonant(word, 0) && isConsonant(word, 1);
  return (
    last > 1 &&
    isConsonant(word, last - 2) &&
    !isConsonant(word, last - 1) &&
    isConsonant(word, last) &&
    !/[wxy]$/.test(word)
  );
}
