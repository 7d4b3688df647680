// Counts of bytes → bytes per second, and the latest of them for a graph.
export const SAMPLES = 30;

// What the counts of a line are of. Another place in the file, or another guest, begins anew.
export function keyOf(line) {
    return JSON.stringify([line.file, ...line.words, line.target ?? line.bridge]);
}

export class Rates {
    #before = new Map();
    #at = 0;
    #found = new Map();

    // Take the counts of this status, at this time in ms. Return the rates by key: lists `received` and `sent`, the
    // latest last. Of a forward, which counts both directions together, everything is in `received`.
    take(status, now) {
        const seconds = (now - this.#at) / 1000;
        const counts = new Map();
        for (const line of [...status.lines, ...status.forwards]) {
            const key = keyOf(line);
            const count = { received: line.received?.bytes ?? line.bytes ?? null, sent: line.sent?.bytes ?? null };
            counts.set(key, count);
            const before = this.#before.get(key);
            const rates = this.#found.get(key) ?? { received: [], sent: [] };
            this.#found.set(key, Object.fromEntries(["received", "sent"].map((name) => {
                const rate = before ? growth(before[name], count[name], seconds) : null;
                return [name, [...rates[name], rate].slice(-SAMPLES)];
            })));
        }
        for (const key of this.#found.keys())
            if (!counts.has(key))
                this.#found.delete(key);
        this.#before = counts;
        this.#at = now;
        return new Map(this.#found);
    }
}

// null if it is not known, or the counter began anew.
function growth(before, count, seconds) {
    return before === null || count === null || count < before ? null : (count - before) / seconds;
}
