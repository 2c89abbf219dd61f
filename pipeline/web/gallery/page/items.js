// The items, in columns as they were loaded; what is shown of them, in which order.
const Gallery = {};
const VERDICTS = ["", "neutral", "toned", "color"];
const STATUSES = ["done", "copied", "edited", "gone", "rejected", "skipped", "unsupported", "failed", "crashed", "vanished"];
const PROBLEMS = ["failed", "crashed"];
// What turns the direction of writing, breaks a line or cannot be seen is shown by its code.
const STEERS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const plain = text => text.replace(STEERS, each => "\\u" + each.charCodeAt(0).toString(16).padStart(4, "0"));
const part = id => document.getElementById(id);
const make = (tag, name, text) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};

const Items = (() => {
  let about = null, loaded = 0, pages = [], urls = null;
  const more = new Map(), waiting = new Map();
  const lower = [];

  Gallery.about = said => { about = said; };
  Gallery.rows = (number, columns) => { pages[number] = columns; loaded += columns.key.length; };
  Gallery.more = (number, details) => { more.set(number, details); };
  Gallery.pictures = data => { urls = data; };

  function script(name) {
    return new Promise((done, failed) => {
      const element = document.createElement("script");
      element.src = `data/${about.generation}/${name}.js`;
      element.onload = () => { element.remove(); done(); };
      element.onerror = () => { element.remove(); failed(new Error(name)); };
      document.head.append(element);
    });
  }

  // Pages come one after the other; the first is shown before the second is asked for.
  async function load(onPage) {
    const count = Math.ceil(about.total / about.rows);
    for (let number = 0; number < count; number++) {
      if (!pages[number]) await script(`rows-${number}`);
      onPage();
      await new Promise(done => setTimeout(done));
    }
  }

  async function details(item) {
    const number = Math.floor(item / about.more);
    if (!more.has(number)) {
      if (!waiting.has(number)) waiting.set(number, script(`more-${number}`).finally(() => waiting.delete(number)));
      await waiting.get(number);
    }
    const found = more.get(number)[item % about.more];
    return Review.on ? atServer(found, get(item, "key")) : found;
  }

  // The files of the archive are asked for by their keys.
  function atServer(found, key) {
    const side = (one, name) => one && { ...one, url: Review.picture(name, key) };
    return { ...found, before: side(found.before, "before"), after: side(found.after, "after") };
  }

  const get = (item, name) => pages[Math.floor(item / about.rows)][name][item % about.rows];
  const reason = item => pages[Math.floor(item / about.rows)].reasons[get(item, "reason")];
  const status = item => STATUSES[get(item, "status")] || "?";
  const small = item => lower[item] ??= (get(item, "key") + "\n" + reason(item)).toLowerCase();
  const url = name => !name ? "" : urls ? urls[name] || "" : "thumbs/" + name;
  const pixels = item => get(item, "width") * get(item, "height");

  function passes(item, wanted) {
    const decision = Decisions.of(get(item, "key"));
    if (wanted.status && (wanted.status === "problems" ? !PROBLEMS.includes(status(item)) : status(item) !== wanted.status)) return false;
    if (wanted.verdict && get(item, "verdict") !== +wanted.verdict) return false;
    if (wanted.folder && !(get(item, "key") + "/").startsWith(wanted.folder + "/")) return false;
    if (wanted.doubt && !(get(item, "doubt") >= wanted.doubt)) return false;
    if (wanted.decided && !Decisions.is(decision, wanted.decided)) return false;
    return !wanted.search || small(item).includes(wanted.search);
  }

  const AMOUNTS = {
    doubt: item => get(item, "doubt") ?? -1,
    size: pixels,
    bytes: item => get(item, "bytes"),
    seconds: item => get(item, "seconds"),
    rating: item => Decisions.of(get(item, "key"))?.rating ?? -1,
  };

  // Items come by path, so their numbers are that order; of all others the most comes first.
  function chosen(wanted) {
    const found = [];
    for (let item = 0; item < loaded; item++) if (passes(item, wanted)) found.push(item);
    if (AMOUNTS[wanted.sort]) {
      const amounts = new Float64Array(loaded);
      for (const item of found) amounts[item] = AMOUNTS[wanted.sort](item);
      found.sort((one, other) => amounts[other] - amounts[one] || one - other);
    }
    return wanted.turned ? found.reverse() : found;
  }

  function find(key) {
    for (let item = 0; item < loaded; item++) if (get(item, "key") === key) return item;
    return -1;
  }

  return { load, details, get, reason, status, url, pixels, chosen, find, about: () => about, loaded: () => loaded };
})();
