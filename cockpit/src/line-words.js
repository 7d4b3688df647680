// The fields of a form ↔ the words of a line, as `nethook add` takes them.
import { ADDRESSES } from "./lines.jsx";

// Options with a field, in the order of the form.
export const OPTIONS = {
    addresses: ["guest", "mac", "via", "proxy"],
    forwards: ["guest", "to", "from", "mac"],
};
export const HOST_ITSELF = "-";

const EMPTY = { address: "", ports: "", protocols: "tcp", network: "", options: {} };

// Return the values of the form for a line; null is a new one.
export function fromLine(kind, line) {
    if (!line)
        return EMPTY;
    return {
        ...EMPTY,
        address: kind === ADDRESSES ? line.prefix : line.address,
        ports: line.ports ?? "",
        protocols: line.protocols?.join(",") || EMPTY.protocols,
        network: line.network ?? HOST_ITSELF,
        options: { ...line.options },
    };
}

function listening({ address, ports, protocols }) {
    const text = address.trim();
    if (!ports.trim())
        return text;
    const host = text.includes(":") && !text.startsWith("[") ? `[${text}]` : text;
    return `${host}:${ports.replaceAll(" ", "")}${protocols === "tcp" ? "" : `/${protocols}`}`;
}

// Return a name as a word that stands for exactly this name: with the quotes of the file where it needs them.
export function nameWord(name) {
    return /[\s",=]|^[#:/]|^-./.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name;
}

// Return the words of the line. Options without a field stay as they are; ports of the host itself have no guest.
export function wordsOf(kind, values) {
    const first = kind === ADDRESSES ? values.address.trim() : listening(values);
    const isHosts = values.network === HOST_ITSELF;
    const given = Object.entries(values.options).filter(([key]) => !(isHosts && key === "guest"));
    const options = given.map(([key, value]) => [key, key === "guest" ? value : value.trim()]).filter(([, value]) => value);
    const written = options.map(([key, value]) => `${key}=${key === "guest" ? nameWord(value) : value}`);
    return [first, nameWord(values.network), ...written];
}

// Return the field that a problem is about; null if it is about none.
export function fieldOf(kind, words, { word, column }) {
    if (word === null || word === undefined)
        return null;
    if (word === 0) {
        const isAtPorts = kind !== ADDRESSES && column > words[0].replace(/:[^:\]]*$/, "").length;
        return isAtPorts && /[\d\]]:/.test(words[0]) ? "ports" : "address";
    }
    if (word === 1)
        return "network";
    const [key] = (words[word] ?? "").split("=");
    return OPTIONS[kind.id].includes(key) ? key : null;
}
