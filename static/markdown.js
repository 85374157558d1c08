// Markdown of strangers as DOM: the rules of gateway/dashboard/prose.py (no HTML, no image is loaded, links to http, https
// and mailto only), and what comes out goes through DOMPurify before it is anywhere near the page.
const engine = markdownit("commonmark", { html: false, linkify: false, maxNesting: 20 }).enable(["table", "strikethrough"]);
const isLink = engine.validateLink;
engine.validateLink = (url) => isLink(url) && /^(https?:\/\/|mailto:)/.test(url);

const escaped = engine.utils.escapeHtml;
engine.renderer.rules.image = (tokens, at, options, env, renderer) => {
  const words = renderer.renderInlineAsText(tokens[at].children ?? [], options, env);
  return `<span class="remote">image “${escaped(words)}” <code>${escaped((tokens[at].attrGet("src") ?? "").slice(0, 300))}</code></span>`;
};
engine.renderer.rules.link_open = (tokens, at, options, env, renderer) => {
  tokens[at].attrSet("rel", "noopener noreferrer nofollow");
  tokens[at].attrSet("target", "_blank");
  return renderer.renderToken(tokens, at, options);
};
for (const name of ["heading_open", "heading_close"]) {
  engine.renderer.rules[name] = (tokens, at, options, env, renderer) => {
    tokens[at].tag = "h4";
    return renderer.renderToken(tokens, at, options);
  };
}

const ALLOWED = {
  ALLOWED_TAGS: ["p", "br", "hr", "h4", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span", "table", "thead", "tbody", "tr", "th", "td"],
  ALLOWED_ATTR: ["href", "title", "rel", "target", "class", "start"],
  RETURN_DOM_FRAGMENT: true,
};

// Control characters (terminal escapes, direction overrides) as symbols that can be seen and do nothing.
export function visible(text) {
  return text
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, (sign) => (sign < " " ? String.fromCharCode(0x2400 + sign.charCodeAt(0)) : "\ufffd"))
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

// Lays out `text` inside `place`. Blocks that are the same stay as they are, so a stream moves nothing that was read
// and no selection is lost.
export function layOut(place, text) {
  const clean = DOMPurify.sanitize(engine.render(visible(text)), ALLOWED);
  for (const code of clean.querySelectorAll("pre")) code.tabIndex = 0; // it scrolls, by keys as well
  const fresh = [...clean.childNodes];
  fresh.forEach((node, at) => {
    const old = place.childNodes[at];
    if (!old) place.append(node);
    else if (!old.isEqualNode(node)) old.replaceWith(node);
  });
  while (place.childNodes.length > fresh.length) place.lastChild.remove();
}
