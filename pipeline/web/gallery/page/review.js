// Where this page is served (`colorize review`): what is decided goes straight into the hints, and a preview comes back.
const Review = (() => {
  const on = !!document.querySelector('meta[name="colorize-review"]');
  let queue = Promise.resolve(), asked = null;

  async function ask(path, body, signal) {
    let answer;
    try {
      answer = await fetch(path, body === undefined ? { signal } : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("Nobody answers: `colorize review` has ended. What was decided before stands in hints.toml.");
    }
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  }

  const decisions = async () => (await (await ask("decisions")).json()).pictures;

  // One after the other, so that the last one said is the last one written.
  function decide(key, sha256, change) {
    const mine = queue.then(async () => (await ask("decide", { key, sha256, change })).json());
    queue = mine.catch(() => {});
    return mine;
  }

  // The newest question alone is answered; null: the output is as it would be made.
  async function preview(key, said) {
    asked?.abort();
    const mine = asked = new AbortController();
    const answer = await ask("preview", { key, said }, mine.signal);
    return answer.status === 204 ? null : URL.createObjectURL(await answer.blob());
  }

  function forget() { asked?.abort(); }

  const refresh = () => ask("refresh", {});
  const picture = (side, key) => `picture/${side}/${encodeURIComponent(key)}`;

  return { on, decisions, decide, preview, forget, refresh, picture, settled: () => queue };
})();
