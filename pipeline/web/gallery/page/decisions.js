// What a person decides, kept in this browser under the archive's name, and written into one file.
const Decisions = (() => {
  let kept = new Map(), where = "", listener = () => {};
  const EMPTY = { sha256: "", decision: null, rating: null, points: [], saturation: null, note: "" };

  function open(identity, onTrouble, onChange) {
    where = "colorize-gallery:" + identity;
    listener = onTrouble;
    read();
    // Another tab decides too.
    addEventListener("storage", event => { if (event.key === where) { read(); onChange(); } });
  }

  function read() {
    try {
      const said = JSON.parse(localStorage.getItem(where) || "[]");
      kept = new Map(said.map(each => [each.key, { ...EMPTY, ...each }]));
    } catch {
      listener("Decisions cannot be kept in this browser: download them before the page is closed.");
    }
  }

  const isEmpty = one => !one.decision && one.rating === null && !one.points.length && one.saturation === null && !one.note;
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

  function change(key, change) {
    const one = { ...EMPTY, ...kept.get(key), ...change, key };
    if (isEmpty(one)) kept.delete(key); else kept.set(key, one);
    save();
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
        points: one.points.map(({ x, y, color }) => ({ x, y, color })), saturation: one.saturation, note: one.note,
      });
    }
    return { format: "colorize-decisions", version: 1, pictures };
  }

  return { open, of, is, change, count, file };
})();
