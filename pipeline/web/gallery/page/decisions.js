// What a person decides: kept in this browser under the archive's name and written into one file, or, where the page is
// served, sent to be written into the hints at once. Each change can be taken back.
const Decisions = (() => {
  let kept = new Map(), where = "", listener = () => {}, changed = () => {};
  let past = [], future = [], pending = null, timer = 0;
  const EMPTY = { sha256: "", decision: null, rating: null, points: [], saturation: null, warmth: null, palette: null, model: null, note: "" };
  const SAID = Object.keys(EMPTY).filter(name => name !== "sha256");

  async function open(identity, onTrouble, onChange) {
    where = "colorize-gallery:" + identity;
    listener = onTrouble;
    changed = onChange;
    if (Review.on) {
      await load();
      // What waits is sent when the page is left.
      document.addEventListener("visibilitychange", () => { if (document.hidden) flush(); });
      return;
    }
    read();
    // Another tab decides too.
    addEventListener("storage", event => { if (event.key === where) { read(); changed(); } });
  }

  const take = said => { kept = new Map(said.map(each => [each.key, { ...EMPTY, ...each }])); };

  async function load() {
    try { take(await Review.decisions()); } catch (error) { listener(error.message); }
  }

  function read() {
    try {
      take(JSON.parse(localStorage.getItem(where) || "[]"));
    } catch {
      listener("Decisions cannot be kept in this browser: download them before the page is closed.");
    }
  }

  const isNothing = value => value === null || value === "" || (Array.isArray(value) && !value.length);
  const isEmpty = one => SAID.every(name => isNothing(one[name]));
  const of = key => kept.get(key);
  const count = () => kept.size;

  function is(one, wanted) {
    switch (wanted) {
      case "none": return !one;
      case "some": return !!one;
      case "rated": return one?.rating != null;
      case "points": return !!one?.points.length;
      default: return one?.decision === wanted;
    }
  }

  function change(key, said) {
    const before = kept.get(key) || EMPTY, names = Object.keys(said), last = past.at(-1);
    const was = Object.fromEntries(names.map(name => [name, before[name]]));
    // Letter after letter of one note is one change.
    if (last && last.key === key && names.length === 1 && names[0] === "note" && "note" in last.said) last.said = said;
    else past.push({ key, was, said });
    future = [];
    put(key, said);
  }

  // From `past` to `future` or back; returns whose picture it was.
  function step(from, to, which) {
    const one = from.pop();
    if (!one) return "";
    to.push(one);
    put(one.key, one[which]);
    return one.key;
  }
  const undo = () => step(past, future, "was");
  const redo = () => step(future, past, "said");

  function put(key, said) {
    const one = { ...EMPTY, ...kept.get(key), ...said, key };
    if (isEmpty(one)) kept.delete(key); else kept.set(key, one);
    if (Review.on) send(key, one.sha256, said); else save();
  }

  // The sha256 of the picture that is meant; it is learnt after the fact.
  function know(key, sha256) {
    const one = kept.get(key);
    if (!sha256 || !one || one.sha256 === sha256) return;
    one.sha256 = sha256;
    if (!Review.on) save();
  }

  function send(key, sha256, said) {
    if (pending && pending.key !== key) flush();
    pending = { key, sha256, said: { ...pending?.said, ...said } };
    clearTimeout(timer);
    if (Object.keys(pending.said).join() === "note") timer = setTimeout(flush, 400); else flush();
  }

  function flush() {
    clearTimeout(timer);
    if (!pending) return;
    const { key, sha256, said } = pending;
    pending = null;
    // What could not be written is not shown as if it were.
    Review.decide(key, sha256, said).catch(async error => { await load(); past = []; future = []; changed(); listener(error.message); });
  }

  function save() {
    try {
      localStorage.setItem(where, JSON.stringify([...kept.values()]));
    } catch {
      listener("This browser keeps no more decisions: download them before the page is closed.");
    }
  }

  // In the order of the contract; a sha256 that was not known when it was decided is looked up now.
  async function file(sha256) {
    const pictures = [];
    for (const one of [...kept.values()].sort((a, b) => a.key < b.key ? -1 : 1)) {
      pictures.push({
        key: one.key, sha256: one.sha256 || await sha256(one.key), decision: one.decision, rating: one.rating,
        points: one.points, saturation: one.saturation, warmth: one.warmth, note: one.note,
      });
    }
    return { format: "colorize-decisions", version: 1, pictures };
  }

  const said = key => { const one = kept.get(key) || EMPTY; return Object.fromEntries(SAID.map(name => [name, one[name]])); };

  return { open, of, is, change, know, count, file, said, undo, redo, flush, can: () => [past.length > 0, future.length > 0] };
})();
