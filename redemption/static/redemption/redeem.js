// Groups a code while it is typed or pasted, as it is printed on the card. The server accepts any spelling, so this
// changes nothing but how it looks; what is no code, a link for instance, is left alone.
const field = document.getElementById("code");
const SEPARATORS = /[\s\-\u00ad\u200b-\u200f\u2010-\u2015\u2060\u2212\ufeff]/g;

function shapes() {
  const chosen = document.querySelector("input[name=account]:checked") || field;
  return (chosen.dataset.shapes || "").split(" ").filter(Boolean).map((shape) => {
    const [prefix, length, group, anyCase] = shape.split(":");
    return { prefix, length: Number(length), group: Number(group), anyCase: anyCase === "i" };
  });
}

// null: not of this shape.
function grouped(symbols, { prefix, length, group, anyCase }) {
  const written = anyCase ? symbols.toUpperCase() : symbols;
  if (prefix && prefix.startsWith(written.toUpperCase())) return written;
  const hasPrefix = prefix && written.toUpperCase().startsWith(prefix);
  const body = hasPrefix ? written.slice(prefix.length) : written;
  if (body.length > length) return null;
  const groups = body.match(new RegExp(`.{1,${group}}`, "g")) || [];
  return (hasPrefix ? [written.slice(0, prefix.length), ...groups] : groups).join("-");
}

function tidy() {
  const typed = field.value.normalize("NFKC");
  const symbols = typed.replace(SEPARATORS, "");
  if (!/^[a-z0-9]+$/i.test(symbols)) return;
  for (const shape of shapes()) {
    const shown = grouped(symbols, shape);
    if (shown === null) continue;
    if (shown === field.value) return;
    // The caret stays behind the symbol that it was behind.
    const before = field.value.slice(0, field.selectionStart).normalize("NFKC").replace(SEPARATORS, "").length;
    field.value = shown;
    let place = 0;
    for (let seen = 0; seen < before && place < shown.length; place++) if (shown[place] !== "-") seen++;
    field.setSelectionRange(place, place);
    return;
  }
}

// An input method is left alone until its word is whole.
field.addEventListener("input", (event) => event.isComposing || tidy());
field.addEventListener("compositionend", tidy);
for (const account of document.querySelectorAll("input[name=account]")) account.addEventListener("change", tidy);
