/*
 * Script of the reference page: search, copying and sending requests. It imports nothing, because the API serves it
 * alone, with its types removed.
 */

/** Characters of a response that are shown. An event stream would never end. */
const maxShown = 200_000;

const all = <E extends HTMLElement>(selector: string, under: ParentNode = document) => [
  ...under.querySelectorAll<E>(selector),
];

function enableSearch(search: HTMLInputElement): void {
  const entries = all<HTMLAnchorElement>("nav li a").map((link) => {
    const section = document.getElementById(link.hash.slice(1))!;
    const texts = [link, ...all(":scope > h3, :scope > p", section)].map((element) => element.textContent);
    return { item: link.parentElement!, section, text: texts.join(" ").toLowerCase() };
  });
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const { item, section, text } of entries)
      item.hidden = section.hidden = !words.every((word) => text.includes(word));
    for (const group of all(".group")) group.hidden = all("li, section", group).every(({ hidden }) => hidden);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || (event.target as Element).matches("input, textarea")) return;
    event.preventDefault();
    search.focus();
  });
}

function addCopyButton(pre: HTMLElement): void {
  const button = document.createElement("button");
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", () => {
    void navigator.clipboard.writeText(pre.textContent).then(() => {
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1_500);
    });
  });
  pre.before(button);
}

/** A language that is opened in one sample opens in all of them; its `name` closes the others. */
function followLanguage(summary: HTMLElement): void {
  summary.addEventListener("click", () => {
    const { language } = summary.parentElement!.dataset;
    const before = summary.getBoundingClientRect().top;
    for (const sample of all<HTMLDetailsElement>(`[data-language="${language}"]`))
      if (sample !== summary.parentElement) sample.open = true;
    scrollBy(0, summary.getBoundingClientRect().top - before);
  });
}

type Fields = { target: string; headers: Record<string, string>; body?: FormDataEntryValue };

/** Reads a form whose fields are named `where:name`. */
function readFields(form: HTMLFormElement): Fields {
  let target = form.dataset["path"]!;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  let body: FormDataEntryValue | undefined;
  for (const [field, value] of new FormData(form)) {
    const [where, name] = field.split(":") as [string, string];
    if (value === "") continue;
    if (where === "body") {
      headers["content-type"] = name;
      body = value;
    } else if (typeof value === "string") {
      if (where === "path") target = target.replace(`{${name}}`, encodeURIComponent(value));
      if (where === "query") query.append(name, value);
      if (where === "header") headers[name] = value;
    }
  }
  return { target: query.size > 0 ? `${target}?${query}` : target, headers, body };
}

/** Sends a form's request and shows the response while it arrives. */
async function send(form: HTMLFormElement, key: string, signal: AbortSignal): Promise<void> {
  const output = form.querySelector("output")!;
  const pre = document.createElement("pre");
  output.replaceChildren(pre);
  const { target, headers, body } = readFields(form);
  try {
    const startedAt = performance.now();
    const response = await fetch(target, {
      method: form.dataset["method"]!,
      headers: { ...headers, authorization: `Bearer ${key}` },
      ...(body !== undefined && { body }),
      credentials: "omit",
      signal,
    });
    const type = response.headers.get("content-type") ?? "no body";
    output.prepend(
      `${response.status} ${response.statusText}, ${type}, ${Math.round(performance.now() - startedAt)} ms`,
    );
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      pre.append(decoder.decode(chunk, { stream: true }));
      if (pre.textContent.length > maxShown) throw new Error(`only the first ${maxShown} characters are shown`);
    }
    if (type.includes("json")) pre.textContent = JSON.stringify(JSON.parse(pre.textContent), null, 2);
  } catch (error) {
    output.append(signal.aborted ? "Stopped." : `The request failed: ${(error as Error).message}.`);
  }
}

function enableForm(form: HTMLFormElement, key: HTMLInputElement): void {
  const stop = form.querySelector<HTMLButtonElement>(".stop")!;
  let running: AbortController | undefined;
  stop.addEventListener("click", () => running?.abort());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (key.value === "") {
      key.setCustomValidity("Enter an API key first.");
      key.reportValidity();
      return;
    }
    const { method, path } = form.dataset;
    if (method === "DELETE" && !confirm(`Send DELETE ${path}? It changes real data.`)) return;
    running?.abort();
    const current = (running = new AbortController());
    stop.hidden = false;
    void send(form, key.value.trim(), current.signal).then(() => {
      if (running === current) stop.hidden = true;
    });
  });
  // An id that was entered once fills the same field of every form.
  form.addEventListener("change", ({ target }) => {
    const { name, value } = target as HTMLInputElement;
    if (name.startsWith("path:")) for (const each of all<HTMLInputElement>(`[name="${name}"]`)) each.value = value;
  });
}

const key = document.querySelector<HTMLInputElement>("#key")!;
key.addEventListener("input", () => key.setCustomValidity(""));
enableSearch(document.querySelector<HTMLInputElement>("#search")!);
for (const pre of all("pre")) addCopyButton(pre);
for (const summary of all(".samples summary")) followLanguage(summary);
for (const form of all<HTMLFormElement>(".try form")) enableForm(form, key);
for (const hidden of all(".tools, .try")) hidden.hidden = false;
