// The form of a report: counts serial numbers as they are typed or scanned, says at once which lines are none, and lets
// a barcode reader's Enter send nothing.
const form = document.querySelector("[data-report]");
const field = form.querySelector("[data-serials] textarea");
const counted = form.querySelector("[data-counted]");
const bad = form.querySelector("[data-bad]");

const MOST = 100000;
const FIRST = 1000000000;
const NUMBER = "(\\d(?:[ .]?\\d){9})";
const RANGE = new RegExp(`^${NUMBER}\\s*(?:[-\\u2010-\\u2015:…]|\\.\\.+|to|until|bis)\\s*${NUMBER}$`, "i");

const serial = (text) => {
  const digits = text.replace(/[\s._\-\u2010-\u2015]/g, "");
  return /^\d{10}$/.test(digits) && Number(digits) >= FIRST ? Number(digits) : null;
};

// Of a part between commas: how many cards, how many ranges; null where it is no serial number.
const read = (part) => {
  if (!part) return [0, 0];
  const ends = RANGE.exec(part);
  if (ends) {
    const [first, last] = [ends[1], ends[2]].map((end) => Number(end.replace(/\D/g, "")));
    return first >= FIRST && first <= last ? [last - first + 1, 1] : null;
  }
  if (serial(part)) return [1, 0];
  const words = part.split(/\s+/);
  return words.every((word) => serial(word)) ? [words.length, 0] : null;
};

// Letters and digits in groups, or a long run of them: the server knows for sure, and takes it out.
const isLikeACode = (line) => {
  const plain = line.replace(/[^0-9A-Za-z]/g, "");
  return plain.length >= 8 && /[A-Za-z]/.test(plain) && (/\d/.test(plain) || plain === plain.toUpperCase());
};

const say = () => {
  let cards = 0;
  let ranges = 0;
  const wrong = [];
  field.value
    .normalize("NFKC")
    .split(/\r?\n/)
    .forEach((line, place) => {
      const parts = line.split(/[,;]/).map((part) => read(part.trim()));
      if (parts.includes(null)) {
        wrong.push([place + 1, isLikeACode(line)]);
        return;
      }
      for (const [count, range] of parts) {
        cards += count;
        ranges += range;
      }
    });
  const words = [`${cards.toLocaleString("en-GB")} card${cards === 1 ? "" : "s"}`];
  if (ranges) words.push(`${ranges} range${ranges === 1 ? "" : "s"}`);
  if (wrong.length) words.push(`${wrong.length} line${wrong.length === 1 ? "" : "s"} not read`);
  counted.textContent = `${words.join(", ")}.${cards > MOST ? " One report takes at most 100,000." : ""}`;
  counted.hidden = !field.value.trim();
  bad.replaceChildren(
    ...wrong.slice(0, 5).map(([number, isCode]) => {
      const item = document.createElement("li");
      item.textContent = isCode
        ? `Line ${number} looks like a code. Take it out: we only need the serial number.`
        : `Line ${number} is no serial number: it has ten digits.`;
      return item;
    }),
  );
  bad.hidden = !wrong.length;
  field.setAttribute("aria-invalid", String(wrong.some(([, isCode]) => isCode)));
};

let waits = 0;
field.addEventListener("input", () => {
  clearTimeout(waits);
  waits = setTimeout(say, 150);
});
if (field.value) say();

// A reader ends each scan with Enter. In a field of one line that would send the form: what looks like a serial number
// goes to the list of cards instead, wherever it was scanned.
form.addEventListener("keydown", (event) => {
  const input = event.target;
  if (event.key !== "Enter" || !input.matches("input:not([type=submit], [type=file], [type=checkbox])")) return;
  event.preventDefault();
  if (input.type !== "text" || !serial(input.value)) return;
  field.value = `${field.value}${field.value && !field.value.endsWith("\n") ? "\n" : ""}${input.value.trim()}\n`;
  input.value = "";
  say();
  field.focus();
});

// Times are those of whoever holds the telephone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  form.elements.zone.value = zone;
  form.querySelector("[data-zone]").textContent = zone;
}
