// What a list shows: pages that were asked for one by one. To follow it keeps those.

import { lab } from "./packages.js";

/** @typedef {import("./api.js").Page} Page */

/** A hook of React's.
 * @param {import("./store.js").Store} store
 * @param {(token?: string) => Promise<Page>} search
 * @param {{isFollowed?: boolean, first?: Page}} [options] `first`: the first page, if it is known
 * @returns {Page & {isLoaded: boolean, error?: string, more: () => Promise<void>}}
 */
export function usePages(store, search, { isFollowed = false, first } = {}) {
  const { useEffect, useRef, useState } = lab.react;
  const [pages, setPages] = useState({ isLoaded: Boolean(first), ...(first ?? { found: [] }) });
  const isKnown = useRef(first);
  const show = (join) => (page) => setPages((shown) => ({ ...join(page, shown), isLoaded: true }));
  useEffect(() => {
    const isQuiet = store.round.isQuiet && pages.isLoaded;
    const isNeeded = !isKnown.current && (isFollowed || !isQuiet);
    isKnown.current = undefined;
    let isMounted = true;
    const load = async () => {
      try {
        const page = await search();
        if (isMounted) show(isQuiet ? renew : () => page)(page);
      } catch (/** @type {any} */ error) {
        if (isMounted && !isQuiet) show((message, shown) => ({ ...shown, error: message }))(error.message);
      }
    };
    if (isNeeded) void store.attempt(load, isQuiet);
    return () => void (isMounted = false);
  }, [store.round]);
  const more = () => store.attempt(async () => show(append)(await search(pages.token)));
  return { ...pages, more };
}

/** The first page anew, before what was shown after it. @param {Page} page @param {Page} shown @returns {Page} */
function renew(page, shown) {
  const place = shown.found.findIndex(({ id }) => id === page.found.at(-1)?.id);
  const rest = place < 0 ? [] : shown.found.slice(place + 1);
  return rest.length ? { found: unique([...page.found, ...rest]), token: shown.token } : page;
}

/** @param {Page} page the next one @param {Page} shown @returns {Page} */
function append(page, shown) {
  return { found: unique([...shown.found, ...page.found]), token: page.token };
}

/** The last of each ID, in the place of the first. @param {any[]} items */
export const unique = (items) => [...new Map(items.map((item) => [item.id, item])).values()];
