// One item, large: its picture, what a person decides of it, and what is known.
const Viewer = (() => {
  let dialog = null, item = -1, place = 0, details = null, turn = 0, soon = 0;

  function start() {
    dialog = part("viewer");
    Pane.start((x, y) => addPoint(x, y), (side, zoomed, both) => {
      part("flip").disabled = !both;
      part("flip").setAttribute("aria-pressed", both && side === "before");
      part("zoom").setAttribute("aria-pressed", zoomed);
    });
    part("previous").onclick = () => go(-1);
    part("next").onclick = () => go(1);
    part("flip").onclick = Pane.flip;
    part("zoom").onclick = Pane.zoom;
    part("close").onclick = () => dialog.close();
    dialog.addEventListener("close", closed);
    for (const button of document.querySelectorAll("[data-decision]")) button.onclick = () => decide(button.dataset.decision);
    for (let stars = 1; stars <= 5; stars++) part("stars").append(star(stars));
    part("saturation").onchange = event => keep({ saturation: number(event.target, 0, 3) });
    part("warmth").onchange = event => keep({ warmth: number(event.target, -1, 1) });
    part("remark").oninput = event => keep({ note: event.target.value });
    part("point").onclick = () => put(part("point").getAttribute("aria-pressed") !== "true");
    part("middle").onclick = () => addPoint(...Pane.centre());
  }

  function star(stars) {
    const button = make("button", "", `${stars} ★`);
    button.type = "button";
    button.dataset.rating = stars;
    button.title = `${stars} of 5`;
    button.setAttribute("aria-keyshortcuts", stars);
    button.onclick = () => rate(stars);
    return button;
  }

  const number = (input, low, high) => input.value === "" || !Number.isFinite(+input.value) ? null : Math.min(high, Math.max(low, +input.value));
  const key = () => Items.get(item, "key");
  const decision = () => Decisions.of(key());

  async function open(at) {
    const mine = ++turn;
    item = Grid.item(at);
    if (item === undefined) return;
    place = at;
    if (!dialog.open) dialog.showModal();
    part("viewer-title").textContent = plain(key());
    part("viewer-place").textContent = `${(at + 1).toLocaleString("en")} of ${Grid.count().toLocaleString("en")}`;
    try { details = await Items.details(item); } catch { return say("What is known of this item cannot be loaded: was the gallery made anew meanwhile? Load this page again."); }
    if (mine !== turn) return;
    put(false);
    Pane.show(item, details);
    say(reasonOf());
    facts();
    redraw();
    preview();
    part("stage").focus({ preventScroll: true });
    history.replaceState(null, "", "#" + encodeURIComponent(key()));
  }

  function closed() {
    turn++;
    Review.forget();
    Decisions.flush();
    Pane.clear();
    history.replaceState(null, "", "#");
    Grid.focus(place); // the browser gives the focus back to the tile that was opened first
  }

  function go(step) {
    const at = place + step;
    if (at < 0 || at >= Grid.count()) return;
    open(at);
  }

  function reasonOf() {
    const reason = plain(Items.reason(item));
    if (!reason && !details.advice) return "";
    return [reason && reason[0].toUpperCase() + reason.slice(1) + (reason.endsWith(".") ? "" : "."), details.advice].filter(Boolean).join(" ");
  }

  function say(text) {
    part("problem").hidden = !text;
    part("problem").textContent = text;
    part("problem").classList.toggle("mild", ["done", "copied", "edited"].includes(Items.status(item)));
  }

  function keep(change) {
    const at = item, name = key();
    Decisions.change(name, change);
    if (details) Decisions.know(name, details.sha256);
    else Items.details(at).then(found => Decisions.know(name, found.sha256), () => {});
    again(at);
    if (["decision", "points", "saturation", "warmth"].some(each => each in change)) preview();
  }

  // Show anew what was decided of an item; of all where none is named.
  function again(at) {
    redraw();
    Grid.refresh(at);
    Main.undoable();
  }

  // What the next run would make of it, small; where somebody serves the page.
  function preview() {
    if (!Review.on || !dialog.open || !details) return;
    const mine = turn;
    clearTimeout(soon);
    soon = setTimeout(async () => {
      if (mine !== turn) return;
      try {
        const url = await Review.preview(key(), Decisions.said(key()));
        if (mine === turn) Pane.preview(url);
        else if (url) URL.revokeObjectURL(url);
        if (mine === turn) say(reasonOf());
      } catch (error) {
        if (mine === turn && error.name !== "AbortError") say(error.message);
      }
    }, 60);
  }

  // From the grid or from here: of the item that is current.
  function on(at, work) {
    if (dialog.open) return work();
    item = Grid.item(at);
    if (item === undefined) return;
    details = null;
    work();
  }

  const decide = what => keep({ decision: decision()?.decision === what ? null : what });
  const rate = stars => keep({ rating: stars === 0 || decision()?.rating === stars ? null : stars });
  const undo = () => keep({ decision: null, rating: null });

  function put(to) {
    part("point").setAttribute("aria-pressed", to);
    Pane.setPutting(to);
  }

  const round = value => Math.round(value * 1e5) / 1e5;
  function addPoint(x, y) {
    keep({ points: [...(decision()?.points || []), { x: round(x), y: round(y), color: part("colour").value }] });
    const status = part("shown");
    status.textContent = `Point at ${Math.round(100 * x)} %, ${Math.round(100 * y)} %.`;
  }

  function redraw() {
    if (!dialog.open) return;
    const one = decision();
    for (const button of document.querySelectorAll("[data-decision]")) button.setAttribute("aria-pressed", one?.decision === button.dataset.decision);
    for (const button of part("stars").children) button.setAttribute("aria-pressed", one?.rating === +button.dataset.rating);
    for (const [id, value] of [["saturation", one?.saturation ?? ""], ["warmth", one?.warmth ?? ""], ["remark", one?.note || ""]]) if (document.activeElement !== part(id)) part(id).value = value;
    Pane.points(one?.points || []);
    list(one?.points || []);
  }

  function list(points) {
    if (part("points").contains(document.activeElement) && part("points").children.length === points.length) return;
    part("points").replaceChildren(...points.map((point, at) => {
      const line = make("li");
      const color = field("color", point.color, `Colour of point ${at + 1}`, value => ({ color: value }));
      const x = field("number", +(100 * point.x).toFixed(1), `Point ${at + 1}, percent from the left`, value => ({ x: round(value / 100) }));
      const y = field("number", +(100 * point.y).toFixed(1), `Point ${at + 1}, percent from the top`, value => ({ y: round(value / 100) }));
      const away = make("button", "", "✕");
      away.type = "button";
      away.setAttribute("aria-label", `Remove point ${at + 1}`);
      away.onclick = () => keep({ points: decision().points.filter((_, other) => other !== at) });
      line.append(color, x, y, away);
      return line;

      function field(type, value, label, change) {
        const input = make("input");
        Object.assign(input, type === "number" ? { type, value, min: 0, max: 100, step: "any" } : { type, value });
        input.setAttribute("aria-label", label);
        input.onchange = () => {
          const said = type === "number" ? number(input, 0, 100) ?? 0 : input.value;
          keep({ points: decision().points.map((each, other) => other === at ? { ...each, ...change(said) } : each) });
        };
        return input;
      }
    }));
  }

  function facts() {
    const size = Items.pixels(item) ? `${Items.get(item, "width")} × ${Items.get(item, "height")} pixels` + (details.bits ? `, ${details.bits} bits` : "") : "";
    const doubt = Items.get(item, "doubt");
    const pairs = [
      ["Status", Items.status(item) + (details.was ? ` (was ${details.was})` : "")],
      ["Verdict", VERDICTS[Items.get(item, "verdict")]],
      ["Size", size], ["Frames", details.frames || ""], ["Doubt", doubt === null ? "" : doubt],
      ["Colourfulness", details.colourfulness ?? ""],
      ["Time it took", Items.get(item, "seconds") ? `${Items.get(item, "seconds")} s` : ""],
      ["Model", [details.model, details.engine].filter(Boolean).join(", ")],
      ["Provenance, as the output itself says", provenance()],
      ["Not carried over", details.metadata],
      ["No thumbnail", [details.before?.problem, details.after?.problem].filter(Boolean).join("; ")],
      ["Finished", details.finished], ["Source's sha256", details.sha256],
    ];
    part("facts").replaceChildren(...pairs.filter(([, value]) => value !== "" && value != null).map(([name, value]) => row(name, [value].flat().map(line => plain(String(line))).join("\n"))), ...links());
  }

  function row(name, value) {
    const line = make("div");
    line.append(make("dt", "", name), make("dd", "", value));
    return line;
  }

  function links() {
    const found = [["Open the original", details.before?.url], ["Open the output", details.after?.url]].filter(([, url]) => url);
    return found.map(([name, url]) => {
      const line = make("div"), term = make("dt"), link = make("a", "", name);
      link.href = url;
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      term.append(link);
      const value = make("dd", "", name === "Open the output" ? plain(details.output) : plain(key()));
      line.append(term, value);
      return line;
    });
  }

  function provenance() {
    if (!details.said) return "";
    const [invented, software, model, modelSha, sourceSha] = details.said;
    if (!invented && !software) return "It says nothing of where its colour comes from.";
    return [
      invented ? "Its colour is invented (composed with a trained algorithm)." : "",
      software && `Software: ${software}`, model && `Model: ${model}`, modelSha && `Model's sha256: ${modelSha}`,
      sourceSha && (sourceSha === details.sha256 ? "Made from the source that the manifest names." : `Made from another source: ${sourceSha}`),
    ].filter(Boolean);
  }

  return { start, open, go, again, preview, tell: say, on, decide, rate, undo, isOpen: () => dialog.open, middle: () => addPoint(...Pane.centre()) };
})();
