/**
 * What the page does besides being read: searches and filters the samples. Without it all of them are shown. Written for browsers, so
 * without types; it touches nothing but the `hidden` and `open` of elements that are there, and texts of its own.
 */
export const searchScript = `
(() => {
  const form = document.getElementById("sample-search");
  if (!form) return;
  const words = document.getElementById("sample-words");
  const kind = document.getElementById("sample-kind");
  const status = document.getElementById("sample-count");
  const same = document.getElementById("same-samples");
  const samples = Array.from(document.querySelectorAll("[data-sample]"), (element) => ({
    element,
    text: element.textContent.toLowerCase(),
    kinds: element.dataset.sample.split(" "),
  }));
  const show = () => {
    const wanted = words.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    let shownSame = 0;
    for (const { element, text, kinds } of samples) {
      const fits = (kind.value === "all" || kinds.includes(kind.value)) && wanted.every((word) => text.includes(word));
      element.hidden = !fits;
      if (fits) shown += 1;
      if (fits && same && same.contains(element)) shownSame += 1;
    }
    if (same && (wanted.length > 0 || kind.value !== "all")) same.open = shownSame > 0;
    status.textContent = shown + " of " + samples.length + " samples";
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", show);
  form.hidden = false;
  show();
})();
`;
